"""The text format of the field's benchmarks: one frame a line, exponential maps of all joints.

A line holds numbers without a header: three for the root's translation, then three for each joint in the skeleton's
order, separated by commas, semicolons, tabs or spaces. Blank lines and lines that begin with ``#`` are passed over. A
file may be gzip-compressed. It does not say its frame rate or skeleton: the reader has to be told.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
import torch

from posegraph._support.cache import load_array, store_array
from posegraph._support.files import read_content
from posegraph.data.clip import Clip
from posegraph.data.formats import ReadOptions, register
from posegraph.data.resample import millimetres
from posegraph.errors import DataError
from posegraph.skeleton.kinematics import forward_kinematics
from posegraph.skeleton.root import RootMotion
from posegraph.skeleton.rotations import rotation_from_exponential_map
from posegraph.skeleton.skeleton import Skeleton

__all__ = ["parse_expmap", "read", "read_poses"]

_FORMAT_VERSION = 2  # part of every cache key: raise it when the same file would give other positions
_LARGEST = float(np.finfo(np.float32).max)
_LARGEST_ANGLE = 4 * np.pi
"""In radians. An exponential map needs no more than pi; exporters leave it above two now and then."""
_SEPARATORS = re.compile(r"[;\t ]+")
_FORTRAN = re.compile(r"(?<=[0-9.])[dD](?=[-+0-9])")


@register(
    "expmap",
    suffixes=(".txt",),
    summary="Text of the field's benchmarks: root translation and exponential maps; says neither fps nor skeleton.",
)
def read(path: Path, options: ReadOptions) -> Clip:
    """Read a clip; ``skeleton`` and ``fps`` have to be given, and ``unit`` for the way of the root.

    Raises:
        DataError: One of them is missing, the file cannot be read, or a line of it cannot be used.
        SkeletonError: The skeleton has no offsets.
    """
    if options.skeleton is None or options.fps is None:
        absent = " and ".join(name for name in ("skeleton", "fps") if getattr(options, name) is None)
        raise DataError(
            f"{path}: expected {absent} beside the file, which does not say it, got none. As in skeleton='cmu', "
            "fps=120; or read the folder of a benchmark with posegraph.data.load."
        )
    scale = None if options.unit is None else millimetres(options.unit)
    poses, root = read_poses(path, options.skeleton, root_scale=scale or 1.0)
    return Clip(
        poses,
        options.skeleton,
        options.fps,
        name=path.name.split(".")[0],
        source=str(path),
        root=None if scale is None else root,
        notes=() if scale else ("The root's way is left out: the file does not say its unit. Pass unit=.",),
    )


def read_poses(path: str | Path, skeleton: Skeleton, *, root_scale: float = 1.0) -> tuple[torch.Tensor, RootMotion]:
    """Poses and root of every frame of an exponential-map file, through the cache.

    Args:
        path: Text file, or the same gzip-compressed with the suffix ``.gz``.
        skeleton: Says what to read: the rotations themselves, or the positions that they lead to by its parents and
            offsets.
        root_scale: Unit of the file's translations in that of the skeleton.

    Returns:
        Poses ``(frames, joints, 3)`` at the file's own rate. Positions are root-centred and without heading, as
        `posegraph.skeleton.forward_kinematics` makes them by default; rotations are those of the file, the root's
        included. And the way of the root, which turns and moves the positions into the world.

    Raises:
        DataError: The file cannot be read, or a line of it cannot be used.
        SkeletonError: Positions are asked for, but the skeleton has no offsets.
    """
    path = Path(path)
    content = read_content(path)
    key = _cache_key(content, skeleton)
    cached = load_array(key)
    if cached is not None and _usable(cached, skeleton):
        rows = torch.from_numpy(cached)
    else:
        values = torch.from_numpy(parse_expmap(content, skeleton.num_joints, path)).unflatten(1, (-1, 3))
        angles = values[:, 1:]
        poses = angles if skeleton.holds == "rotations" else forward_kinematics(angles, skeleton)
        rows = torch.cat([poses, values[:, :1], angles[:, skeleton.root, None]], dim=1)
        store_array(key, rows.numpy())
    translation, turn = rows[:, -2] * root_scale, rows[:, -1]
    return rows[:, :-2].contiguous(), RootMotion(translation, rotation_from_exponential_map(turn))


def parse_expmap(content: bytes, num_joints: int, source: str | Path) -> np.ndarray:
    """Numbers of an exponential-map file.

    Args:
        content: The text.
        num_joints: Number of joints.
        source: Name of the file, for messages.

    Returns:
        Array ``(frames, 3 + 3 * num_joints)``, float32.

    Raises:
        DataError: The text is empty, or a line does not hold ``3 + 3 * num_joints`` finite numbers, or one of them is
            no angle in radians. The message names file and line.

    Examples:
        >>> from posegraph.data.formats.expmap import parse_expmap
        >>> parse_expmap(b"0,0,0,0.1,0,0", 1, "walk.txt").shape
        (1, 6)
    """
    columns = 3 + 3 * num_joints
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise DataError(
            f"{source}: expected lines of comma-separated numbers, got bytes that are no text. "
            "Compressed files need the suffix .gz; other formats must be converted."
        ) from None
    numbered = [(number, line.strip()) for number, line in enumerate(lines, start=1)]
    numbered = [(number, line) for number, line in numbered if line and not line.startswith("#")]
    if not numbered:
        raise DataError(f"{source}: expected one frame a line, got an empty file. Fetch the file again.")
    values = None
    if b"_" not in content:  # Python would read 1_0 as ten
        try:
            values = np.loadtxt([line for _, line in numbered], delimiter=",", dtype=np.float32, comments=None, ndmin=2)
        except ValueError:
            values = None
    fits = values is not None and values.shape == (len(numbered), columns) and bool(np.isfinite(values).all())
    if values is None or not fits or np.abs(values[:, 3:]).max(initial=0.0) > _LARGEST_ANGLE:
        return _parse_line_by_line(numbered, num_joints, source)
    return values


def _parse_line_by_line(lines: list[tuple[int, str]], num_joints: int, source: str | Path) -> np.ndarray:
    """As `parse_expmap`, a hundred times slower: it knows other separators, and which line is at fault."""
    columns = 3 + 3 * num_joints
    values = np.empty((len(lines), columns), dtype=np.float32)
    for row, (number, line) in enumerate(lines):
        fields = _fields(line)
        if len(fields) != columns:
            raise DataError(
                f"{source}, line {number}: expected {columns} comma-separated numbers (3 for the root and 3 for each "
                f"of {num_joints} joints), got {len(fields)}. If every line is like this, the file belongs to another "
                "skeleton; if only some are, fetch the file again."
            )
        for column, text in enumerate(fields):
            value = _to_float(text)
            if not abs(value) <= _LARGEST:
                raise DataError(
                    f"{source}, line {number}: expected a finite number in column {column + 1}, got {text.strip()!r}. "
                    f"{_remedy(row, text)}"
                )
            if column >= 3 and abs(value) > _LARGEST_ANGLE:
                raise DataError(
                    f"{source}, line {number}: expected an angle in radians in column {column + 1}, got "
                    f"{text.strip()!r}. Convert degrees to radians; if only this number is so large, the line is "
                    "damaged: fetch the file again."
                )
            values[row, column] = value
    return values


def _fields(line: str) -> list[str]:
    """The numbers of a line, whatever separates them."""
    if ";" in line:  # a comma may then be the decimal point
        line = line.replace(",", ".")
    if "," not in line:
        line = _SEPARATORS.sub(",", line)
    fields = [_FORTRAN.sub("e", field) for field in line.split(",")]
    return fields[:-1] if len(fields) > 1 and not fields[-1].strip() else fields


def _remedy(row: int, text: str) -> str:
    if row == 0 and re.search("[a-zA-Z]", text) and text.strip().lower() not in ("nan", "inf", "-inf"):
        return "If it is a header, remove this line."
    return "Fetch the file again, or correct the line."


def _to_float(text: str) -> float:
    if "_" in text:
        return float("nan")
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _cache_key(content: bytes, skeleton: Skeleton) -> str:
    digest = hashlib.blake2b(content, digest_size=16)
    if skeleton.holds == "rotations":
        digest.update(repr((_FORMAT_VERSION, skeleton.num_joints, skeleton.root)).encode())
        return f"rotations-{digest.hexdigest()}"
    digest.update(repr((_FORMAT_VERSION, skeleton.parents, skeleton.offsets)).encode())
    return f"positions-{digest.hexdigest()}"


def _usable(cached: np.ndarray, skeleton: Skeleton) -> bool:
    fits = cached.ndim == 3 and cached.shape[0] > 0 and cached.shape[1:] == (skeleton.num_joints + 2, 3)
    return fits and cached.dtype == np.float32 and bool(np.isfinite(cached).all())
