"""C3D: the binary format of motion-capture systems; its markers, with those not seen as gaps.

Needs the package ezc3d (``pip install 'posegraph[c3d]'``). Rate, unit and labels are those of the file's parameters.
The axis that points up is z, as in most laboratories, unless markers named as head and feet show another, or it is
told.
"""

from __future__ import annotations

import struct
import tempfile
from pathlib import Path
from typing import Any, cast

import numpy as np

from posegraph._support.checks import import_optional
from posegraph._support.files import read_content
from posegraph.data.clip import Clip
from posegraph.data.formats import ReadOptions, register
from posegraph.data.formats._points import clip_of_points
from posegraph.data.resample import MILLIMETRES, Unit
from posegraph.errors import DataError

__all__ = ["read"]


@register("c3d", suffixes=(".c3d",), summary="C3D: markers of motion-capture systems; needs ezc3d.")
def read(path: Path, options: ReadOptions) -> Clip:
    """Read a clip; see the module.

    Raises:
        ConfigError: A unit, axis or frame rate is not among those known.
        DataError: The file cannot be used; the message names the file and what to do.
        MissingDependencyError: ezc3d is not installed.
    """
    ezc3d: Any = import_optional("ezc3d", extra="c3d", purpose="reading C3D files")
    content = read_content(path)
    _check_header(content, path)
    try:
        with tempfile.TemporaryDirectory() as folder:  # ezc3d reads files only, and none that is compressed
            plain = Path(folder) / "motion.c3d"
            plain.write_bytes(content)
            file = ezc3d.c3d(str(plain))
        group = file["parameters"]["POINT"]
        points = np.asarray(file["data"]["points"], dtype=np.float64)[:3].transpose(2, 1, 0)
        labels = [str(label).strip() for label in group.get("LABELS", {}).get("value", [])][: points.shape[1]]
        units = [str(unit).strip().lower() for unit in group.get("UNITS", {}).get("value", [])]
        fps = float(group["RATE"]["value"][0])
    except Exception as error:  # ezc3d raises what its C++ throws, of no common type
        raise DataError(
            f"{path}: expected a C3D file, got one that ezc3d cannot read ({str(error).strip()[:200]}). Export it anew."
        ) from error
    labels += [f"point_{index}" for index in range(len(labels), points.shape[1])]
    unit = units[0] if units and units[0] in MILLIMETRES else None
    names = [label or f"point_{index}" for index, label in enumerate(labels)]
    return clip_of_points(points, names, fps, path, options, unit=cast("Unit | None", unit), usual_up="z")


def _check_header(content: bytes, path: Path) -> None:
    """Refuse a file that claims more than it holds, before anything is allocated for it."""
    if len(content) < 1024 or content[1] != 0x50:
        raise DataError(f"{path}: expected a C3D file, got {len(content)} bytes that are none. Export it again.")
    start = (content[0] - 1) * 512
    processor = content[start + 3] if start > 0 and start + 3 < len(content) else 0
    order = ">" if processor == 86 else "<"  # 84 Intel, 85 DEC, 86 SGI
    points, analog, first, last = struct.unpack(f"{order}4H", content[2:10])
    frames = last - first + 1
    width = 4 if content[12:16] != b"\0" * 4 and _is_negative(content[12:16], processor) else 2
    if frames < 1 or (frames < 65535 and frames * (points * 4 + analog) * width > len(content)):
        raise DataError(
            f"{path}: expected the {frames} frames of {points} points that its header claims, got {len(content)} "
            "bytes, which cannot hold them. If the file was cut off, fetch it again."
        )


def _is_negative(scale: bytes, processor: int) -> bool:
    """Whether the scale factor says that numbers are floating-point ones; the sign is in another byte by processor."""
    sign = {86: 0, 85: 1}.get(processor, 3)
    return bool(scale[sign] & 0x80)
