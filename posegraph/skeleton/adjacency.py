"""Skeleton graphs as matrices: adjacency, hop distances, normalisation, coarser bones."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from posegraph._support.checks import check_choice
from posegraph.errors import ShapeError
from posegraph.skeleton.grouping import JointGrouping

__all__ = ["bone_adjacency", "coarsen_bones", "hop_distances", "node_adjacency", "normalize"]

Bones = Iterable[tuple[int, int]]


def bone_adjacency(bones: Bones, num_joints: int, *, self_loops: bool = False) -> torch.Tensor:
    """The symmetric 0/1 matrix of an undirected bone list.

    Args:
        bones: Pairs of joint indices.
        num_joints: Number of joints.
        self_loops: Put ones on the diagonal.

    Returns:
        Matrix ``(num_joints, num_joints)``.

    Examples:
        >>> from posegraph.skeleton import bone_adjacency
        >>> bone_adjacency([(0, 1)], 2, self_loops=True).tolist()
        [[1.0, 1.0], [1.0, 1.0]]
    """
    adjacency = torch.eye(num_joints) if self_loops else torch.zeros(num_joints, num_joints)
    for i, j in bones:
        adjacency[i, j] = adjacency[j, i] = 1.0
    return adjacency


def hop_distances(adjacency: torch.Tensor) -> torch.Tensor:
    """Number of bones on the shortest path between joints; ``inf`` where there is none.

    Args:
        adjacency: Matrix ``(joints, joints)``; any non-zero entry is a bone.

    Returns:
        Matrix ``(joints, joints)`` of float hop counts.
    """
    _check_square(adjacency)
    reach = torch.eye(len(adjacency), dtype=torch.bool)
    step = (adjacency != 0).float()
    hops = torch.full(adjacency.shape, float("inf"))
    hops[reach] = 0.0
    for hop in range(1, len(adjacency)):
        reach = (reach.float() @ step > 0) & hops.isinf()
        hops[reach] = float(hop)
    return hops


def normalize(adjacency: torch.Tensor, method: str = "symmetric") -> torch.Tensor:
    r"""Normalise by node degrees; nodes of degree zero stay zero.

    Args:
        adjacency: Matrix ``(nodes, nodes)`` of non-negative weights.
        method: ``"symmetric"`` $D^{-1/2} A D^{-1/2}$, ``"rows"`` $D^{-1} A$, or ``"columns"`` $A D^{-1}$.

    Returns:
        Matrix ``(nodes, nodes)``.

    Raises:
        ConfigError: Unknown method.

    Examples:
        >>> from posegraph.skeleton import bone_adjacency, normalize
        >>> normalize(bone_adjacency([(0, 1)], 2, self_loops=True), "rows").tolist()
        [[0.5, 0.5], [0.5, 0.5]]
    """
    check_choice("method", method, ("symmetric", "rows", "columns"))
    _check_square(adjacency)
    if method == "symmetric":
        scale = _inverse(adjacency.sum(1).sqrt())
        return scale[:, None] * adjacency * scale
    if method == "rows":
        return _inverse(adjacency.sum(1))[:, None] * adjacency
    return adjacency * _inverse(adjacency.sum(0))


def node_adjacency(bones: Bones, num_joints: int, num_axes: int = 3) -> torch.Tensor:
    """The symmetrically normalised skeleton graph over joint coordinates.

    Nodes are joint coordinates, node = ``num_axes * joint + axis``. Two nodes are connected if their joints are the
    same or share a bone, whatever their axes, since a rotation mixes the axes.

    Args:
        bones: Pairs of joint indices.
        num_joints: Number of joints.
        num_axes: Coordinates of a joint.

    Returns:
        Matrix ``(num_axes * num_joints, num_axes * num_joints)``.
    """
    joints = bone_adjacency(bones, num_joints, self_loops=True)
    return normalize(torch.kron(joints, torch.ones(num_axes, num_axes)))


def coarsen_bones(bones: Bones, grouping: JointGrouping) -> tuple[tuple[int, int], ...]:
    """The bones between groups: two groups are connected if a bone joins them or they share a joint.

    Args:
        bones: Pairs of fine joint indices.
        grouping: Fine to coarse.

    Returns:
        Pairs of coarse joint indices, each once with the smaller index first, sorted.

    Examples:
        >>> from posegraph.skeleton import coarsen_bones
        >>> from posegraph.skeleton import JointGrouping
        >>> coarsen_bones([(0, 1), (1, 2)], JointGrouping(((0, 1), (2,)), 3))
        ((0, 1),)
    """
    groups_of: list[list[int]] = [[] for _ in range(grouping.num_joints)]
    for i, group in enumerate(grouping.groups):
        for joint in group:
            groups_of[joint].append(i)
    links = [*bones, *((joint, joint) for joint in grouping.shared)]
    pairs = {(min(p, q), max(p, q)) for a, b in links for p in groups_of[a] for q in groups_of[b] if p != q}
    return tuple(sorted(pairs))


def _inverse(degree: torch.Tensor) -> torch.Tensor:
    return torch.where(degree > 0, 1 / degree, torch.zeros_like(degree))


def _check_square(adjacency: torch.Tensor) -> None:
    if adjacency.ndim != 2 or adjacency.shape[0] != adjacency.shape[1]:
        raise ShapeError("adjacency", "(nodes, nodes)", tuple(adjacency.shape), "Pass a square matrix.")
