from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from posegraph import viz
from posegraph.errors import ConfigError, UnknownNameError
from posegraph.evaluation.protocol import Protocol
from posegraph.evaluation.result import ActionResult, Result
from posegraph.viz import _style, curves
from posegraph.viz._labels import Rate
from tests.viz.drawing import Labels, count, pixels

ACTIONS = ("walking", "eating", "running")
PROTOCOL = Protocol("cmu", frames=(1, 9, 24), actions=ACTIONS, label_fps=25)


def result(
    scale: float = 1.0, actions: tuple[str, ...] = ACTIONS, found: tuple[str, ...] | None = None, **changes: Any
) -> Result:
    """Errors that differ by action and frame."""
    protocol = dataclasses.replace(PROTOCOL, actions=actions, **changes)
    errors = {name: tuple(scale * (10 * i + f) for f in protocol.frames) for i, name in enumerate(found or actions)}
    return Result(protocol, {name: ActionResult(8, own) for name, own in errors.items()})


def draw(panels: curves.Panels, frames: list[int], unit: str = "mm") -> Any:
    with _style.default_style():
        return curves._figure(panels, frames, ["protocol"], Rate(), None, unit)


# --- numbers of any origin -------------------------------------------------------------------------------------------


def test_curves_show_every_model_and_the_protocol(tmp_path: Path, drawn: Labels) -> None:
    path = viz.error_curve(
        {"first": [1.0, 2.0, 4.0], "second": [2.0, 3.0, 5.0]},
        tmp_path / "new" / "curve.png",
        frames=[1, 3, 24],
        protocol="cmu test, windows: all",
        fps=60,
        label_fps=25,
        title="A title",
    )
    drawn.check_readable()
    texts = set(drawn.texts)
    assert {"first", "second", "A title", "cmu test, windows: all", "MPJPE (mm)"} <= texts
    assert {"1\n33", "3\n67", "24\n417"} <= texts
    assert "forecast frame, counted from 0; below it, ms at 60 frames a second" in texts
    assert any(text.startswith('Tables label frame 24 "1000 ms", as if there were 25') for text in texts)
    image = pixels(path)
    assert all(count(image, tuple(bytes.fromhex(color[1:]))) > 200 for color in viz.CURVES[:2])


def test_curves_pass_through_the_errors() -> None:
    figure = draw({"": {"a": [1.0, 5.0]}}, [2, 7])
    (axes,) = figure.axes
    (line,) = axes.lines
    assert line.get_xydata().tolist() == [[2.0, 1.0], [7.0, 5.0]]
    assert axes.get_ylim()[0] == 0
    assert "forecast frame, counted from 0" in [text.get_text() for text in figure.texts]


@pytest.mark.parametrize(("unit", "label"), [("mm", "MPJPE (mm)"), ("rad", "angle error (rad)")])
def test_the_axis_says_what_is_measured(unit: str, label: str) -> None:
    assert label in [text.get_text() for text in draw({"": {"a": [1.0]}}, [0], unit).texts]


def test_curves_without_error_can_be_drawn() -> None:
    assert draw({"": {"a": [0.0]}}, [0]).axes[0].get_ylim() == (0, 1)


def test_many_curves_can_be_told_apart_without_colours_too() -> None:
    (axes,) = draw({"": {str(i): [1.0] for i in range(28)}}, [0]).axes
    assert len({(line.get_color(), line.get_linestyle()) for line in axes.lines}) == 28
    assert len({(line.get_marker(), line.get_linestyle()) for line in axes.lines}) == 28


def test_long_protocols_are_wrapped(tmp_path: Path, drawn: Labels) -> None:
    protocol = "cmu test, actions: " + ", ".join(f"action_{i}" for i in range(15))
    viz.error_curve({"a": [1.0]}, tmp_path / "curve.png", frames=[0], protocol=protocol, title="a long title " * 6)
    drawn.check_readable()
    lines = [text for text in drawn.texts if "action_" in text]
    assert len(lines) == 2
    assert " ".join(lines) == protocol


@pytest.mark.parametrize(
    ("results", "frames", "message"),
    [
        ({}, [0], "results: expected the errors of at least one model, got none."),
        ({"a": [1.0, 2.0]}, [3, 1], "frames: expected forecast frames from 0 on, in rising order, got [3, 1]."),
        ({"a": [1.0]}, [0, 1], "results: expected 2 errors of 'a', one a frame, got 1. Pass the frames that they"),
    ],
)
def test_curves_refuse_what_does_not_fit(tmp_path: Path, results: Any, frames: list[int], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        viz.error_curve(results, tmp_path / "curve.png", frames=frames, protocol="none")
    assert not list(tmp_path.iterdir())


# --- results of evaluations ------------------------------------------------------------------------------------------


def test_every_action_and_the_mean_have_a_panel(tmp_path: Path, drawn: Labels, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = []
    original = curves._figure
    monkeypatch.setattr(curves, "_figure", lambda *given: figures.append(original(*given)) or figures[0])
    viz.error_panels({"one": result(), "two": result(2.0)}, tmp_path / "panels.png", title="A title")
    drawn.check_readable()
    headings = [label.text for label in drawn if label.weight == "bold"]
    assert headings == ["A title", *ACTIONS, "mean of 3"]
    panels = [[list(line.get_ydata()) for line in axes.lines] for axes in figures[0].axes]
    assert panels[1] == [[11, 19, 34], [22, 38, 68]]  # eating, the second action
    assert panels[3][0] == pytest.approx([11, 19, 34])  # the middle one of three is their mean
    assert len({axes.get_ylim() for axes in figures[0].axes}) == 1
    assert any(text.startswith("cmu test, windows: all, 10 -> 25 frames, mpjpe_at,") for text in drawn.texts)


@pytest.mark.parametrize(
    ("actions", "expected"), [(["mean"], ["mean of 3"]), (["eating", "walking"], ["eating", "walking"])]
)
def test_panels_are_chosen(tmp_path: Path, drawn: Labels, actions: list[str], expected: list[str]) -> None:
    viz.error_panels({"one": result()}, tmp_path / "panels.png", actions=actions)
    drawn.check_readable()
    assert [label.text for label in drawn if label.weight == "bold"] == expected


@pytest.mark.parametrize(("dataset", "times"), [("cmu", {"1\n33", "24\n417"}), ("own", {"1\n80", "24\n1000"})])
def test_times_of_results_are_true(tmp_path: Path, drawn: Labels, dataset: str, times: set[str]) -> None:
    viz.error_panels({"one": result(dataset=dataset)}, tmp_path / "panels.png", actions=["mean"])
    drawn.check_readable()
    assert times <= set(drawn.texts)
    assert any(text.startswith("Tables label frame 24") for text in drawn.texts) == (dataset == "cmu")


def test_one_action_needs_no_mean(tmp_path: Path, drawn: Labels) -> None:
    viz.error_panels({"one": result(actions=("walking",))}, tmp_path / "panels.png")
    assert [label.text for label in drawn if label.weight == "bold"] == ["walking"]


def test_many_panels_can_be_read(tmp_path: Path, drawn: Labels) -> None:
    actions = tuple(f"an_action_{i}" for i in range(15))
    frames = (1, 3, 7, 9, 13, 24)
    models = {f"a model of some name {i}": result(i, actions, frames=frames) for i in range(9)}
    viz.error_panels(models, tmp_path / "panels.png", title="title " * 30)
    drawn.check_readable()


def test_missing_clips_and_other_observed_frames_are_mentioned(tmp_path: Path, drawn: Labels) -> None:
    some = ACTIONS[:2]
    models = {"one": result(found=some), "two": result(2.0, found=some, observed_frames=50)}
    viz.error_panels(models, tmp_path / "panels.png")
    assert {"observed frames: one 10, two 50", "clips missing, left out of the mean: running"} <= set(drawn.texts)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            result(windows="8", metric="mpjpe_up_to"),
            "results: expected one protocol, but 'b' has windows 8 where 'a' has all; metric mpjpe_up_to where 'a' has "
            "mpjpe_at. Evaluate all models under the same protocol.",
        ),
        (
            result(found=ACTIONS[:2]),
            "'b' has actions ('walking', 'eating') where 'a' has ('walking', 'eating', 'running').",
        ),
        (result(frames=(1, 9)), "'b' has frames (1, 9) where 'a' has (1, 9, 24)."),
    ],
)
def test_results_of_different_protocols_are_refused(tmp_path: Path, other: Result, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        viz.error_panels({"a": result(), "b": other}, tmp_path / "panels.png")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("results", "actions", "error", "message"),
    [
        ({}, None, ConfigError, "results: expected that of at least one model, got none."),
        (
            {"a": result()},
            ["waking"],
            UnknownNameError,
            "unknown action of the results 'waking'. Did you",
        ),
        (
            {"a": result(frames=(9, 1))},
            None,
            ConfigError,
            "frames: expected forecast frames from 0 on, in rising order",
        ),
    ],
)
def test_panels_refuse_what_cannot_be_drawn(
    tmp_path: Path, results: Any, actions: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        viz.error_panels(results, tmp_path / "panels.png", actions=actions)
    assert not list(tmp_path.iterdir())
