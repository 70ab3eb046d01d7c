"""Skeleton graphs whose edges training weighs anew."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from posegraph._support.checks import check_positive
from posegraph.errors import ShapeError
from posegraph.skeleton.adjacency import bone_adjacency, hop_distances, normalize

__all__ = ["ReweightedGraph", "hop_graphs"]


def hop_graphs(bones: Iterable[tuple[int, int]], num_joints: int, *, max_hop: int = 1) -> torch.Tensor:
    r"""The skeleton graph, one matrix for each number of bones between two joints.

    Joints at most ``max_hop`` bones apart, each joint itself included, are connected; the columns are divided by their
    sums. The result splits this graph by distance, so that a layer can treat a joint unlike its neighbours.

    Args:
        bones: Pairs of joint indices.
        num_joints: Number of joints.
        max_hop: Most bones between two connected joints.

    Returns:
        Matrices ``(max_hop + 1, num_joints, num_joints)``, that of distance 0 first.

    Raises:
        ConfigError: ``max_hop`` is not positive.

    Examples:
        >>> from posegraph.layers import hop_graphs
        >>> hop_graphs([(0, 1)], 2).tolist()
        [[[0.5, 0.0], [0.0, 0.5]], [[0.0, 0.5], [0.5, 0.0]]]
    """
    check_positive(max_hop=max_hop)
    hops = hop_distances(bone_adjacency(bones, num_joints))
    connected = normalize((hops <= max_hop).float(), "columns")
    return torch.stack([connected * (hops == hop) for hop in range(max_hop + 1)])


class ReweightedGraph(nn.Module):
    r"""A fixed graph with a learned factor and a learned offset for each pair of nodes: $\hat A = A \odot M + B$.

    The factor weighs the edges that are there, the offset adds others. From DMGNN (Li et al., CVPR 2020), after the
    edge weights of "Spatial Temporal Graph Convolutional Networks for Skeleton-Based Action Recognition" (Yan et al.,
    AAAI 2018).

    Args:
        graph: Matrices ``(kinds, nodes, nodes)``, one for each kind of edge, as `hop_graphs` makes them. The graph
            is a buffer, so checkpoints hold it.
        offset: What the offset starts with everywhere; the factor starts with one.

    Shape:
        - Input: none
        - Output: ``(kinds, nodes, nodes)``

    Raises:
        ShapeError: The graph has another shape.

    Examples:
        >>> from posegraph.layers import ReweightedGraph, hop_graphs
        >>> ReweightedGraph(hop_graphs([(0, 1)], 2))().shape
        torch.Size([2, 2, 2])
    """

    fixed: torch.Tensor

    def __init__(self, graph: torch.Tensor, *, offset: float = 0.0) -> None:
        super().__init__()
        if graph.ndim != 3 or graph.shape[1] != graph.shape[2]:
            raise ShapeError(
                "graph", "(kinds of edges, nodes, nodes)", tuple(graph.shape), "posegraph.layers.hop_graphs makes one."
            )
        self.register_buffer("fixed", graph.detach().clone())
        self.factor = nn.Parameter(torch.ones_like(graph))
        self.offset = nn.Parameter(torch.full_like(graph, offset))

    @property
    def num_kinds(self) -> int:
        """Number of matrices."""
        return self.fixed.shape[0]

    @property
    def num_nodes(self) -> int:
        """Number of nodes."""
        return self.fixed.shape[1]

    def forward(self) -> torch.Tensor:
        """The graph with its present weights; shape as in the class."""
        return self.fixed * self.factor + self.offset

    def extra_repr(self) -> str:
        """Sizes, for printing."""
        return f"num_kinds={self.num_kinds}, num_nodes={self.num_nodes}"
