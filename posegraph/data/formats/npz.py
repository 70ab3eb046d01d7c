"""Clips as ``.npz`` files that `numpy.load` reads without pickle.

| array | content |
|---|---|
| ``poses`` | ``(frames, joints, 3)`` float32, as the skeleton says |
| ``fps`` | frames a second |
| ``skeleton`` | the skeleton as JSON, as `posegraph.skeleton.Skeleton.to_dict` gives it |
| ``root_positions``, ``root_rotations`` | the way of the root, ``(frames, 3)`` and ``(frames, 3, 3)``; may be absent |
| ``action``, ``name``, ``subject`` | texts; may be absent |

A file of others needs ``poses`` alone: fps and skeleton are then said by whoever reads it.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from posegraph._support.files import LARGEST_CONTENT, read_content, replace_file
from posegraph.data.clip import Clip
from posegraph.data.formats import ReadOptions, register
from posegraph.errors import DataError, PosegraphError
from posegraph.skeleton.root import RootMotion
from posegraph.skeleton.skeleton import Skeleton

__all__ = ["read", "read_arrays", "write"]


def write(clip: Clip, path: Path) -> None:
    """Write a clip; see the module for the layout."""
    arrays: dict[str, Any] = {
        "poses": clip.poses.cpu().numpy(),
        "fps": np.array(clip.fps),
        "skeleton": np.array(json.dumps(clip.skeleton.to_dict())),
        **{key: np.array(getattr(clip, key)) for key in ("action", "name", "subject")},
    }
    if clip.root is not None:
        arrays["root_positions"] = clip.root.positions.cpu().numpy()
        if clip.root.rotations is not None:
            arrays["root_rotations"] = clip.root.rotations.cpu().numpy()
    replace_file(path, lambda file: np.savez_compressed(file, **arrays))


@register("npz", suffixes=(".npz",), summary="NumPy arrays: poses, fps, skeleton, root.", write=write)
def read(path: Path, options: ReadOptions) -> Clip:
    """Read a clip; see the module for the layout.

    Raises:
        DataError: The file is damaged, or says neither fps nor skeleton and neither is given.
    """
    arrays = read_arrays(path)
    if "poses" not in arrays:
        raise DataError(f"{path}: expected an array 'poses', got {', '.join(arrays) or 'none'}. Rename the array.")
    skeleton, fps = options.skeleton or _skeleton(arrays, path), options.fps or arrays.get("fps")
    if skeleton is None or fps is None:
        absent = "skeleton" if skeleton is None else "fps"
        raise DataError(f"{path}: expected {absent} in the file or beside it, got none. Pass {absent}=...")
    text = {key: str(arrays.get(key, "")) for key in ("action", "name", "subject")}
    try:
        root = (
            RootMotion(
                torch.from_numpy(arrays["root_positions"]),
                torch.from_numpy(arrays["root_rotations"]) if "root_rotations" in arrays else None,
            )
            if "root_positions" in arrays
            else None
        )
        poses: Any = arrays["poses"]  # a clip takes arrays too
        return Clip(poses, skeleton, float(fps), text["action"], text["name"], str(path), text["subject"], root)
    except (TypeError, ValueError) as error:
        if isinstance(error, PosegraphError):
            raise
        raise DataError(f"{path}: expected numbers, got {error}. Write the file anew.") from error


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """All arrays of an ``.npz`` file, without pickle and within limits.

    Raises:
        DataError: The file is damaged, too large, or holds objects.
    """
    content = read_content(path)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for entry in archive.infolist():
                _check_size(archive, entry, path)
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except PosegraphError:
        raise
    except Exception as error:  # whatever zipfile, zlib and NumPy's own readers raise, which have no common type
        raise DataError(f"{path}: expected NumPy arrays, got a damaged file ({error}). Write it again.") from error


def _check_size(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path) -> None:
    """Require that an array is as large as its file, before memory is taken for it."""
    with archive.open(entry) as file:
        version = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0 if version[0] == 1 else np.lib.format.read_array_header_2_0
        shape, _, dtype = read_header(file)
    size = math.prod(shape) * dtype.itemsize
    if size > min(entry.file_size, LARGEST_CONTENT):
        raise DataError(
            f"{path}: expected arrays of at most {LARGEST_CONTENT >> 20} MB, got one that claims {size} bytes."
        )


def _skeleton(arrays: dict[str, np.ndarray], path: Path) -> Skeleton | None:
    if "skeleton" not in arrays:
        return None
    try:
        return Skeleton.from_dict(json.loads(str(arrays["skeleton"])))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path}: expected a skeleton, got one that cannot be read: {error}. Write it again."
        ) from error
