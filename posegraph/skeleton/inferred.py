"""A skeleton from recorded positions: what never moves, what moves together, which joints mirror each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch

from posegraph._support.checks import check_finite
from posegraph.errors import ConfigError, ShapeError
from posegraph.skeleton.sides import mirrored_pairs
from posegraph.skeleton.skeleton import Skeleton

__all__ = ["infer", "pairs_by_shape"]

_STILL = 1e-4  # a joint is constant, or a copy, within this share of the body's size
_ALIKE = 0.15  # mirrored bones have the same length within this share


def infer(
    positions: object, joint_names: Iterable[str], parents: object, *, tolerance: float | None = None, **fields: Any
) -> Skeleton:
    """Find constant joints, copies, mirrored pairs and offsets in recorded positions.

    Constant joints never move relative to the root, copies always sit on another joint: models need neither. Mirrored
    pairs are found by names; where no name tells a side, by the shape of the body: two parts of the tree with bones of
    the same lengths, on either side of the joint that they hang on. Offsets are those of the median pose, with the
    median length of each bone.

    Args:
        positions: Positions ``(frames, joints, 3)`` of all joints, as an array or a tensor. Copies and constant joints
            need enough motion to tell them from others: a few seconds in which everything moves.
        joint_names: Name of every joint.
        parents: As in `posegraph.skeleton.Skeleton.from_parents`.
        tolerance: Largest distance, in the unit of the positions, at which a joint counts as still or as a copy; by
            default a ten-thousandth of the body's size. Positions of pose estimators shake more than that: nothing is
            still in them.
        **fields: Fields of the skeleton, such as ``name``, ``fps``, ``unit`` or ``origin``; they take precedence over
            what is found.

    Returns:
        The skeleton.

    Raises:
        ShapeError: The positions do not have such a shape.
        DataError: A position is not finite.
        ConfigError: The tolerance is not above 0.
        SkeletonError: As in `posegraph.skeleton.Skeleton.from_parents`.

    Examples:
        >>> import torch
        >>> from posegraph.skeleton import infer
        >>> positions = torch.zeros(2, 4, 3)
        >>> positions[:, 1, 1] = 90.0
        >>> positions[:, 2:] = torch.tensor([[[100.0, 0.0, 0.0]], [[0.0, 100.0, 0.0]]])
        >>> arm = infer(positions, ("hip", "shoulder", "hand", "grip"), (-1, 0, 1, 2))
        >>> arm.constant, dict(arm.duplicates)
        (('hip', 'shoulder'), {'grip': 'hand'})
    """
    bare = Skeleton.from_parents(joint_names, parents, mirrored=fields.get("mirrored", ()))
    x = _as_positions(positions, bare.num_joints)
    origins = [bare.index(name) for name in fields.get("origin", ())] or [bare.root]
    x = x - x[:, origins].mean(axis=1, keepdims=True)
    size = float(np.ptp(x[0], axis=0).max()) if tolerance is None else 0.0
    limit = _STILL * size if tolerance is None else float(tolerance)
    if tolerance is not None and not limit > 0:
        raise ConfigError(f"tolerance: expected a distance above 0, or None, got {tolerance!r}.")
    still = np.linalg.norm(x - x.mean(axis=0), axis=-1).max(axis=0) <= limit
    offsets = _offsets(x, bare)
    lateral = "xyz".index(fields.get("lateral", "x"))
    names = bare.joint_names
    pairs = mirrored_pairs(names)
    if not pairs:
        pairs = tuple((names[left], names[right]) for left, right in pairs_by_shape(bare.parents, offsets, lateral))
    found: dict[str, Any] = {
        "mirrored": pairs,
        "constant": tuple(names[joint] for joint in range(len(names)) if still[joint]),
        "duplicates": {names[copy]: names[source] for copy, source in _copies(x, still, bare, limit).items()},
        "offsets": offsets.tolist(),
    }
    return Skeleton.from_parents(names, bare.parents, **{**found, **fields})


def pairs_by_shape(parents: Sequence[int], offsets: object, lateral: int = 0) -> list[tuple[int, int]]:
    """Mirrored joints by the shape of the tree alone.

    Args:
        parents: Parent of each joint, -1 for the root.
        offsets: Offset of each joint from its parent, ``(joints, 3)``.
        lateral: Axis that points to the left: of two mirrored parts, the one further along it is the left one.

    Returns:
        Pairs (left joint, right joint), in the order of the left joints.

    Examples:
        >>> from posegraph.skeleton.inferred import pairs_by_shape
        >>> pairs_by_shape([-1, 0, 0, 0], [[0, 0, 0], [-90, 0, 0], [0, 200, 0], [90, 0, 0]])
        [(3, 1)]
    """
    vectors = np.asarray(offsets, dtype=float)
    lengths = np.linalg.norm(vectors, axis=-1)
    children: list[list[int]] = [[] for _ in parents]
    for joint, parent in enumerate(parents):
        if parent >= 0:
            children[parent].append(joint)
    reach = lengths.max()

    def matches(one: int, other: int) -> list[tuple[int, int]] | None:
        """Pairs of the two parts below, or None if their shapes differ."""
        close = abs(lengths[one] - lengths[other]) <= _ALIKE * max(lengths[one], lengths[other]) + 0.01 * reach
        if not close or len(children[one]) != len(children[other]):
            return None
        found, free = [(one, other)], list(children[other])
        for child in children[one]:
            fits = [(abs(lengths[child] - lengths[mate]), mate, matches(child, mate)) for mate in free]
            fits = [fit for fit in fits if fit[2] is not None]
            if not fits:
                return None
            _, mate, below = min(fits, key=lambda fit: fit[0])
            found += below or []
            free.remove(mate)
        return found

    def side(joint: int) -> float:
        """How far a part is to the left of the joint it hangs on."""
        far = [0.0]
        queue = [(joint, 0.0)]
        while queue:
            at, start = queue.pop()
            far.append(start + float(vectors[at, lateral]))
            queue += [(child, far[-1]) for child in children[at]]
        return sum(far)

    pairs: list[tuple[int, int]] = []
    queue = [parents.index(-1)]
    while queue:
        free = sorted(children[queue.pop()], key=side)
        while free:
            left = free.pop()
            mates = [joint for joint in free if side(joint) < 0 < side(left) or side(joint) < 0.5 * side(left)]
            fits = [(joint, found) for joint in mates if (found := matches(left, joint))]
            if fits:
                right, found = min(fits, key=lambda fit: abs(side(fit[0]) + side(left)))
                free.remove(right)
                pairs += found
            else:
                queue.append(left)
    return sorted(pairs)


def _copies(x: np.ndarray, still: np.ndarray, skeleton: Skeleton, limit: float) -> dict[int, int]:
    """Joints that always sit on another one, and that joint: the first of the tree."""
    sources: list[int] = []
    copies: dict[int, int] = {}
    depth = {skeleton.root: 0}
    for joint in skeleton.order[1:]:
        depth[joint] = depth[skeleton.parents[joint]] + 1
    for joint in sorted(skeleton.order, key=lambda joint: (depth[joint], joint)):
        if still[joint]:
            continue
        same = (s for s in sources if np.linalg.norm(x[:, s] - x[:, joint], axis=-1).max() <= limit)
        source = next(same, None)
        if source is None:
            sources.append(joint)
        else:
            copies[joint] = source
    return dict(sorted(copies.items()))


def _offsets(x: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    offsets = np.zeros((skeleton.num_joints, 3))
    for parent, child in skeleton.bones:
        bones = x[:, child] - x[:, parent]
        middle = np.median(bones, axis=0)
        length = float(np.linalg.norm(middle))
        if length > 0:
            offsets[child] = middle / length * np.median(np.linalg.norm(bones, axis=-1))
    return offsets


def _as_positions(values: object, joints: int) -> np.ndarray:
    x = values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)
    if x.ndim != 3 or x.shape[1:] != (joints, 3) or len(x) == 0 or x.dtype.kind not in "fiu":
        raise ShapeError(
            "positions",
            f"(frames, {joints} joints, 3)",
            tuple(x.shape) if x.dtype.kind in "fiu" else f"{x.dtype} {x.shape}",
            "Pass the numbers of all frames, one joint a name.",
        )
    x = x.astype(np.float64)
    check_finite("positions", torch.from_numpy(x))
    return x
