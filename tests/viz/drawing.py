"""Motion to draw, and what can be seen in a picture of it."""

from __future__ import annotations

import dataclasses
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image

from posegraph import viz
from posegraph.skeleton import presets
from posegraph.skeleton.kinematics import forward_kinematics

CMU = presets.get("cmu")
ANGLES = presets.get("cmu-angles")
RGB = {name: tuple(bytes.fromhex(color[1:])) for name, color in {**viz.SIDES, "observed": viz.OBSERVED}.items()}
TRUTH = tuple(bytes.fromhex(viz.TRUTH[1:]))


def rotations(frames: int, sway: float = 0.6) -> torch.Tensor:
    """Every joint of a body swings about the x axis."""
    angles = torch.zeros(frames, 38, 3)
    angles[:, :, 0] = sway * torch.sin(torch.arange(frames) / 3.0).unsqueeze(1)
    return angles


def motion(frames: int, sway: float = 0.6) -> torch.Tensor:
    """The positions of the same body."""
    return forward_kinematics(rotations(frames, sway), CMU)


def pixels(path: Path) -> np.ndarray:
    """A picture, ``(height, width, 3)``."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def count(image: np.ndarray, color: tuple[int, ...]) -> int:
    """Pixels of a colour."""
    return int((image == color).all(axis=-1).sum())


def where(image: np.ndarray, color: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of a colour."""
    rows, columns = np.nonzero((image == color).all(axis=-1))
    return rows, columns


class Label(NamedTuple):
    """A text in a picture: box (left, bottom, right, top) and picture (width, height) in its dots."""

    text: str
    box: np.ndarray
    picture: tuple[float, float]
    size: float  # pixels, once the picture is 800 pixels wide
    weight: str


class Labels(list[Label]):
    """All texts of a picture."""

    @property
    def texts(self) -> list[str]:
        return [label.text for label in self]

    def check_readable(self) -> None:
        """Require that no text is cut off, small, or covers another."""
        for label in self:
            left, bottom, right, top = label.box
            inside = left >= 0 and bottom >= 0 and right <= label.picture[0] and top <= label.picture[1]
            assert inside, f"{label.text!r} is cut off"
            assert label.size >= 8, f"{label.text!r} is {label.size:.1f} pixels high"
        for one, other in combinations(self, 2):
            apart = (one.box[:2] >= other.box[2:]).any() or (other.box[:2] >= one.box[2:]).any()
            assert apart, f"{one.text!r} and {other.text!r} cover each other"


def split_drawing(arguments: dict[str, Any]) -> dict[str, Any]:
    """Arguments of a picture of poses, those of its `Drawing` put into one."""
    names = [field.name for field in dataclasses.fields(viz.Drawing)]
    own = {name: arguments.pop(name) for name in names if name in arguments}
    return {**arguments, "drawing": viz.Drawing(**own)} if own else arguments
