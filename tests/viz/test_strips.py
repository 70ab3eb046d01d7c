from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from posegraph import viz
from posegraph.errors import ConfigError, DataError, ShapeError, UnknownNameError
from tests.viz.drawing import ANGLES, CMU, RGB, TRUTH, Labels, count, motion, pixels, rotations, split_drawing

# --- one forecast ----------------------------------------------------------------------------------------------------


def test_the_strip_shows_the_chosen_frames(tmp_path: Path, drawn: Labels) -> None:
    path = viz.pose_strip(
        motion(4),
        motion(5),
        motion(5, 0.2),
        skeleton=CMU,
        path=tmp_path / "new" / "strip.png",
        frames=[1, 4],
        drawing=viz.Drawing(fps=60, label_fps=25, title="A title"),
    )
    drawn.check_readable()
    assert {"A title", "last observed", "+2 frames\n33 ms", "+5 frames\n83 ms", "truth"} <= set(drawn.texts)
    image = pixels(path)[170:-80]  # without text
    third = image.shape[1] // 3
    assert count(image[:, :third], RGB["observed"]) > 500
    assert count(image[:, third:], RGB["observed"]) == 0
    for part in (image[:, third : 2 * third], image[:, 2 * third :]):
        assert all(count(part, color) > 200 for color in (RGB["left"], RGB["right"], RGB["centre"], TRUTH))


def test_the_strip_spreads_its_frames(tmp_path: Path, drawn: Labels) -> None:
    viz.pose_strip(motion(1), motion(25), skeleton=CMU, path=tmp_path / "strip.png")
    assert [text for text in drawn.texts if text.startswith("+")] == [f"+{n} frames" for n in (5, 10, 15, 20, 25)]
    assert "truth" not in drawn.texts


# --- several forecasts -----------------------------------------------------------------------------------------------


def compare(path: Path, **changes: Any) -> Path:
    arguments: dict[str, Any] = {
        "forecasts": {"first": motion(6, 0.1), "second": motion(6, 0.5)},
        "truth": motion(6, 0.45),
        "skeleton": CMU,
        "path": path,
        "window": "cmu test, walking_1",
        **changes,
    }
    return viz.compare_strips(arguments.pop("forecasts"), arguments.pop("truth"), **split_drawing(arguments))


def rows(image: np.ndarray, count: int, drawn: Labels) -> list[np.ndarray]:
    """The part of a picture beside each row's name."""
    middles = [len(image) - label.box[[1, 3]].mean() for label in drawn if label.weight == "bold" and label.box[0] < 50]
    height = (middles[-1] - middles[-count]) / (count - 1)
    return [image[round(middle - height / 2) : round(middle + height / 2), 260:] for middle in middles[-count:]]


def test_truth_stands_above_the_models(tmp_path: Path, drawn: Labels) -> None:
    image = pixels(compare(tmp_path / "new" / "strips.png"))
    truth, *models = rows(image, 3, drawn)
    assert count(truth, TRUTH) > 2000
    assert not any(count(truth, RGB[side]) for side in viz.SIDES)
    for row in models:
        assert all(count(row, RGB[side]) > 500 for side in viz.SIDES)
        assert count(row, TRUTH) > 500
    assert {"truth", "first", "second"} <= set(drawn.texts)


def test_errors_stand_below_and_the_lowest_is_bold(tmp_path: Path, drawn: Labels) -> None:
    truth = motion(2)
    shift = torch.zeros(2, 38, 3)
    shift[0, :19, 0], shift[1, :19, 0] = 100.0, 20.0  # half of the 38 joints
    forecasts = {"near": truth + 0.5 * shift, "far": truth - shift}
    compare(tmp_path / "a.png", truth=truth, forecasts=forecasts, frames=[0, 1])
    errors = {label.text: label.weight for label in drawn if re.fullmatch(r"[\d.]+ mm", label.text)}
    assert errors == {"25.0 mm": "bold", "50.0 mm": "normal", "5.0 mm": "bold", "10.0 mm": "normal"}


def test_a_single_model_is_not_called_the_best(tmp_path: Path, drawn: Labels) -> None:
    compare(tmp_path / "a.png", forecasts={"only": motion(6)})
    assert {label.weight for label in drawn if re.fullmatch(r"[\d.]+ mm", label.text)} == {"normal"}


def test_what_the_errors_hold_for_is_said(tmp_path: Path, drawn: Labels) -> None:
    compare(tmp_path / "a.png", fps=60, title="A title")
    assert "cmu test, walking_1; mean error of this window's 38 joints at the frame, in mm" in drawn.texts
    assert {"A title", "+2 frames\n33 ms", "+6 frames\n100 ms"} <= set(drawn.texts)


@pytest.mark.parametrize("frames", [[0], [0, 2, 5], list(range(8))])
def test_texts_can_be_read(tmp_path: Path, drawn: Labels, frames: list[int]) -> None:
    names = ("zero-velocity", "msrgcn-released-short", "a model with a long name", "4")
    forecasts = dict.fromkeys(names, 3 * motion(25))
    compare(tmp_path / "a.png", forecasts=forecasts, truth=motion(25), fps=60, title="A title", frames=frames)
    drawn.check_readable()


def test_rotations_look_like_their_positions(tmp_path: Path) -> None:
    turned = {"forecasts": {"first": rotations(6, 0.1), "second": rotations(6, 0.5)}, "truth": rotations(6, 0.45)}
    one, other = compare(tmp_path / "r.png", **turned, skeleton=ANGLES), compare(tmp_path / "p.png")
    assert (pixels(one) != pixels(other)).mean() < 1e-3


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"forecasts": {}}, ConfigError, "forecasts: expected those of at least one model, got none."),
        ({"frames": [6]}, ConfigError, "frames: expected forecast frames in 0..5, got [6]."),
        ({"fps": 0}, ConfigError, "fps: expected frames a second above 0, got 0."),
        ({"head": "Haed"}, UnknownNameError, "unknown joint 'Haed'. Did you mean 'Head'?"),
        ({"truth": torch.full((6, 38, 3), torch.inf)}, DataError, "truth: expected finite positions, got NaN or"),
        (
            {"forecasts": {"mine": motion(5)}},
            ShapeError,
            "forecast of 'mine': expected the shape of truth, (6, 38, 3), got (5, 38, 3). Compare forecasts of the "
            "same frames; cut the longer ones.",
        ),
        ({"forecasts": {"mine": torch.zeros(6, 25, 3)}}, ShapeError, "forecast of 'mine': expected (frames, 38 joints"),
    ],
)
def test_what_cannot_be_compared_leaves_no_file(
    tmp_path: Path, changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        compare(tmp_path / "strips.png", **changes)
    assert not list(tmp_path.iterdir())
