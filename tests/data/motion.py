"""Small motion files and clips that tests make up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from posegraph.data import Clip
from posegraph.skeleton import presets
from posegraph.skeleton.skeleton import Skeleton

ARM = Skeleton(
    "arm",
    ("shoulder", "elbow", "wrist"),
    (-1, 0, 1),
    offsets=((0.0, 0.0, 0.0), (300.0, 0.0, 0.0), (250.0, 0.0, 0.0)),
    constant=("shoulder",),
)


def random_angles(frames: int, joints: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(frames, 3 + 3 * joints)).astype(np.float32)


def write_angles(path: Path, angles: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savetxt(path, angles, delimiter=",", fmt="%.9g")
    return path


def numbered_clip(frames: int, name: str = "clip", action: str = "wave", first: float = 0.0, fps: float = 60.0) -> Clip:
    """A clip of ARM whose frame f has the coordinates ``first + f`` everywhere."""
    poses = (first + torch.arange(float(frames)))[:, None, None].expand(-1, 3, 3).clone()
    return Clip(poses, ARM, fps, action, name)


def still_clip(skeleton: str, frames: int, name: str = "clip", action: str = "walking") -> Clip:
    s = presets.get(skeleton)
    return Clip(torch.zeros(frames, s.num_joints, 3), s, s.fps or 25.0, action, name)
