"""BVH: a hierarchy of joints with offsets, then rotation angles of every joint, one frame a line.

What the reader takes, beside the usual:

* rotations in any order, joint by joint, and fewer than three; position channels on any joint;
* end sites, as joints named ``PARENT_Site`` (a further one ``PARENT_Site2``);
* CRLF, a byte-order mark, tabs, decimal commas, brackets on the same line, names with spaces;
* a frame time printed with few digits: the whole frame rate that it is printed from, as 30 for 0.033.

The root's position is its offset plus its channels. Position channels of another joint take the place of its offset if
that is what they hold, within a tenth of its length in most frames, and are added to it if not; the clip's notes say
which.

A file does not say its unit or which axis points up; both are guessed, noted, and can be told (``unit``, ``up``).
`posegraph.data.formats.write` writes centimetres, y up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from posegraph._support.files import read_content
from posegraph.data import gaps
from posegraph.data.clip import Clip
from posegraph.data.formats import ReadOptions, register
from posegraph.data.formats._body import Motion, choose_fps, clip_of, refuse_absurd
from posegraph.data.formats._bvh_parser import BvhFile, parse
from posegraph.data.formats._bvh_writer import write
from posegraph.data.formats._hierarchy import Turn, apply_turns, pose
from posegraph.data.formats._joints import unique_names
from posegraph.errors import DataError

__all__ = ["read", "write"]


@register(
    "bvh", suffixes=(".bvh",), summary="BVH: hierarchy and joint angles; says neither unit nor axis.", write=write
)
def read(path: Path, options: ReadOptions) -> Clip:
    """Read a clip; see the module for what is taken.

    Raises:
        ConfigError: A unit, axis or frame rate is not among those known.
        DataError: The file cannot be used; the message names file, line and remedy.
    """
    file = parse(read_content(path), path)
    notes: list[str] = []
    told = options.fps
    fps = choose_fps(file.fps, told, path, line=file.fps_line)
    if told is not None and told != file.fps:
        said = "does not say its frame rate" if file.fps is None else f"says {file.fps:.6g} frames a second"
        notes.append(f"The file {said}; it was read at {fps:g}, as told.")
    if len(file.values) == 0:
        raise DataError(f"{path}, line {file.first_line}: expected frames, got none. Export the motion again.")
    bad = ~np.isfinite(file.values)
    refuse_absurd(file.values[~bad], path)
    offsets = np.array([node.offset for node in file.nodes], dtype=np.float64)
    if bad.any() and options.gaps == "refuse":
        raise _gap_error(file, bad, path)
    file = replace(file, values=np.where(bad, np.nan, file.values)) if bad.any() else file
    turns = [file.turns(joint) for joint in range(len(file.nodes))]
    shifts = _shifts(file, offsets, notes)
    if bad.any():
        _fill(file, bad, turns, shifts, options, fps, path, notes)
    poses, root_rotations = pose([node.parent for node in file.nodes], offsets, turns, shifts, len(file.values))
    motion = Motion(
        names=unique_names([node.name for node in file.nodes], notes),
        parents=[node.parent for node in file.nodes],
        poses=poses,
        root_positions=shifts.get(0, np.tile(offsets[0], (len(file.values), 1))),
        fps=fps,
        root_rotations=root_rotations,
        offsets=np.where(np.arange(len(offsets))[:, None] == 0, 0.0, offsets),
        notes=notes,
    )
    return clip_of(motion, path, options)


def _shifts(file: BvhFile, offsets: np.ndarray, notes: list[str]) -> dict[int, np.ndarray]:
    """Offsets of joints that have position channels, frame by frame."""
    shifts: dict[int, np.ndarray] = {}
    instead: list[str] = []
    added: list[str] = []
    for joint, node in enumerate(file.nodes):
        columns = file.columns(joint, rotations=False)
        if not columns:
            continue
        moved = np.zeros((len(file.values), 3))
        for axis, column in columns:
            moved[:, axis] = file.values[:, column]
        shifts[joint] = moved + offsets[joint]
        if joint > 0:
            length = float(np.linalg.norm(offsets[joint]))
            away = np.linalg.norm(moved - offsets[joint], axis=1)
            replaces = len(columns) == 3 and length > 0 and float(np.nanmedian(away)) < 0.1 * length
            if replaces:
                shifts[joint] = moved
            (instead if replaces else added).append(node.name)
    if instead:
        notes.append(f"Position channels take the place of offsets: {_some(instead)}.")
    if added:
        notes.append(f"Position channels are added to offsets: {_some(added)}.")
    return shifts


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _gap_error(file: BvhFile, bad: np.ndarray, path: Path) -> DataError:
    row, column = (int(index) for index in np.argwhere(bad)[0])
    return DataError(
        f"{path}, frame {row} (line {file.first_line + row} or later): expected finite numbers, got "
        f"{file.values[row, column]} in column {column + 1}; {int(bad.any(1).sum())} of {len(bad)} frames have such. "
        f"Pass gaps='linear' or gaps='hold' to fill gaps of up to {gaps.LONGEST_GAP} s."
    )


def _fill(
    file: BvhFile,
    bad: np.ndarray,
    turns: list[list[Turn]],
    shifts: dict[int, np.ndarray],
    options: ReadOptions,
    fps: float,
    path: Path,
    notes: list[str],
) -> None:
    """Fill what is no number, in ``turns`` and ``shifts``."""
    identity = np.eye(3)[:, :, None]
    for joint, node in enumerate(file.nodes):
        rotation, position = ([c for _, c in file.columns(joint, rotations=kind)] for kind in (True, False))
        for columns, rotates in ((rotation, True), (position, False)):
            missing = np.asarray(bad[:, columns].any(axis=1))[:, None]
            if not missing.any():
                continue
            values = apply_turns(turns[joint], identity).transpose(2, 0, 1) if rotates else shifts[joint]
            values = np.where(missing.reshape(-1, *[1] * (values.ndim - 1)), 0.0, values)[:, None]
            filled, note = gaps.fill(values, missing, options.gaps, fps=fps, names=[node.name], source=path)
            notes.append(note)
            if rotates:
                turns[joint] = [filled[:, 0].transpose(1, 2, 0)]
            else:
                shifts[joint] = filled[:, 0]
