"""To and from PyTorch Geometric: skeletons and poses as `Data`, groupings as pooling selections."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import torch

from posegraph._support.checks import check_poses
from posegraph.errors import SkeletonError
from posegraph.skeleton._fields import rooted
from posegraph.skeleton.adjacency import node_adjacency
from posegraph.skeleton.grouping import JointGrouping
from posegraph.skeleton.skeleton import Skeleton

if TYPE_CHECKING:
    from torch_geometric.data import Data
    from torch_geometric.nn.pool.select import SelectOutput

__all__ = [
    "bone_edge_index",
    "grouping_from_select",
    "grouping_to_select",
    "node_edge_index",
    "skeleton_from_data",
    "skeleton_to_data",
]

_ATTRIBUTES = ("name", "joint_names", "parents", "mirrored")  # fields of a skeleton that a graph has as its own


def bone_edge_index(skeleton: Skeleton) -> torch.Tensor:
    """Both directions of every bone as ``edge_index`` ``(2, 2 * bones)``, sorted.

    Examples:
        >>> from posegraph.skeleton import presets
        >>> from posegraph.skeleton import bone_edge_index
        >>> bone_edge_index(presets.get("h36m").reduced).shape
        torch.Size([2, 42])
    """
    edges = sorted([(i, j) for i, j in skeleton.bones] + [(j, i) for i, j in skeleton.bones])
    return torch.tensor(edges, dtype=torch.long).reshape(-1, 2).T.contiguous()


def node_edge_index(bones: Iterable[tuple[int, int]], num_joints: int, num_axes: int = 3) -> torch.Tensor:
    """Edges between joint coordinates, as `posegraph.skeleton.node_adjacency` connects them, without self loops.

    Args:
        bones: Pairs of joint indices.
        num_joints: Number of joints.
        num_axes: Coordinates of a joint.

    Returns:
        ``edge_index`` ``(2, edges)``, both directions.
    """
    graph = node_adjacency(bones, num_joints, num_axes)
    return graph.fill_diagonal_(0).nonzero().T.contiguous()


def skeleton_to_data(skeleton: Skeleton, poses: torch.Tensor | None = None) -> Data:
    """A skeleton, with or without poses, as one graph whose nodes are the joints.

    `skeleton_from_data` makes an equal skeleton of it.

    Args:
        skeleton: The skeleton; for the graph that models see pass ``skeleton.reduced``.
        poses: Poses ``(frames, joints, 3)``.

    Returns:
        `torch_geometric.data.Data` with ``edge_index``, ``parent``, ``joint_names``, ``mirrored``, ``skeleton_name``,
        ``skeleton_fields``, which holds all other fields as JSON, and, with poses, ``pos`` ``(joints, frames, 3)``:
        node first, so that batching concatenates joints.

    Raises:
        ShapeError: The poses do not fit the skeleton.

    Examples:
        >>> from posegraph.skeleton import presets
        >>> from posegraph.skeleton import skeleton_to_data
        >>> data = skeleton_to_data(presets.get("cmu"))
        >>> data.num_nodes, data.num_edges, data.is_undirected()
        (38, 74, True)
    """
    from torch_geometric.data import Data

    data = Data(edge_index=bone_edge_index(skeleton), num_nodes=skeleton.num_joints)
    # `parent`, not `parent_index`: attributes named *index would be shifted when graphs are batched.
    data.parent = torch.tensor(skeleton.parents)
    data.joint_names = list(skeleton.joint_names)
    data.mirrored = [list(pair) for pair in skeleton.mirrored]
    data.skeleton_name = skeleton.name
    fields = {name: value for name, value in skeleton.to_dict().items() if name not in _ATTRIBUTES}
    data.skeleton_fields = json.dumps(fields)
    if poses is not None:
        check_poses(
            "poses",
            poses,
            frames=None,
            joints=skeleton.num_joints,
            batch=False,
            remedy=f"Skeleton {skeleton.name!r} has {skeleton.num_joints} joints.",
        )
        data.pos = poses.transpose(0, 1).contiguous()
    return data


def skeleton_from_data(data: Data, *, name: str | None = None) -> Skeleton:
    """Read a skeleton from a tree-shaped graph.

    Args:
        data: A connected graph without cycles. The attributes that `skeleton_to_data` writes are used where the graph
            has them; without ``parent`` node 0 is the root, and without ``skeleton_fields`` all joints are used.
        name: Name of the skeleton, in place of the graph's.

    Returns:
        The skeleton; for a graph of `skeleton_to_data` an equal one.

    Raises:
        SkeletonError: The graph is not a tree, or its attributes contradict each other.

    Examples:
        >>> from posegraph.skeleton import presets
        >>> from posegraph.skeleton import skeleton_from_data, skeleton_to_data
        >>> cmu = presets.get("cmu")
        >>> skeleton_from_data(skeleton_to_data(cmu)) == cmu
        True
    """
    count = int(data.num_nodes or 0)
    parent = data.get("parent")
    try:
        fields = json.loads(data.get("skeleton_fields") or "{}")
        return Skeleton.from_dict(
            {
                **Skeleton("defaults", ("joint",), (-1,)).to_dict(),
                **fields,
                "name": name or data.get("skeleton_name") or "graph",
                "joint_names": list(data.get("joint_names") or (f"joint{j}" for j in range(count))),
                "parents": _rooted(data, count) if parent is None else torch.as_tensor(parent).tolist(),
                "mirrored": data.get("mirrored") or (),
            }
        )
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, SkeletonError):
            raise
        raise SkeletonError(
            f"graph: expected the attributes that skeleton_to_data writes, got others ({type(error).__name__}: "
            f"{error}). Remove skeleton_fields to read the bones alone."
        ) from error


def _rooted(data: Data, count: int) -> tuple[int, ...]:
    edges: list[list[int]] = [] if data.edge_index is None else data.edge_index.T.tolist()
    return rooted([(i, j) for i, j in edges], count, root=0)


def grouping_to_select(grouping: JointGrouping) -> SelectOutput:
    """A grouping as the selection step of PyTorch Geometric's pooling.

    A joint that several groups share appears once a group. The weights are one over the group's size, so that a
    weighted sum a cluster equals `posegraph.layers.JointPool`.

    Returns:
        `SelectOutput` with ``node_index``, ``cluster_index`` and ``weight`` ``(memberships,)``. Its attributes
        ``group_names`` and ``allow_unused`` let `grouping_from_select` make an equal grouping of it.

    Examples:
        >>> from posegraph.skeleton import presets
        >>> from posegraph.skeleton import grouping_to_select
        >>> (to_12,) = presets.get("h36m").scales(2)
        >>> select = grouping_to_select(to_12)
        >>> select.num_nodes, select.num_clusters
        (22, 12)
    """
    from torch_geometric.nn.pool.select import SelectOutput

    pairs = [(joint, i, 1 / len(group)) for i, group in enumerate(grouping.groups) for joint in group]
    select = SelectOutput(
        node_index=torch.tensor([joint for joint, _, _ in pairs]),
        num_nodes=grouping.num_joints,
        cluster_index=torch.tensor([cluster for _, cluster, _ in pairs]),
        num_clusters=grouping.num_groups,
        weight=torch.tensor([weight for _, _, weight in pairs]),
    )
    vars(select).update(group_names=grouping.names, allow_unused=grouping.allow_unused)
    return select


def grouping_from_select(
    select: SelectOutput, *, names: Sequence[str] | None = None, allow_unused: bool | None = None
) -> JointGrouping:
    """Read a grouping from the selection step of PyTorch Geometric's pooling; weights are ignored.

    Args:
        select: Clusters of nodes.
        names: Names of the groups; by default those that `grouping_to_select` left in the selection, if it is its own.
        allow_unused: Accept nodes in no cluster; by default what `grouping_to_select` left, or False.

    Raises:
        SkeletonError: A cluster is empty, or a node is left out.
    """
    groups: list[list[int]] = [[] for _ in range(select.num_clusters)]
    for joint, cluster in zip(select.node_index.tolist(), select.cluster_index.tolist(), strict=True):
        groups[cluster].append(joint)
    kept: dict[str, Any] = {"group_names": (), "allow_unused": False, **vars(select)}
    return JointGrouping(
        tuple(tuple(group) for group in groups),
        select.num_nodes,
        tuple(kept["group_names"] if names is None else names),
        kept["allow_unused"] if allow_unused is None else allow_unused,
    )
