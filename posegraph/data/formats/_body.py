"""From what a file holds to a clip: unit, axes, and what kind of joints its body has."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast, get_args

import numpy as np
import torch

from posegraph._support.checks import check_choice
from posegraph._support.units import MILLIMETRES, Unit
from posegraph.data.clip import Clip
from posegraph.data.formats import ReadOptions
from posegraph.data.formats._joints import left_out, reach
from posegraph.data.resample import Axis, turn_to_up
from posegraph.errors import ConfigError, DataError
from posegraph.skeleton.root import RootMotion
from posegraph.skeleton.sides import mirrored_pairs
from posegraph.skeleton.skeleton import Skeleton

__all__ = ["Motion", "choose_fps", "clip_of", "refuse_absurd"]

_LARGEST = 1e9
"""Of a number in a file, whatever its unit."""
_USUAL_REACH = 2300.0
"""In mm. The longest way along the bones of an adult, from toes to fingertips or to the other toes."""
_HIGH = re.compile(r"head|neck|nose|skull|hd\d?$", re.IGNORECASE)
_LOW = re.compile(r"foot|toe|ankle|heel|_?an[lkr]$", re.IGNORECASE)


@dataclass(frozen=True)
class Motion:
    """What a reader found, in the file's own unit and axes; float64."""

    names: Sequence[str]
    parents: Sequence[int]
    poses: np.ndarray
    """Root-relative, ``(frames, joints, 3)``; without the root's turn if ``root_rotations`` has it."""
    root_positions: np.ndarray
    """``(frames, 3)``."""
    fps: float
    root_rotations: np.ndarray | None = None
    """``(frames, 3, 3)`` for row vectors."""
    offsets: np.ndarray | None = None
    """``(joints, 3)``; None where bones have no rest pose."""
    unit: Unit | None = None
    """None if the file does not say it."""
    up: Axis | None = None
    """None if the file does not say it."""
    usual_up: Axis = "y"
    """What points up in most files of the format, for those that do not show it."""
    notes: list[str] = field(default_factory=list)


def choose_fps(stated: float | None, told: float | None, source: object, *, line: int | None = None) -> float:
    """The frame rate: what the user says, else what the file says.

    Raises:
        ConfigError: The user's is not positive.
        DataError: Neither says one, or the file's is absurd.
    """
    if told is not None:
        if isinstance(told, bool) or not 0 < told < math.inf:
            raise ConfigError(f"fps: expected frames a second above 0, got {told!r}.")
        return float(told)
    if stated is None or not 0.5 <= stated <= 10_000:
        where = f"{source}, line {line}" if line is not None else f"{source}"
        got = "none" if stated is None else f"{stated:g}"
        raise DataError(f"{where}: expected between 0.5 and 10000 frames a second, got {got}. Pass fps=...")
    return stated


def clip_of(motion: Motion, path: Path, options: ReadOptions) -> Clip:
    """A clip in millimetres with y up.

    Args:
        motion: What the file holds.
        path: The file.
        options: What the user says about it; goes before what the file says, and is noted where they differ.

    Raises:
        ConfigError: A unit or an axis is not among those known.
        DataError: The file's unit is not known and cannot be guessed, or it lacks joints of the skeleton given.
    """
    notes = list(motion.notes)
    scale = MILLIMETRES[_unit(motion, options, path, notes)]
    world_up, body_up = _axes(motion, options, notes)
    world, body = turn_to_up(world_up).double().numpy(), turn_to_up(body_up).double().numpy()
    poses = motion.poses if body_up == "y" else motion.poses @ body
    poses = poses * scale
    offsets = None if motion.offsets is None else motion.offsets @ body * scale
    places = motion.root_positions @ world * scale
    turns = None if motion.root_rotations is None else body.T @ motion.root_rotations @ world
    if turns is None:
        notes.append("Poses keep their heading: the file holds no rotation of the root.")
    if poses.size and max(float(np.abs(poses).max()), float(np.abs(places).max())) > 1e8:
        raise DataError(
            f"{path}: expected joints within 100 km, got some farther away. Is the unit right? Pass unit=..."
        )
    skeleton = options.skeleton or _skeleton(path, motion, poses, offsets)
    if options.skeleton is not None:
        poses, places, turns = _selected(poses, places, turns, motion.names, options.skeleton, path)
    return Clip(
        torch.from_numpy(poses.astype(np.float32)),
        skeleton,
        motion.fps,
        name=path.name.split(".")[0],
        source=str(path),
        root=RootMotion(
            torch.from_numpy(places.astype(np.float32)),
            None if turns is None else torch.from_numpy(np.ascontiguousarray(turns, dtype=np.float32)),
        ),
        notes=tuple(notes),
    )


def refuse_absurd(values: np.ndarray, path: Path) -> None:
    """Require that finite numbers are of a size that positions and angles can have; raises `DataError`."""
    largest = float(np.abs(values).max(initial=0.0))
    if largest > _LARGEST:
        raise DataError(f"{path}: expected numbers of at most {_LARGEST:g}, got {largest:g}. Fetch the file again.")


def _unit(motion: Motion, options: ReadOptions, path: Path, notes: list[str]) -> Unit:
    if options.unit is not None:
        check_choice("unit", options.unit, get_args(Unit))
        if motion.unit not in (None, options.unit):
            notes.append(f"The file says its unit is {motion.unit}; it was read as {options.unit}, as told.")
        return cast("Unit", options.unit)
    if motion.unit is not None:
        return motion.unit
    size = reach(motion.poses, motion.parents)
    unit = min(get_args(Unit), key=lambda unit: abs(math.log(max(size, 1e-9) * MILLIMETRES[unit] / _USUAL_REACH)))
    in_metres = size * MILLIMETRES[unit] / 1000
    if not 1.2 <= in_metres <= 4.0:
        raise DataError(
            f"{path}: expected a person, whose longest way along the bones is some 2.3 m, to guess the unit from, got "
            f"{size:.4g}, which fits none of {', '.join(get_args(Unit))}. Pass unit=..."
        )
    notes.append(
        f"The file does not say its unit: {unit}, guessed from a longest way along the bones of {in_metres:.2f} m."
    )
    return unit


def _axes(motion: Motion, options: ReadOptions, notes: list[str]) -> tuple[Axis, Axis]:
    """The axes that point up in the world and in the root's frame."""
    local = _upright(motion.poses, motion.names)
    upright = local
    if motion.root_rotations is not None and len(motion.poses):
        upright = _upright(motion.poses @ motion.root_rotations, motion.names)
    guess = _axis(upright)
    stated = motion.up
    if options.up is not None:
        check_choice("up", options.up, get_args(Axis))
        if stated not in (None, options.up):
            notes.append(f"The file says {stated} points up; it was read with {options.up} up, as told.")
        world: Axis = options.up
    elif stated is not None:
        world = stated
    else:
        world = guess or motion.usual_up
        why = "where the head is above the feet" if guess else "which is usual; nothing in the file shows it"
        notes.append(f"The file does not say which axis points up: {world}, {why}.")
    if upright is not None and upright["xyz".index(world)] < -0.6:
        notes.append(f"The head is below the feet along {world}: look whether the body is upside down.")
    if motion.root_rotations is None:
        return world, world
    return world, _axis(local) or world


def _upright(poses: np.ndarray, names: Sequence[str]) -> np.ndarray | None:
    """Direction from feet to head over all frames, by name; None if there are none."""
    high = [j for j, name in enumerate(names) if _HIGH.search(name)]
    low = [j for j, name in enumerate(names) if _LOW.search(name)]
    if not high or not low or not len(poses):
        return None
    direction = poses[:, high].mean((0, 1)) - poses[:, low].mean((0, 1))
    length = float(np.linalg.norm(direction))
    return direction / length if length > 0 else None


def _axis(direction: np.ndarray | None) -> Axis | None:
    if direction is None or float(np.abs(direction).max()) < 0.8:
        return None
    return cast("Axis", "xyz"[int(np.abs(direction).argmax())])


def _skeleton(path: Path, motion: Motion, poses: np.ndarray, offsets: np.ndarray | None) -> Skeleton:
    names, parents = tuple(motion.names), tuple(motion.parents)
    pairs = mirrored_pairs(names)
    constant, duplicates = left_out(names, parents, poses) if len(poses) else ((), {})
    skeleton = Skeleton(
        path.name.split(".")[0],
        names,
        parents,
        offsets=None if offsets is None else tuple((x, y, z) for x, y, z in offsets.tolist()),
        mirrored=pairs,
        duplicates=duplicates,
        constant=constant,
    )
    if not pairs or not len(poses):
        return skeleton
    rest = poses if offsets is None else skeleton.rest_pose().numpy()[None]
    left, right = ([skeleton.index(pair[side]) for pair in pairs] for side in (0, 1))
    across = np.abs((rest[:, left] - rest[:, right]).mean((0, 1)))
    return replace(skeleton, lateral="z" if across[2] > across[0] else "x")


def _selected(
    poses: np.ndarray,
    places: np.ndarray,
    turns: np.ndarray | None,
    names: Sequence[str],
    skeleton: Skeleton,
    path: Path,
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """The joints of a skeleton by name, relative to its root."""
    absent = [name for name in skeleton.joint_names if name not in names]
    if absent:
        raise DataError(
            f"{path}: expected the joints of skeleton {skeleton.name!r}, got no {', '.join(absent[:5])}"
            f"{', ...' if len(absent) > 5 else ''} among {', '.join(list(names)[:8])}, ... Leave the skeleton out to "
            "read the file's own body."
        )
    poses = poses[:, [list(names).index(name) for name in skeleton.joint_names]]
    root = poses[:, skeleton.root]
    away = root if turns is None else np.einsum("ti,tij->tj", root, turns)
    return poses - root[:, None], places + away, turns
