"""The text format of the field's benchmarks: one frame a line, exponential maps of all joints.

A line holds comma-separated numbers without a header: three for the root's translation, then three for each joint in
the skeleton's order. A file may be gzip-compressed.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from pathlib import Path

import numpy as np
import torch

from posegraph._support.cache import load_array, store_array
from posegraph.errors import DataError
from posegraph.skeleton.kinematics import forward_kinematics
from posegraph.skeleton.skeleton import Skeleton

__all__ = ["parse_expmap", "read_poses"]

_FORMAT_VERSION = 1  # part of every cache key: raise it when the same file would give other positions
_LARGEST = float(np.finfo(np.float32).max)


def read_poses(path: str | Path, skeleton: Skeleton) -> torch.Tensor:
    """Poses of every frame of an exponential-map file, through the cache.

    Args:
        path: Text file, or the same gzip-compressed with the suffix ``.gz``.
        skeleton: Says what to read: the rotations themselves, or the positions that they lead to by its parents and
            offsets.

    Returns:
        Poses ``(frames, joints, 3)`` at the file's own rate, in the skeleton's unit. Positions are root-centred and
        without heading, as `posegraph.skeleton.forward_kinematics` makes them by default; rotations are those of
        the file, the root's included.

    Raises:
        DataError: The file cannot be read, or a line of it cannot be used.
        SkeletonError: Positions are asked for, but the skeleton has no offsets.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}). Check the path and its permissions.") from error
    key = _cache_key(content, skeleton)
    cached = load_array(key)
    if cached is not None and _usable(cached, skeleton):
        return torch.from_numpy(cached)
    values = torch.from_numpy(parse_expmap(_decompress(content, path), skeleton.num_joints, path))
    angles = values[:, 3:].unflatten(1, (-1, 3))
    poses = angles.contiguous() if skeleton.holds == "rotations" else forward_kinematics(angles, skeleton)
    store_array(key, poses.numpy())
    return poses


def parse_expmap(content: bytes, num_joints: int, source: str | Path) -> np.ndarray:
    """Numbers of an exponential-map file.

    Args:
        content: The text.
        num_joints: Number of joints.
        source: Name of the file, for messages.

    Returns:
        Array ``(frames, 3 + 3 * num_joints)``, float32.

    Raises:
        DataError: The text is empty, or a line does not hold ``3 + 3 * num_joints`` finite numbers. The message names
            file and line.

    Examples:
        >>> from posegraph.data.formats.expmap import parse_expmap
        >>> parse_expmap(b"0,0,0,0.1,0,0", 1, "walk.txt").shape
        (1, 6)
    """
    columns = 3 + 3 * num_joints
    try:
        lines = content.decode("ascii").rstrip().splitlines()
    except UnicodeDecodeError:
        raise DataError(
            f"{source}: expected lines of comma-separated numbers, got bytes that are no text. "
            "Compressed files need the suffix .gz; other formats must be converted."
        ) from None
    if not lines:
        raise DataError(f"{source}: expected one frame a line, got an empty file. Fetch the file again.")
    try:
        values = np.loadtxt(lines, delimiter=",", dtype=np.float32, comments=None, ndmin=2)
    except ValueError:
        values = None
    if values is None or values.shape != (len(lines), columns) or not np.isfinite(values).all():
        return _parse_line_by_line(lines, num_joints, source)
    return values


def _parse_line_by_line(lines: list[str], num_joints: int, source: str | Path) -> np.ndarray:
    """As `parse_expmap`, a hundred times slower: it knows which line is at fault."""
    columns = 3 + 3 * num_joints
    values = np.empty((len(lines), columns), dtype=np.float32)
    for number, line in enumerate(lines, start=1):
        fields = line.split(",")
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
                    "Fetch the file again, or correct the line."
                )
            values[number - 1, column] = value
    return values


def _to_float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _decompress(content: bytes, path: Path) -> bytes:
    if path.suffix != ".gz":
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: expected gzip-compressed text, got a damaged file. Fetch it again.") from error


def _cache_key(content: bytes, skeleton: Skeleton) -> str:
    digest = hashlib.blake2b(content, digest_size=16)
    if skeleton.holds == "rotations":
        return f"rotations-{digest.hexdigest()}"
    digest.update(repr((_FORMAT_VERSION, skeleton.parents, skeleton.offsets)).encode())
    return f"positions-{digest.hexdigest()}"


def _usable(cached: np.ndarray, skeleton: Skeleton) -> bool:
    fits = cached.ndim == 3 and cached.shape[0] > 0 and cached.shape[1:] == (skeleton.num_joints, 3)
    return fits and cached.dtype == np.float32 and bool(np.isfinite(cached).all())
