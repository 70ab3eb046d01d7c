"""AMASS: joint angles of the body models SMPL-H, SMPL-X and SMPL, in ``.npz`` files.

| array | content |
|---|---|
| ``poses`` | ``(frames, 3 * joints)``, axis times angle; the first 22 joints are the body's |
| ``trans`` | ``(frames, 3)`` in metres |
| ``mocap_framerate`` or ``mocap_frame_rate`` | frames a second |

The body models themselves may not be handed on, so the shape in the file (``betas``) is not used: joints are those of
`BODY`, a stated default of ordinary proportions. Angles are exact; bone lengths are not the subject's.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import torch

from posegraph.data import gaps
from posegraph.data.clip import Clip
from posegraph.data.formats import ReadOptions, register
from posegraph.data.formats._body import Motion, choose_fps, clip_of
from posegraph.data.formats._hierarchy import Turn, pose
from posegraph.data.formats.npz import read_arrays
from posegraph.errors import DataError
from posegraph.skeleton.rotations import rotation_from_exponential_map

__all__ = ["BODY", "read", "recognise"]

BODY: tuple[tuple[str, int, tuple[float, float, float]], ...] = (
    ("pelvis", -1, (0, 0, 0)),
    ("left_hip", 0, (65, -85, -10)),
    ("right_hip", 0, (-65, -85, -10)),
    ("spine1", 0, (0, 115, -25)),
    ("left_knee", 1, (40, -385, 0)),
    ("right_knee", 2, (-40, -385, 0)),
    ("spine2", 3, (0, 135, 0)),
    ("left_ankle", 4, (-15, -410, -40)),
    ("right_ankle", 5, (15, -410, -40)),
    ("spine3", 6, (0, 55, 25)),
    ("left_foot", 7, (40, -60, 120)),
    ("right_foot", 8, (-40, -60, 120)),
    ("neck", 9, (0, 215, -35)),
    ("left_collar", 9, (75, 115, -20)),
    ("right_collar", 9, (-75, 115, -20)),
    ("head", 12, (0, 85, 50)),
    ("left_shoulder", 13, (115, 45, -15)),
    ("right_shoulder", 14, (-115, 45, -15)),
    ("left_elbow", 16, (260, -15, -25)),
    ("right_elbow", 17, (-260, -15, -25)),
    ("left_wrist", 18, (255, 10, 0)),
    ("right_wrist", 19, (-255, 10, 0)),
)
"""The default body: joint, parent, offset from the parent in mm, y up, left on positive x, arms to the sides.

Rounded measures of an adult of 1.7 m, of our own making; the joints are those of SMPL."""
_LARGEST_ANGLE = 100.0


def recognise(path: Path) -> bool:
    """Whether an ``.npz`` file has the arrays of AMASS."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return False
    return {"poses.npy", "trans.npy"} <= names and "skeleton.npy" not in names


@register("amass", suffixes=(".npz",), summary="AMASS: SMPL-H/X joint angles, on a default body.", recognise=recognise)
def read(path: Path, options: ReadOptions) -> Clip:
    """Read a clip; see the module.

    Raises:
        ConfigError: A unit, axis or frame rate is not among those known.
        DataError: Arrays are missing, of other shapes, or damaged.
    """
    arrays = read_arrays(path)
    absent = [name for name in ("poses", "trans") if name not in arrays]
    if absent:
        raise DataError(
            f"{path}: expected arrays poses and trans, got no {' and no '.join(absent)}. Files of SMPL shapes alone "
            "hold no motion."
        )
    angles, places = (arrays[name] for name in ("poses", "trans"))
    joints = len(BODY)
    fits = angles.ndim == 2 and angles.shape[1] >= 3 * joints and angles.shape[1] % 3 == 0
    if not fits or places.shape != (len(angles), 3) or angles.dtype.kind != "f" or places.dtype.kind != "f":
        raise DataError(
            f"{path}: expected poses (frames, 3 * joints) of at least {joints} joints and trans (frames, 3), got "
            f"{angles.shape} {angles.dtype} and {places.shape} {places.dtype}. Fetch the file again."
        )
    if len(angles) == 0:
        raise DataError(f"{path}: expected frames, got none. Fetch the file again.")
    names = [name for name, _, _ in BODY]
    stated = next((arrays[key] for key in ("mocap_framerate", "mocap_frame_rate") if key in arrays), None)
    fps = choose_fps(_number(stated), options.fps, path)
    turns = torch.from_numpy(angles[:, : 3 * joints].astype(np.float64)).unflatten(1, (joints, 3))
    bad = (~torch.isfinite(turns)).any(-1).numpy()
    lost = np.asarray((~np.isfinite(places)).any(-1))[:, None]
    turns = torch.where(torch.from_numpy(bad)[..., None], 0.0, turns)
    if float(turns.abs().max()) > _LARGEST_ANGLE:
        raise DataError(f"{path}: expected angles in radians, got {float(turns.abs().max()):.3g}. Convert degrees.")
    # Rows are multiplied from the left, so they take the transposed matrices.
    matrices, note = gaps.fill(
        rotation_from_exponential_map(turns).mT.numpy(), bad, options.gaps, fps=fps, names=names, source=path
    )
    moved, lost_note = gaps.fill(
        places.astype(np.float64)[:, None], lost, options.gaps, fps=fps, names=["trans"], source=path
    )
    notes = ["Bone lengths are those of a default body, not the subject's.", *(n for n in (note, lost_note) if n)]
    by_joint: list[list[Turn]] = [[matrices[:, joint].transpose(1, 2, 0)] for joint in range(joints)]
    offsets = np.array([offset for _, _, offset in BODY], dtype=np.float64) / 1000
    parents = [parent for _, parent, _ in BODY]
    poses, root = pose(parents, offsets, by_joint, {}, len(angles))
    motion = Motion(
        names=names,
        parents=parents,
        poses=poses,
        root_positions=moved[:, 0],
        fps=fps,
        root_rotations=root,
        offsets=offsets,
        unit="m",
        up="z",
        notes=notes,
    )
    return clip_of(motion, path, options)


def _number(value: np.ndarray | None) -> float | None:
    return float(value.reshape(-1)[0]) if value is not None and value.size == 1 and value.dtype.kind in "fiu" else None
