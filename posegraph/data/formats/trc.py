"""TRC: marker positions of Motion Analysis and OpenSim, as text with tabs.

Line 1 names the type, lines 2 and 3 rates, counts and unit, line 4 the markers, line 5 their axes; then one frame a
line: number, time, three coordinates a marker. Empty fields are markers that were not seen. The axis that points up is
y, as in OpenSim, unless markers named as head and feet show another, or it is told.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np

from posegraph._support.files import read_content
from posegraph._support.units import MILLIMETRES, Unit
from posegraph.data.clip import Clip
from posegraph.data.formats import ReadOptions, register
from posegraph.data.formats._points import clip_of_points
from posegraph.data.formats._text import LARGEST_NUMBERS, decode, to_floats
from posegraph.errors import DataError

__all__ = ["read"]


@register("trc", suffixes=(".trc",), summary="TRC: markers of Motion Analysis and OpenSim.")
def read(path: Path, options: ReadOptions) -> Clip:
    """Read a clip; see the module for the layout.

    Raises:
        ConfigError: A unit, axis or frame rate is not among those known.
        DataError: The file cannot be used; the message names file, line and remedy.
    """
    lines = decode(read_content(path), path, "a TRC file").splitlines()
    if len(lines) < 6 or not lines[0].lower().startswith("pathfiletype"):
        raise DataError(
            f"{path}, line 1: expected a TRC file, which begins with PathFileType, got {lines[:1]}. Export it again."
        )
    head = dict(zip((key.lower() for key in lines[1].split()), lines[2].split(), strict=False))
    names = [name.strip() for name in lines[3].split("\t")[2:] if name.strip()]
    (fps,) = to_floats([head.get("datarate", "nan")], path, 3)
    claimed_frames, claimed_markers = (_count(head, key, path) for key in ("numframes", "nummarkers"))
    if claimed_markers not in (None, len(names)):
        raise DataError(
            f"{path}, line 4: expected {claimed_markers} markers, as line 3 says, got {len(names)}. Export it again."
        )
    unit = head.get("units", "").lower()
    rows = [(number, line) for number, line in enumerate(lines[5:], start=6) if line.strip()]
    if claimed_frames not in (None, len(rows)):
        raise DataError(
            f"{path}, line 3: expected {claimed_frames} frames as this line says, got {len(rows)}. If the file was cut "
            "off, fetch it again; else correct the line."
        )
    width = 2 + 3 * len(names)
    if len(rows) * width > LARGEST_NUMBERS:
        raise DataError(f"{path}: expected at most {LARGEST_NUMBERS:,} numbers, got more. Cut the file into pieces.")
    values = np.empty((len(rows), width))
    for row, (number, line) in enumerate(rows):
        fields = [field.strip() for field in line.rstrip("\r\n").split("\t")] if "\t" in line else line.split()
        fields = fields[: max(width, len(fields) - fields.count(""))]  # tabs may end the line
        fields += [""] * (width - len(fields) if "\t" in line and len(fields) >= 2 else 0)
        if len(fields) != width:
            raise DataError(
                f"{path}, line {number}: expected {width} fields (frame, time, and 3 for each of {len(names)} "
                f"markers), got {len(fields)}. Export it again."
            )
        values[row] = to_floats([field.replace(",", ".") or "nan" for field in fields], path, number)
    points = values[:, 2:].reshape(len(rows), len(names), 3)
    known = cast("Unit", unit) if unit in MILLIMETRES else None
    return clip_of_points(points, names, None if np.isnan(fps) else fps, path, options, unit=known)


def _count(head: dict[str, str], key: str, path: Path) -> int | None:
    if key not in head:
        return None
    if not head[key].isdecimal():
        raise DataError(f"{path}, line 3: expected a number under {key}, got {head[key][:40]!r}. Correct the line.")
    return int(head[key][:12])
