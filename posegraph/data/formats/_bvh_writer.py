"""Writing BVH: joint positions to a hierarchy with rotations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, get_args

import numpy as np

from posegraph._support.checks import check_choice
from posegraph._support.files import replace_file
from posegraph._support.units import MILLIMETRES, Unit
from posegraph.data.clip import Clip
from posegraph.data.resample import convert
from posegraph.errors import DataError
from posegraph.skeleton.kinematics import to_positions
from posegraph.skeleton.rotations import rotation_from_exponential_map
from posegraph.skeleton.skeleton import Skeleton

__all__ = ["fit_rotations", "write"]

_TINY = 1e-6
"""Bones shorter than this, in mm, have no direction."""
_UNIT = "cm"


def write(clip: Clip, path: Path) -> None:
    """Write a clip as BVH, in centimetres with y up.

    Where a skeleton holds rotations, these are written. Positions become rotations by `fit_rotations`: bones keep the
    lengths of the skeleton's offsets, or their median lengths in the clip where it has none; so what was read from a
    BVH comes back with the same positions, and a forecast, whose bones vary by a few millimetres, as near as bones of
    constant length allow. How a bone turns about itself is not in positions: it is left as in the rest pose.

    Raises:
        DataError: There is no frame, or positions are so large that they are none.
        ConfigError: The clip's unit is not known.
    """
    if clip.num_frames == 0:
        raise DataError(f"{clip.label}: expected frames to write, got none. Read or cut the clip anew.")
    check_choice(f"unit of {clip.label}", clip.unit, get_args(Unit))
    clip = convert(clip, up="y")
    skeleton = clip.skeleton
    order = _depth_first(skeleton)
    parents = [order.index(skeleton.parents[joint]) if joint != skeleton.root else -1 for joint in order]
    scale = MILLIMETRES[clip.unit] / MILLIMETRES[_UNIT]
    if skeleton.holds == "rotations":
        local = rotation_from_exponential_map(clip.poses.double()).numpy()[:, order]
        offsets = np.array(skeleton.offsets or np.zeros((len(order), 3)), dtype=np.float64)[order]
        if clip.root is not None and clip.root.rotations is not None:
            local[:, 0] = clip.root.rotations.double().numpy()
        root = np.zeros((clip.num_frames, 3)) if clip.root is None else clip.root.positions.double().numpy()
    else:
        poses = to_positions(clip.poses, skeleton).double().numpy()[:, order]
        root, turns = poses[:, 0], None
        if clip.root is not None:
            turns = None if clip.root.rotations is None else clip.root.rotations.double().numpy()
            turned = root if turns is None else np.einsum("fi,fij->fj", root, turns)
            root = turned + clip.root.positions.double().numpy()
        centred = poses - poses[:, :1]
        if skeleton.offsets is None:
            offsets = _rest(centred, parents)
        else:
            offsets = np.array(skeleton.offsets, dtype=np.float64)[order]
        world = centred if turns is None else centred @ turns
        rotations = fit_rotations(world, parents, offsets, turns)
        local = _local(rotations, parents)
    names = ["_".join(name.split()) for name in (skeleton.joint_names[joint] for joint in order)]
    sites = [_is_site(joint, names, parents) for joint in range(len(order))]
    head = _hierarchy(names, parents, sites, offsets * scale)
    moving = [joint for joint in range(len(order)) if not sites[joint]]
    values = np.concatenate([root * scale, _angles(local[:, moving]).reshape(len(root), -1)], axis=1)
    head += f"MOTION\nFrames: {len(values)}\nFrame Time: {1 / clip.fps:.12g}\n"

    def save(file: BinaryIO) -> None:
        file.write(head.encode())
        np.savetxt(file, values, fmt="%.7f")

    replace_file(path, save)


def fit_rotations(
    positions: np.ndarray, parents: Sequence[int], offsets: np.ndarray, root: np.ndarray | None = None
) -> np.ndarray:
    """Rotations that bring a body of constant bones to where joints are.

    From the root outwards each joint turns so that its children come as near as they can to where they should be, as
    seen from where the joint itself has come to: by the shortest turn if they lie in one direction, else by least
    squares. Positions that such a body can take are reproduced.

    Args:
        positions: In the world, relative to the root, ``(frames, joints, 3)`` float64.
        parents: Index of each joint's parent, -1 for the root; parents first.
        offsets: From parent to joint in the rest pose, ``(joints, 3)``, in the unit of the positions.
        root: Rotations of the root, ``(frames, 3, 3)``; found like the others if not given.

    Returns:
        Rotations in the world, ``(frames, joints, 3, 3)``, for row vectors: ``offset @ rotation``.
    """
    frames, joints = positions.shape[:2]
    rotations = np.empty((frames, joints, 3, 3))
    reached = np.zeros((frames, joints, 3))
    children: list[list[int]] = [[] for _ in parents]
    for joint, above in enumerate(parents):
        if above >= 0:
            children[above].append(joint)
    for joint, above in enumerate(parents):
        start = np.broadcast_to(np.eye(3), (frames, 3, 3)) if above < 0 else rotations[:, above]
        if above >= 0:
            reached[:, joint] = reached[:, above] + np.einsum("i,fij->fj", offsets[joint], rotations[:, above])
        own = [child for child in children[joint] if np.linalg.norm(offsets[child]) > _TINY]
        if above < 0 and root is not None:
            u, _, v = np.linalg.svd(root)  # exactly a rotation, which float32 is not
            rotations[:, joint] = u @ v
        elif not own:
            rotations[:, joint] = start
        else:
            wanted = positions[:, own] - reached[:, None, joint]
            if np.linalg.matrix_rank(offsets[own], tol=1e-4 * np.abs(offsets[own]).max()) == 1:
                longest = own[int(np.argmax(np.linalg.norm(offsets[own], axis=1)))]
                seen = np.einsum("fi,fji->fj", wanted[:, own.index(longest)], start)  # in the parent's frame
                rotations[:, joint] = _shortest(offsets[longest], seen) @ start
            else:
                rotations[:, joint] = _least_squares(offsets[own], wanted)
    return rotations


def _shortest(rest: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """The shortest turns, for row vectors, that take one direction to others ``(frames, 3)``."""
    a = rest / np.linalg.norm(rest)
    length = np.linalg.norm(seen, axis=1, keepdims=True)
    b = np.where(length > _TINY, seen / np.maximum(length, _TINY), a)
    middle = a + b
    norm = np.linalg.norm(middle, axis=1, keepdims=True)
    across = np.cross(a, np.eye(3)[int(np.abs(a).argmin())])
    opposite = norm < 1e-9
    middle = np.where(opposite, across / np.linalg.norm(across), middle / np.maximum(norm, 1e-9))
    # Half a turn about a, then half a turn about the middle, is the shortest turn; where b is -a, half a turn alone.
    half_a = 2 * np.outer(a, a) - np.eye(3)
    half_middle = 2 * middle[:, :, None] * middle[:, None, :] - np.eye(3)
    return np.where(opposite[:, :, None], half_middle, half_a @ half_middle)


def _least_squares(rest: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Rotations, for row vectors, that take ``(points, 3)`` nearest to ``(frames, points, 3)`` (Kabsch)."""
    u, _, v = np.linalg.svd(np.einsum("pi,fpj->fij", rest, wanted))
    sign = np.linalg.det(u @ v)
    u[:, :, 2] *= np.where(sign < 0, -1.0, 1.0)[:, None]
    return u @ v


def _local(rotations: np.ndarray, parents: Sequence[int]) -> np.ndarray:
    local = rotations.copy()
    for joint, above in enumerate(parents):
        if above >= 0:
            local[:, joint] = rotations[:, joint] @ rotations[:, above].transpose(0, 2, 1)
    return local


def _angles(local: np.ndarray) -> np.ndarray:
    """Angles about z, y and x in degrees, as Zrotation Yrotation Xrotation have them, without jumps of whole turns."""
    turn = local.swapaxes(-1, -2)  # for column vectors: Rz @ Ry @ Rx
    level = np.hypot(turn[..., 0, 0], turn[..., 1, 0])
    y = np.arctan2(-turn[..., 2, 0], level)
    locked = level < 1e-9
    z = np.where(locked, np.arctan2(-turn[..., 0, 1], turn[..., 1, 1]), np.arctan2(turn[..., 1, 0], turn[..., 0, 0]))
    x = np.where(locked, 0.0, np.arctan2(turn[..., 2, 1], turn[..., 2, 2]))
    angles = np.rad2deg(np.stack([z, y, x], axis=-1))
    return np.unwrap(angles, axis=0, period=360.0)


def _rest(poses: np.ndarray, parents: Sequence[int]) -> np.ndarray:
    """Bones as in the first frame, of their median lengths."""
    bones = poses - poses[:, [max(parent, 0) for parent in parents]]
    lengths = np.linalg.norm(bones, axis=-1)
    now = np.maximum(lengths[0], 1e-12)[:, None]
    return bones[0] / now * np.median(lengths, axis=0)[:, None]


def _depth_first(skeleton: Skeleton) -> list[int]:
    children: dict[int, list[int]] = {joint: [] for joint in range(skeleton.num_joints)}
    for joint, above in enumerate(skeleton.parents):
        if above >= 0:
            children[above].append(joint)
    order: list[int] = []
    waiting = [skeleton.root]
    while waiting:
        joint = waiting.pop()
        order.append(joint)
        waiting += reversed(children[joint])
    return order


def _is_site(joint: int, names: Sequence[str], parents: Sequence[int]) -> bool:
    """Whether the name is that which the reader gives to the end site of a joint with no other child."""
    above = parents[joint]
    alone = above >= 0 and list(parents).count(above) == 1 and joint not in parents
    return alone and names[joint] == f"{names[above]}_Site"


def _hierarchy(names: Sequence[str], parents: Sequence[int], sites: Sequence[bool], offsets: np.ndarray) -> str:
    lines = ["HIERARCHY"]
    open_joints: list[int] = []
    for joint, above in enumerate([*parents, -2]):
        while open_joints and open_joints[-1] != above:
            open_joints.pop()
            lines.append("\t" * len(open_joints) + "}")
        if above == -2:
            break
        indent = "\t" * len(open_joints)
        what = "ROOT" if above < 0 else "JOINT"
        lines.append(f"{indent}End Site" if sites[joint] else f"{indent}{what} {names[joint]}")
        offset = np.zeros(3) if above < 0 else offsets[joint]
        lines += [f"{indent}{{", f"{indent}\tOFFSET {' '.join(f'{value:.8f}' for value in offset)}"]
        if not sites[joint]:
            places = "6 Xposition Yposition Zposition" if above < 0 else "3"
            lines.append(f"{indent}\tCHANNELS {places} Zrotation Yrotation Xrotation")
        open_joints.append(joint)
    return "\n".join(lines) + "\n"
