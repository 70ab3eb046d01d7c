"""The page in a real browser."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest

from posegraph import viz
from posegraph.data.clip import Clip
from tests.viz.browser import Browser, chromium
from tests.viz.drawing import CMU
from tests.viz.test_html import EVIL
from tests.viz.test_timeline import turning
from tests.viz.windows import FRAMES, TRUE, result

pytestmark = pytest.mark.skipif(chromium() is None, reason="needs the program chromium: apt install chromium")


@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    program = chromium()
    assert program is not None
    with Browser(program) as started:
        yield started


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    models = {EVIL: [result(0), result(6)], "far": [result(0, off=90.0), result(6, off=60.0)]}
    path = tmp_path_factory.mktemp("page") / "page.html"
    return viz.write_page(models, path, title=EVIL, root=turning(FRAMES))


@pytest.fixture(autouse=True)
def quiet(browser: Browser) -> Generator[None]:
    """Nothing goes wrong in the page, and it asks for no other file."""
    browser.complaints.clear()
    browser.requests.clear()
    yield
    assert browser.complaints == []
    assert all((request.startswith("file:") and request.endswith((".html", "#frame=7"))) or request == "about:blank"
               for request in browser.requests)  # fmt: skip
    browser.resize(1280, 800)
    browser.scheme("light")


def canvas(browser: Browser) -> np.ndarray:
    """The part of the window with the bodies."""
    browser.settle()
    box = browser.run(
        "(b => [b.left, b.top, b.right, b.bottom])(document.getElementById('view').getBoundingClientRect())"
    )
    left, top, right, bottom = (int(edge) for edge in box)
    return browser.picture()[top + 2 : bottom - 2, left + 2 : right - 2].astype(int)


def changed(one: np.ndarray, other: np.ndarray) -> float:
    """Part of the picture that differs."""
    return float((np.abs(one - other).max(axis=-1) > 24).mean())


def test_bodies_are_drawn_and_time_moves_them(browser: Browser, page: Path) -> None:
    browser.open(page, "#frame=7")
    first = canvas(browser)
    orange = (first[..., 0] > 180) & (first[..., 1] < 130) & (first[..., 2] < 60)
    assert orange.sum() > 300
    assert browser.run("document.getElementById('clock').textContent") == "forecast +67 ms · frame 7 · 0.12 s"
    time = "const time = document.getElementById('time'); time.value = {}; time.dispatchEvent(new Event('input'))"
    browser.run(f"(() => {{ {time.format(12)} }})()")
    second = canvas(browser)
    assert changed(first, second) > 0.01
    assert browser.run("document.getElementById('clock').textContent") == "forecast +50 ms · frame 12 · 0.20 s"


def test_it_plays_at_true_speed(browser: Browser, tmp_path: Path) -> None:
    browser.open(viz.write_page(Clip(TRUE, CMU, 60.0), tmp_path / "page.html"))
    frames_and_seconds = (
        "new Promise(done => { seek(0); setPlaying(true); requestAnimationFrame(() => requestAnimationFrame(a => {"
        "const from = state.frame; const wait = b => b - a > 250 && state.frame > from"
        " ? done([state.frame - from, (b - a) / 1000]) : requestAnimationFrame(wait); requestAnimationFrame(wait)"
        " })) })"
    )
    frames, seconds = browser.run(frames_and_seconds)
    # A page is drawn when the machine has time for it; the frames follow the clock whenever that is.
    assert frames / seconds == pytest.approx(60.0, rel=0.25) or frames == pytest.approx(FRAMES - 1, abs=4)
    browser.press(" ", " ")
    assert browser.run("state.playing") is False


def test_the_pointer_turns_enlarges_and_names_joints(browser: Browser, page: Path) -> None:
    browser.open(page, "#frame=7")
    before = canvas(browser)
    browser.drag((300, 300), (420, 310))
    turned = canvas(browser)
    assert changed(before, turned) > 0.01
    browser.mouse("mouseWheel", 300, 300, deltaX=0, deltaY=-400)
    assert changed(turned, canvas(browser)) > 0.01
    browser.press("r")
    assert changed(before, canvas(browser)) < 0.002
    hand = CMU.index("LeftHand")
    body = "scene.seen.find(s => s.panel.name === 'far' && s.body.look === 'forecast')"
    edge = "document.getElementById('view').getBoundingClientRect()"
    x, y = browser.run(f"(p => [p[0] + {edge}.left, p[1] + {edge}.top])({body}.points[{hand}])")
    browser.mouse("mouseMoved", x, y)
    browser.settle()
    assert not browser.run("document.getElementById('tip').hidden")
    # 90 mm off along an axis, before the body is turned: the distance stays
    assert browser.run("document.getElementById('tip').textContent").endswith(" · 90 mm")


def test_keys_step_and_toggle_layers(browser: Browser, page: Path) -> None:
    browser.open(page, "#frame=7")
    first = canvas(browser)
    browser.press("ArrowRight")
    assert browser.run("state.frame") == 8
    browser.press("ArrowLeft")
    assert changed(first, canvas(browser)) < 0.002
    for key, panels in (("1", 3), ("2", 3), ("3", 3), ("4", 2)):
        before = canvas(browser)
        browser.press(key)
        assert (changed(before, canvas(browser)) > 0.002) == (key != "1")  # the observed part is over
        assert browser.run("document.querySelectorAll('.caption').length") == panels


def test_errors_are_those_of_the_forecasts(browser: Browser, page: Path) -> None:
    browser.open(page, "#frame=7")
    assert browser.run("[...document.querySelectorAll('#legend b')].map(b => b.textContent)")[:2] == ["30 mm", "90 mm"]
    axis = browser.run("[...document.querySelectorAll('#chart text')].map(t => t.textContent)")
    assert axis[-1] == "ms after the last observed frame"
    assert "100" in axis  # six frames at 60 a second are 100 ms
    assert browser.run("document.querySelectorAll('#chart .cursor').length") == 1


def test_texts_are_shown_as_they_are(browser: Browser, page: Path) -> None:
    browser.open(page, "#frame=7")
    assert browser.run("document.title") == EVIL
    assert browser.run("document.querySelector('h1').textContent") == EVIL
    assert browser.run("document.querySelector('.caption b').textContent") == EVIL
    assert browser.run("document.images.length + document.querySelectorAll('script').length") == 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_follows_the_colours_of_the_system(browser: Browser, page: Path, scheme: str) -> None:
    browser.scheme(scheme)
    browser.open(page, "#frame=7")
    picture = browser.picture()
    assert (picture[[0, -1], [0, -1]].mean() > 128) == (scheme == "light")
    assert (np.median(canvas(browser)) > 128) == (scheme == "light")


def test_a_phone_needs_no_scrolling_to_the_side(browser: Browser, page: Path, tmp_path: Path) -> None:
    browser.resize(390, 844, phone=True)
    short = viz.write_page({"mine": [result(0), result(6)], "far": [result(0)]}, tmp_path / "page.html")
    for path in (short, page):
        browser.open(path, "#frame=7")
        assert browser.run("document.documentElement.scrollWidth") <= 390
    small = browser.run(
        "[...document.querySelectorAll('button, input')].filter(e => e.offsetWidth && e.offsetHeight < 28).length"
    )
    assert small == 0


def test_a_forecast_without_truth_and_a_point_can_be_shown(browser: Browser, tmp_path: Path) -> None:
    browser.open(viz.write_page(result(truth=None), tmp_path / "page.html"), "#frame=7")
    assert browser.run("document.getElementById('errors').hidden")
    assert browser.run("document.querySelectorAll('#layers button').length") == 3
    one = Clip(TRUE[:1], CMU, 60.0)
    browser.open(viz.write_page(one, tmp_path / "page.html"), "#frame=7")
    assert browser.run("[state.frame, last]") == [0, 0]
