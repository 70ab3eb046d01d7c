"""CSV: one line of names, then one frame a line.

The names are ``JOINT_x``, ``JOINT_y``, ``JOINT_z`` (or with a point, a colon or a space in place of the underscore, in
either case), in any order; columns ``frame`` and ``time`` (seconds) may be there too. Separators are commas, semicolons
or tabs; with the latter two, decimal commas are taken. An empty field, ``nan`` or ``null`` is a joint that was not
seen.

    time,Hips_x,Hips_y,Hips_z,Head_x,Head_y,Head_z
    0.00,12.1,903.2,-4.0,14.8,1601.9,2.2
    0.01,12.3,903.5,-3.1,14.9,1602.0,2.9

Positions are in the world. The frame rate is that of the column ``time``, or told.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from posegraph._support.files import read_content
from posegraph.data.clip import Clip
from posegraph.data.formats import ReadOptions, register
from posegraph.data.formats._points import clip_of_points
from posegraph.data.formats._text import LARGEST_NUMBERS, decode, to_floats
from posegraph.errors import DataError

__all__ = ["read"]

_COLUMN = re.compile(r"^(.+?)[_.: ]?([XYZxyz])$")
_NOT_SEEN = ("", "nan", "null", "none", "na")


@register("csv", suffixes=(".csv", ".tsv"), summary="Table of joint positions: JOINT_x, JOINT_y, JOINT_z, time.")
def read(path: Path, options: ReadOptions) -> Clip:
    """Read a clip; see the module for the layout.

    Raises:
        ConfigError: A unit, axis or frame rate is not among those known.
        DataError: The file cannot be used; the message names file, line and remedy.
    """
    lines = decode(read_content(path), path, "a table of joint positions").splitlines()
    rows = [(number, line) for number, line in enumerate(lines, start=1) if line.strip() and line[0] != "#"]
    if len(rows) < 2:
        raise DataError(
            f"{path}: expected a line of names and one line a frame, got {len(rows)} lines. Export it again."
        )
    head_line, head = rows[0]
    separator = max("\t;,", key=head.count)
    names = [field.strip().strip('"') for field in head.split(separator)]
    if len(rows) * len(names) > LARGEST_NUMBERS:
        raise DataError(f"{path}: expected at most {LARGEST_NUMBERS:,} numbers, got more. Cut the file into pieces.")
    joints, columns, time = _columns(names, path, head_line)
    values = np.empty((len(rows) - 1, len(names)))
    for row, (number, line) in enumerate(rows[1:]):
        fields = [field.strip().strip('"') for field in line.split(separator)]
        if len(fields) != len(names):
            raise DataError(
                f"{path}, line {number}: expected {len(names)} fields separated by {separator!r}, as in line "
                f"{head_line}, got {len(fields)}. Export the table again."
            )
        if separator != ",":
            fields = [field.replace(",", ".") for field in fields]
        filled = ["nan" if field.lower() in _NOT_SEEN else field for field in fields]
        values[row] = to_floats(filled, path, number, "Leave the field empty if the joint was not seen.")
    fps = None if time is None else _rate(values[:, time], path)
    return clip_of_points(values[:, columns].reshape(len(values), len(joints), 3), joints, fps, path, options)


def _columns(names: list[str], path: Path, line: int) -> tuple[list[str], list[int], int | None]:
    """Joints, the column of each coordinate, and the column of times."""
    found: dict[str, dict[str, int]] = {}
    time: int | None = None
    for column, name in enumerate(names):
        if name.lower() in ("time", "time_s", "seconds", "t"):
            time = column
        elif name.lower() not in ("frame", "frames", "index", ""):
            match = _COLUMN.match(name)
            if match is None or match[2].lower() in found.setdefault(match[1], {}):
                raise DataError(
                    f"{path}, line {line}: expected names such as Hips_x, each once, and time or frame, got "
                    f"{name[:40]!r} in column {column + 1}. Rename or remove the column."
                )
            found[match[1]][match[2].lower()] = column
    for joint, own in found.items():
        if len(own) != 3:
            raise DataError(
                f"{path}, line {line}: expected {joint}_x, {joint}_y and {joint}_z, got {', '.join(own)}. Name all."
            )
    if not found:
        raise DataError(
            f"{path}, line {line}: expected names such as Hips_x, got none. The first line names the columns."
        )
    return list(found), [own[axis] for own in found.values() for axis in "xyz"], time


def _rate(times: np.ndarray, path: Path) -> float | None:
    """Frames a second of a column of seconds; its steps have to be equal."""
    if len(times) < 2:
        return None
    steps = np.diff(times)
    step = float((times[-1] - times[0]) / len(steps))
    if not step > 0 or not np.isfinite(steps).all() or float(np.abs(steps - step).max()) > 0.5 * step:
        raise DataError(
            f"{path}: expected times in seconds at equal steps, got steps from {steps.min():g} to {steps.max():g}. "
            "Resample the table, or rename the column and pass fps=..."
        )
    whole = round(1 / step)
    return float(whole) if whole and abs(1 / step - whole) < 1e-3 * whole else 1 / step
