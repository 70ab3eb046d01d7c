"""To and from PyTorch Geometric: skeletons and poses as `Data`, groupings as pooling selections."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch

from posegraph._support.checks import check_poses
from posegraph.errors import SkeletonError
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

    Args:
        skeleton: The skeleton; for the graph that models see pass ``skeleton.reduced``.
        poses: Poses ``(frames, joints, 3)``.

    Returns:
        `torch_geometric.data.Data` with ``edge_index``, ``parent``, ``joint_names``, ``mirrored``, ``skeleton_name``
        and, with poses, ``pos`` ``(joints, frames, 3)``: node first, so that batching concatenates joints.

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
        data: A connected graph without cycles. ``parent``, ``joint_names``, ``mirrored`` and ``skeleton_name`` are
            used if it has them; without ``parent`` node 0 is the root.
        name: Name of the skeleton, in place of the graph's.

    Returns:
        A skeleton whose joints are all used.

    Raises:
        SkeletonError: The graph is not a tree.

    Examples:
        >>> from posegraph.skeleton import presets
        >>> from posegraph.skeleton import skeleton_from_data, skeleton_to_data
        >>> used = presets.get("cmu").reduced
        >>> skeleton_from_data(skeleton_to_data(used)).parents == used.parents
        True
    """
    count = int(data.num_nodes or 0)
    joint_names = tuple(data.get("joint_names") or (f"joint{j}" for j in range(count)))
    parent = data.get("parent")
    parents = _rooted(data, count) if parent is None else tuple(int(p) for p in parent)
    mirrored = tuple((left, right) for left, right in data.get("mirrored") or ())
    return Skeleton(name or data.get("skeleton_name") or "graph", joint_names, parents, mirrored=mirrored)


def _rooted(data: Data, count: int) -> tuple[int, ...]:
    from torch_geometric.utils import remove_self_loops, to_undirected

    edges = torch.empty(2, 0, dtype=torch.long) if data.edge_index is None else data.edge_index
    edge_index = to_undirected(remove_self_loops(edges)[0], num_nodes=count)
    if edge_index.shape[1] != 2 * (count - 1):
        raise SkeletonError(
            f"graph: expected a tree of {count} nodes with {count - 1} undirected edges, got "
            f"{edge_index.shape[1] // 2}. Pass the bones only."
        )
    neighbours: dict[int, list[int]] = {j: [] for j in range(count)}
    for i, j in edge_index.T.tolist():
        neighbours[i].append(j)
    parents = {0: -1}
    queue = [0]
    for joint in queue:  # grows while it is read
        new = [j for j in neighbours[joint] if j not in parents]
        parents.update(dict.fromkeys(new, joint))
        queue += new
    if len(parents) != count:
        raise SkeletonError(f"graph: expected one connected tree of {count} nodes, reached {len(parents)} from node 0.")
    return tuple(parents[j] for j in range(count))


def grouping_to_select(grouping: JointGrouping) -> SelectOutput:
    """A grouping as the selection step of PyTorch Geometric's pooling.

    A joint that several groups share appears once a group. The weights are one over the group's size, so that a
    weighted sum a cluster equals `posegraph.layers.JointPool`.

    Returns:
        `SelectOutput` with ``node_index``, ``cluster_index`` and ``weight`` ``(memberships,)``.

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
    return SelectOutput(
        node_index=torch.tensor([joint for joint, _, _ in pairs]),
        num_nodes=grouping.num_joints,
        cluster_index=torch.tensor([cluster for _, cluster, _ in pairs]),
        num_clusters=grouping.num_groups,
        weight=torch.tensor([weight for _, _, weight in pairs]),
    )


def grouping_from_select(select: SelectOutput, *, allow_unused: bool = False) -> JointGrouping:
    """Read a grouping from the selection step of PyTorch Geometric's pooling; weights are ignored.

    Args:
        select: Clusters of nodes.
        allow_unused: Accept nodes in no cluster.

    Raises:
        SkeletonError: A cluster is empty, or a node is left out.
    """
    groups: list[list[int]] = [[] for _ in range(select.num_clusters)]
    for joint, cluster in zip(select.node_index.tolist(), select.cluster_index.tolist(), strict=True):
        groups[cluster].append(joint)
    return JointGrouping(tuple(tuple(group) for group in groups), select.num_nodes, allow_unused=allow_unused)
