from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from posegraph import viz
from posegraph.data.clip import Clip
from posegraph.errors import ConfigError, DataError, UnknownNameError
from posegraph.skeleton.skeleton import Skeleton
from tests.viz.drawing import CMU
from tests.viz.test_timeline import turning
from tests.viz.windows import FRAMES, TRUE, result

EVIL = "</script></title><script>alert('x')</script><img src=x onerror=alert(1)>{{data}}&amp;"


class Reader(HTMLParser):
    """The elements of a page, and the text in each kind of them."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags:
            self.texts.append((self.tags[-1][0], data))

    def content(self) -> dict[str, Any]:
        """What the scripts read."""
        place = next(i for i, (tag, text) in enumerate(self.texts) if tag == "script" and text.startswith("{"))
        return json.loads(self.texts[place][1])


def read(path: Path) -> dict[str, Any]:
    return Reader(path.read_text(encoding="utf-8")).content()


def unpack(packed: dict[str, Any]) -> np.ndarray:
    numbers = np.frombuffer(base64.b64decode(packed["data"]), "<i2" if "scale" in packed else "<f4")
    return numbers.reshape(packed["shape"]) * packed.get("scale", 1.0)


def test_poses_come_back_within_a_twentieth_of_a_millimetre(tmp_path: Path) -> None:
    content = read(viz.write_page({"mine": [result(0), result(6)]}, tmp_path / "new" / "page.html"))
    way = unpack(content["way"])
    assert way.shape == (16, 3)
    known = unpack(content["known"]) + way[:, None]
    np.testing.assert_allclose(known, TRUE[:16].numpy(), atol=0.05)
    (model,) = content["models"]
    assert model["windows"] == [
        {"now": 4, "length": 6, "errors": [30.0] * 6},
        {"now": 10, "length": 6, "errors": [30.0] * 6},
    ]
    forecast = unpack(model["poses"]) + way[4:16, None]
    np.testing.assert_allclose(forecast, TRUE[4:16].numpy() + np.array([30.0, 0, 0]), atol=0.05)
    assert [window["now"] for window in content["zero"]] == [4, 10]
    assert (content["fps"], content["first"], content["frames"], content["now"]) == (60.0, 0, 16, 4)
    assert content["skeleton"]["joints"] == list(CMU.joint_names)


def test_the_body_goes_where_its_root_went(tmp_path: Path) -> None:
    root = turning(FRAMES)
    content = read(viz.write_page(result(7), tmp_path / "page.html", root=root))
    world = root[7:17].to_world(TRUE[7:17]).numpy()
    way = unpack(content["way"])
    np.testing.assert_allclose(way, world[:, CMU.root], atol=1e-3)
    np.testing.assert_allclose(unpack(content["known"]) + way[:, None], world, atol=0.05)
    assert content["floor"] == pytest.approx(world[..., 1].min(), abs=1e-3)


@pytest.mark.parametrize(("up", "order"), [("y", (0, 1, 2)), ("z", (1, 2, 0)), ("x", (2, 0, 1))])
def test_the_page_has_y_up(tmp_path: Path, up: Any, order: tuple[int, ...]) -> None:
    """Its x is the body's left, y up and z the front; with z up, the front is x and the left y."""
    poses = TRUE[:3].numpy()
    turned = np.empty_like(poses)
    turned[..., list(order)] = poses
    body = Skeleton("turned", CMU.joint_names, CMU.parents, mirrored=CMU.mirrored, up=up)
    content = read(viz.write_page(Clip(turned, body, 30.0, name="up"), tmp_path / "page.html"))
    np.testing.assert_allclose(unpack(content["known"]) + unpack(content["way"])[:, None], poses, atol=0.05)
    assert content["heading"] == pytest.approx(0.0, abs=1.0)
    assert content["title"] == "up"
    assert content["models"] == content["zero"] == []


def test_the_front_is_found(tmp_path: Path) -> None:
    quarter = np.array([[0.0, 0, -1], [0, 1, 0], [1, 0, 0]])  # the left turns to the back: the body looks to x
    content = read(viz.write_page(Clip(TRUE[:3].numpy() @ quarter, CMU, 30.0), tmp_path / "page.html"))
    assert content["heading"] == pytest.approx(90.0, abs=1.0)


def test_no_text_becomes_markup(tmp_path: Path) -> None:
    names = (EVIL, *CMU.joint_names[1:])
    body = Skeleton(EVIL, names, CMU.parents)
    path = viz.write_page({EVIL: result(skeleton=body)}, tmp_path / "page.html", title=EVIL)
    page = Reader(path.read_text(encoding="utf-8"))
    plain = Reader(viz.write_page(result(), tmp_path / "plain.html").read_text(encoding="utf-8"))
    assert page.tags == plain.tags
    assert [text for tag, text in page.texts if tag in ("title", "h1")][:1] == [EVIL]
    content = page.content()
    assert content["title"] == content["skeleton"]["name"] == content["models"][0]["name"] == EVIL
    assert content["skeleton"]["joints"][0] == EVIL


def test_nothing_is_asked_of_the_network(tmp_path: Path) -> None:
    text = viz.write_page(result(), tmp_path / "page.html").read_text(encoding="utf-8")
    addresses = set(re.findall(r"https?://[^\"'\s)]+", text))
    assert addresses == {"http://www.w3.org/2000/svg"}  # the name of SVG, which nobody loads
    page = Reader(text)
    assert not [tags for tags in page.tags if tags[0] != "link" and {"src", "href"} & set(tags[1])]
    assert "default-src 'none'" in text


def test_a_page_is_small(tmp_path: Path) -> None:
    path = viz.write_page(result(), tmp_path / "page.html")
    poses = sum(len(part["data"]) for part in (read(path)["known"], read(path)["models"][0]["poses"]))
    assert path.stat().st_size - poses < 60_000


def test_titles_come_from_what_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    assert read(viz.write_page({"a": result(), "b": result()}, path))["title"] == "a and b"
    assert read(viz.write_page(Clip(TRUE, CMU, 30.0), path))["title"] == "Motion"


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"path": "page.htm"}, ConfigError, "path: expected a file name that ends in .html, got 'page.htm'. Rename it"),
        ({"head": "Haed"}, UnknownNameError, "unknown joint 'Haed'. Did you mean 'Head'?"),
        ({"motion": result(forecast=TRUE[4:10] * float("nan"))}, DataError, "forecast: expected finite positions"),
    ],
)
def test_what_cannot_be_shown_leaves_no_file(
    tmp_path: Path, changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    arguments: dict[str, Any] = {"motion": result(), "path": "page.html", **changes}
    arguments["path"] = tmp_path / arguments["path"]
    with pytest.raises(error, match=re.escape(message)):
        viz.write_page(arguments.pop("motion"), arguments.pop("path"), **arguments)
    assert not list(tmp_path.iterdir())
