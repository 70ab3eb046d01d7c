"""Whether poses can be what a model was trained on: of its size, about its root, with its axis up.

A network answers anything. Metres in place of millimetres, positions in the world in place of those relative to the
root, or another axis up give forecasts that are wrong by metres and look like any other. What a model was trained on is
in its record (`posegraph.data.summary`), so such poses can be told from right ones, and are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from posegraph._support.units import MILLIMETRES
from posegraph.data.resample import turn_to_up
from posegraph.errors import DataError
from posegraph.skeleton.skeleton import Skeleton

__all__ = ["PosesSeen"]

_SMALLEST, _LARGEST = 0.4, 2.5  # of the mean size; the poses of a person stay within 0.7 and 1.3
_OFF_ROOT = 0.15  # of the mean size: how far the root may be from where it was in training
_TURNED = 0.15  # how much more alike to the mean pose another axis up may make a pose
_Y_FROM_X, _Y_FROM_Z = turn_to_up("x").numpy(), turn_to_up("z").numpy()
_TURNS = {"x": _Y_FROM_X, "-x": _Y_FROM_X.T, "z": _Y_FROM_Z, "-z": _Y_FROM_Z.T}
"""v @ M takes a pose with this axis up to one with y up."""


class PosesSeen:
    """The poses that a model was trained on, for comparison with those that it is given.

    Args:
        summary: What `posegraph.data.summary.summarize` said of the training clips.
        skeleton: The model's skeleton.

    Examples:
        >>> from posegraph import data
        >>> from posegraph.data.summary import summarize
        >>> from posegraph.forecast.plausible import PosesSeen
        >>> clips = data.load("cmu", "samples")
        >>> seen = PosesSeen(summarize(clips.clips["train"]), clips.skeleton)
        >>> pose = clips.clips["test"][0].poses[30:31].numpy()
        >>> seen.check(pose)
        >>> seen.check(pose / 1000)  # doctest: +IGNORE_EXCEPTION_DETAIL
        Traceback (most recent call last):
        posegraph.errors.DataError: poses: expected a body of about 680 mm ...
    """

    def __init__(self, summary: Mapping[str, Any], skeleton: Skeleton) -> None:
        self._skeleton, self._size, self._used = skeleton, float(summary["size"]), np.array(skeleton.used)
        mean = np.array(summary["mean"], dtype=np.float32)
        self._root = mean[skeleton.root]
        self._root_is_fixed = skeleton.joint_names[skeleton.root] in skeleton.constant
        # Likeness to the mean pose, as it is and with each other axis up: one product for all.
        own = mean[self._used]
        self._probes = np.stack([own.ravel(), *((own @ turn.T).ravel() for turn in _TURNS.values())], axis=1)
        self._probes /= max(float(np.linalg.norm(own)), 1e-9)

    def check(self, poses: np.ndarray) -> None:
        """Refuse poses ``(batch, joints, 3)``, all joints, that cannot be like those of the training.

        Raises:
            DataError: They are not; the message says what they look like and what to do.
        """
        used = poses[:, self._used].reshape(len(poses), -1)
        lengths = np.sqrt(np.einsum("bi,bi->b", used, used))
        ratio = lengths / (self._size * len(self._used) ** 0.5)
        if self._root_is_fixed:
            self._check_root(poses)
        if not _SMALLEST <= ratio.min() <= ratio.max() <= _LARGEST:
            raise DataError(self._wrong_size(float(ratio.min() if ratio.min() < _SMALLEST else ratio.max())))
        likeness = (used @ self._probes) / lengths[:, None]
        gain = (likeness[:, 1:] - likeness[:, :1]).min(axis=0)
        if gain.max() > _TURNED:
            axis = list(_TURNS)[int(gain.argmax())]
            raise DataError(
                f"poses: expected the axis {self._skeleton.up!r} to point up, as in training, got a body that lies on "
                f"its side and would stand if {axis} pointed up. Pass up={axis.strip('-')!r}, or turn the poses."
            )

    def _check_root(self, poses: np.ndarray) -> None:
        """Positions in the world have the right size only about their own root."""
        root = poses[:, self._skeleton.root]
        away = float(np.abs(root - self._root).max())
        if away <= _OFF_ROOT * self._size:
            return
        centred = (poses - root[:, None] + self._root)[:, self._used]
        size = float(np.sqrt(np.square(centred).sum(-1).mean()) / self._size)
        if _SMALLEST < size < _LARGEST:
            name = self._skeleton.joint_names[self._skeleton.root]
            raise DataError(
                f"poses: expected positions relative to the root {name!r}, got the root {away:.0f} mm away from its "
                "place. They look like positions in the world: subtract the root's position from all joints and turn "
                "the body back to its heading; the readers of posegraph.data.formats do both."
            )

    def _wrong_size(self, ratio: float) -> str:
        size = self._size * ratio
        fitting = [unit for unit, own in MILLIMETRES.items() if _SMALLEST <= ratio * own <= _LARGEST and unit != "mm"]
        remedy = (
            f"They look like {fitting[0]}: pass unit={fitting[0]!r}." if fitting else "Convert them to millimetres."
        )
        return (
            f"poses: expected a body of about {self._size:.0f} mm from the root to its joints, as in training, got one "
            f"of {size:.3g}. {remedy}"
        )
