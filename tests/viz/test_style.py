from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

from posegraph import viz
from posegraph.errors import ConfigError
from posegraph.evaluation.protocol import Protocol
from posegraph.evaluation.result import ActionResult, Result
from posegraph.viz import _style
from tests.viz.drawing import CMU, motion
from tests.viz.windows import result

RESULT = Result(Protocol("cmu", future_frames=2, actions=("walking",)), {"walking": ActionResult(1, (1.0,))})
PICTURES = {
    "animation.gif": lambda path: viz.animate(result(), path),
    "strip.png": lambda path: viz.pose_strip(motion(1), motion(2), skeleton=CMU, path=path),
    "strips.png": lambda path: viz.compare_strips({"a": motion(2)}, motion(2), skeleton=CMU, path=path, window="w"),
    "curve.png": lambda path: viz.error_curve({"a": [1.0]}, path, frames=[0], protocol="none"),
    "panels.png": lambda path: viz.error_panels({"a": RESULT}, path),
    "joints.png": lambda path: viz.joint_error_map(
        {"a": np.ones((1, 38))}, path, skeleton=CMU, frames=[0], protocol="none"
    ),
}


@pytest.mark.parametrize("name", PICTURES)
def test_matplotlib_is_left_alone(tmp_path: Path, name: str) -> None:
    styled, plain = tmp_path / "styled" / name, tmp_path / "plain" / name
    with matplotlib.rc_context({"axes.facecolor": "red", "savefig.facecolor": "black", "font.size": 40}):
        before = dict(matplotlib.rcParams)
        assert PICTURES[name](styled) == styled
        assert dict(matplotlib.rcParams) == before
    assert plt.get_fignums() == []
    PICTURES[name](plain)
    assert styled.read_bytes() == plain.read_bytes()


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_have_one_format(tmp_path: Path, name: str) -> None:
    suffix = Path(name).suffix
    message = f"path: expected a file name that ends in {suffix}, got 'picture.jpg'. Rename it."
    with pytest.raises(ConfigError, match=re.escape(message)):
        PICTURES[name](tmp_path / "picture.jpg")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", PICTURES)
def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"old")

    def fail(self: Any, file: Any, **options: Any) -> None:
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr("PIL.Image.Image.save", fail)
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", fail)
    with pytest.raises(OSError, match="disk full"):
        PICTURES[name](path)
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == [name]


def luminance(color: str) -> float:
    """Relative luminance of WCAG 2."""
    channels = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("theme", [_style.LIGHT, _style.DARK])
@pytest.mark.parametrize("name", ["text", "muted", "accent"])
def test_text_has_the_contrast_that_guidelines_ask_for(theme: _style.Theme, name: str) -> None:
    darker, lighter = sorted(luminance(color) + 0.05 for color in (theme.background, getattr(theme, name)))
    assert lighter / darker >= 4.5


def test_wrapped_lines_fit_and_lose_nothing() -> None:
    text = "a protocol of msrgcn-released-short, 10 -> 25 frames, " + ", ".join(f"action_{i}" for i in range(9))
    with _style.default_style():
        lines = _style.wrap(text, 200, 12)
        widths = [_style.text_width(line, 12) for line in lines]
    assert len(lines) > 3
    assert max(widths) <= 200
    assert re.sub(r"\s", "", "".join(lines)) == re.sub(r"\s", "", text)
    assert any("-> 25" in line for line in lines)


def test_names_break_at_hyphens() -> None:
    with _style.default_style():
        width = _style.text_width("msrgcn-", 12)
        assert _style.wrap("msrgcn-released", width + 1, 12) == ["msrgcn-", "released"]
        assert _style.wrap("unbreakable", 10, 12) == ["unbreakable"]


def test_a_legend_breaks_into_rows() -> None:
    with _style.default_style():
        entry = 20 + _style.text_width("model 0", 13)
        legend = _style.Legend({f"model {i}": {} for i in range(5)}, 2 * (entry + 16) + 2 * 16, mark=15)
    assert [[name for _, name, _ in row] for row in legend.rows] == [
        ["model 0", "model 1"],
        ["model 2", "model 3"],
        ["model 4"],
    ]
    assert legend.height == 66
