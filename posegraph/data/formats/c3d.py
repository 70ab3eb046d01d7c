"""C3D: the binary format of motion-capture systems; its markers, with those not seen as gaps.

Rate, unit and labels are those of the file's parameters; analog channels are passed over. Numbers of Intel, DEC and
MIPS machines are taken, as integers or floating-point ones. The axis that points up is z, as in most laboratories,
unless markers named as head and feet show another, or it is told.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from posegraph._support.files import read_content
from posegraph._support.units import MILLIMETRES, Unit
from posegraph.data.clip import Clip
from posegraph.data.formats import ReadOptions, register
from posegraph.data.formats._points import clip_of_points
from posegraph.data.formats._text import LARGEST_NUMBERS
from posegraph.errors import DataError

__all__ = ["C3dFile", "parse", "read"]

_BLOCK = 512
_MAGIC = 0x50
_LONGEST = 65535
"""Frames that the header can count; longer files say it in the group TRIAL."""
_INTEL, _DEC, _MIPS = 84, 85, 86


@dataclass(frozen=True)
class C3dFile:
    """What a file holds, in its own unit."""

    points: np.ndarray
    """``(frames, markers, 3)`` float64, NaN where a marker was not seen."""
    labels: tuple[str, ...]
    """One a marker."""
    fps: float
    """Frames a second."""
    unit: str
    """In lower case; may be empty."""


@register("c3d", suffixes=(".c3d",), summary="C3D: markers of motion-capture systems.")
def read(path: Path, options: ReadOptions) -> Clip:
    """Read a clip; see the module.

    Raises:
        ConfigError: A unit, axis or frame rate is not among those known.
        DataError: The file cannot be used; the message names the file and what to do.
    """
    file = parse(read_content(path), path)
    unit = cast("Unit", file.unit) if file.unit in MILLIMETRES else None
    fps = file.fps if np.isfinite(file.fps) else None
    return clip_of_points(file.points, file.labels, fps, path, options, unit=unit, usual_up="z")


def parse(content: bytes, source: object) -> C3dFile:
    """What a C3D file holds.

    Args:
        content: The file.
        source: Its name, for messages.

    Raises:
        DataError: It is none, is damaged, or claims more than it holds.
    """
    start = (content[0] - 1) * _BLOCK if content else -1
    if len(content) < 2 * _BLOCK or content[1] != _MAGIC or not 0 < start <= len(content) - _BLOCK:
        raise DataError(f"{source}: expected a C3D file, got {len(content)} bytes that are none. Export it again.")
    processor = content[start + 3]
    if processor not in (_INTEL, _DEC, _MIPS):
        raise DataError(f"{source}: expected a processor of 84, 85 or 86, got {processor}. Export the file again.")
    order = ">" if processor == _MIPS else "<"
    count, analog, first, last = struct.unpack(f"{order}4H", content[2:10])
    (block,) = struct.unpack(f"{order}H", content[16:18])
    scale, rate = (float(_floats(content[at : at + 4], processor)[0]) for at in (12, 20))
    parameters = _parameters(content, start, processor)
    rate = _number(parameters.get("POINT:RATE"), rate)
    scale = _number(parameters.get("POINT:SCALE"), scale)
    frames = last - first + 1
    if last == _LONGEST:  # two 16-bit halves each
        ends = [parameters.get(f"TRIAL:ACTUAL_{end}_FIELD") for end in ("START", "END")]
        whole = [end for end in ends if isinstance(end, np.ndarray) and end.dtype.kind == "i" and len(end) == 2]
        halves = [end.astype(np.int64) & 0xFFFF for end in whole]
        if len(halves) == 2:
            frames = int(halves[1] @ [1, 65536] - halves[0] @ [1, 65536]) + 1
    floating = scale < 0
    width = 4 if floating else 2
    row = 4 * count + analog
    begin = (block - 1) * _BLOCK
    if frames < 1 or count < 1 or frames * row > LARGEST_NUMBERS or begin <= 0 or not np.isfinite(scale) or scale == 0:
        raise DataError(
            f"{source}: expected frames of markers, got a header with {frames} frames of {count} markers, data in "
            f"block {block} and scale {scale:g}. Export the file again."
        )
    if begin + frames * row * width > len(content):
        raise DataError(
            f"{source}: expected the {frames} frames of {count} markers that its header claims, got {len(content)} "
            "bytes, which cannot hold them. If the file was cut off, fetch it again."
        )
    data = content[begin : begin + frames * row * width]
    table = _floats(data, processor) if floating else np.frombuffer(data, f"{order}i2")
    values = table.reshape(frames, row)[:, : 4 * count].reshape(frames, count, 4).astype(np.float64)
    points = values[..., :3] * (1.0 if floating else scale)
    # The fourth number is a residual with a mask of cameras; below zero, the marker was not seen.
    points[(values[..., 3] < 0) | ~np.isfinite(values).all(-1)] = np.nan
    labels = [*_texts(parameters, "POINT:LABELS"), *_texts(parameters, "POINT:LABELS2")][:count]
    labels += [""] * (count - len(labels))
    named = tuple(label or f"marker_{index + 1}" for index, label in enumerate(labels))
    return C3dFile(points, named, rate, next(iter(_texts(parameters, "POINT:UNITS")), "").lower())


def _floats(data: bytes, processor: int) -> np.ndarray:
    if processor == _MIPS:
        return np.frombuffer(data, ">f4")
    if processor == _DEC:  # halves swapped, and an exponent that is two larger
        halves = np.frombuffer(data, "<u2").reshape(-1, 2)[:, ::-1]
        return np.ascontiguousarray(halves).view("<f4").reshape(-1) / np.float32(4)
    return np.frombuffer(data, "<f4")


def _parameters(content: bytes, start: int, processor: int) -> dict[str, np.ndarray | list[str]]:
    """Values by "GROUP:NAME"; what is damaged ends the list."""
    order = ">" if processor == _MIPS else "<"
    groups: dict[int, str] = {}
    found: list[tuple[int, str, np.ndarray | list[str]]] = []
    at = start + 4
    while at + 4 <= len(content):
        length, group = struct.unpack("bb", content[at : at + 2])
        length = abs(length)
        name = content[at + 2 : at + 2 + length].decode("latin-1").upper().strip()
        at += 2 + length
        if length == 0 or group == 0 or at + 2 > len(content):
            break
        (step,) = struct.unpack(f"{order}H", content[at : at + 2])
        if group < 0:
            groups[-group] = name
        else:
            value = _value(content[at + 2 :][: 1 << 17], processor)
            if value is not None:
                found.append((group, name, value))
        if step < 2:
            break
        at += step
    return {f"{groups.get(group, '')}:{name}": value for group, name, value in found}


def _value(data: bytes, processor: int) -> np.ndarray | list[str] | None:
    if len(data) < 2:
        return None
    kind, dimensions = struct.unpack("bB", data[:2])
    sizes = list(data[2 : 2 + dimensions])
    if kind not in (-1, 1, 2, 4) or dimensions > 7 or len(sizes) != dimensions:
        return None
    count = int(np.prod(sizes, dtype=np.int64)) if sizes else 1
    body = data[2 + dimensions :][: count * abs(kind)]
    if len(body) != count * abs(kind):
        return None
    if kind == -1:
        width = sizes[0] if sizes else 1
        pieces = [body[i : i + width] for i in range(0, len(body), width)] if width else []
        return [piece.decode("latin-1").split("\0")[0].strip() for piece in pieces]
    if kind == 4:
        return _floats(body, processor)
    return np.frombuffer(body, np.int8 if kind == 1 else ">i2" if processor == _MIPS else "<i2")


def _number(value: np.ndarray | list[str] | None, otherwise: float) -> float:
    return float(value[0]) if isinstance(value, np.ndarray) and len(value) else otherwise


def _texts(parameters: dict[str, np.ndarray | list[str]], name: str) -> list[str]:
    value = parameters.get(name)
    return value if isinstance(value, list) else []
