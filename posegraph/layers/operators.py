"""Graph operators that can stand in for the learned graph convolution inside a block.

An operator maps ``(batch, num_nodes, in_channels)`` to ``(batch, num_nodes, out_channels)``. Blocks build theirs
through an `OperatorFactory`, a callable of ``(in_channels, out_channels, num_nodes)``; `GraphConv` itself is one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, get_args

import torch
from torch import nn

from posegraph._support.checks import check_choice, check_nodes, check_positive
from posegraph.layers.graph_conv import GraphConv
from posegraph.skeleton.adjacency import node_adjacency

__all__ = ["OperatorFactory", "OperatorKind", "PerNodeLinear", "SkeletonConv", "operator_factory"]

OperatorFactory = Callable[[int, int, int], nn.Module]
"""Makes a graph operator from ``in_channels``, ``out_channels`` and ``num_nodes``."""
OperatorKind = Literal["learned", "masked", "skeleton", "per-node"]
"""Name of a graph operator; see `operator_factory`."""


class PerNodeLinear(nn.Module):
    r"""A linear map of each node's channels, without a graph: $Y = X W + b$.

    In place of the graph convolution it gives the fully connected ablation (MSR-FCL) of the MSR-GCN paper.

    Args:
        in_channels: Channels of each input node.
        out_channels: Channels of each output node.
        num_nodes: Number of nodes; only checked.

    Shape:
        - Input: ``(batch, num_nodes, in_channels)``
        - Output: ``(batch, num_nodes, out_channels)``

    Raises:
        ConfigError: A size is not a positive integer.
        ShapeError: The input has another shape.

    Examples:
        >>> import torch
        >>> from posegraph.layers import PerNodeLinear
        >>> PerNodeLinear(64, 128, num_nodes=36)(torch.zeros(8, 36, 64)).shape
        torch.Size([8, 36, 128])
    """

    def __init__(self, in_channels: int, out_channels: int, num_nodes: int) -> None:
        super().__init__()
        check_positive(in_channels=in_channels, out_channels=out_channels, num_nodes=num_nodes)
        self.in_channels, self.out_channels, self.num_nodes = in_channels, out_channels, num_nodes
        self.linear = nn.Linear(in_channels, out_channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the map; shapes as in the class."""
        check_nodes("per-node linear input", x, num_nodes=self.num_nodes, channels=self.in_channels)
        return self.linear(x)


class SkeletonConv(nn.Module):
    r"""Graph convolution on a fixed skeleton, computed by an operator of PyTorch Geometric.

    With the default `torch_geometric.nn.GCNConv`: $Y = \hat A X W + b$, where $\hat A$ is the symmetrically
    normalised adjacency with self loops ("Semi-Supervised Classification with Graph Convolutional Networks", Kipf &
    Welling, ICLR 2017). Any of its operators of the form ``conv(x, edge_index)`` will do.

    Args:
        in_channels: Channels of each input node.
        out_channels: Channels of each output node.
        num_nodes: Number of nodes.
        edge_index: Directed edges ``(2, edges)``, both directions of each connection, without self loops.
        conv: Callable of ``(in_channels, out_channels)`` that makes the operator.

    Shape:
        - Input: ``(batch, num_nodes, in_channels)``
        - Output: ``(batch, num_nodes, out_channels)``

    Raises:
        ConfigError: A size is not a positive integer.
        ShapeError: The input has another shape.

    Examples:
        >>> import torch
        >>> from posegraph.layers import SkeletonConv
        >>> from posegraph.skeleton import node_edge_index
        >>> from posegraph.skeleton import presets
        >>> used = presets.get("h36m").reduced
        >>> conv = SkeletonConv(35, 64, 66, edge_index=node_edge_index(used.bones, used.num_joints))
        >>> conv(torch.zeros(8, 66, 35)).shape
        torch.Size([8, 66, 64])
    """

    edge_index: torch.Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        num_nodes: int,
        *,
        edge_index: torch.Tensor,
        conv: Callable[[int, int], nn.Module] | None = None,
    ) -> None:
        super().__init__()
        check_positive(in_channels=in_channels, out_channels=out_channels, num_nodes=num_nodes)
        self.in_channels, self.out_channels, self.num_nodes = in_channels, out_channels, num_nodes
        if conv is None:
            from torch_geometric.nn import GCNConv

            conv = GCNConv
        self.conv = conv(in_channels, out_channels)
        self.register_buffer("edge_index", edge_index, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the convolution; shapes as in the class."""
        check_nodes("skeleton convolution input", x, num_nodes=self.num_nodes, channels=self.in_channels)
        return self.conv(x, self.edge_index)


def operator_factory(kind: OperatorKind, bones: Iterable[tuple[int, int]], num_joints: int) -> OperatorFactory:
    """The factory of a named operator for joint coordinates (three nodes a joint).

    Args:
        kind: ``"learned"``: `GraphConv`, free adjacency. ``"masked"``: `GraphConv` that starts from the skeleton's
            normalised adjacency and keeps only its connections. ``"skeleton"``: `SkeletonConv`, fixed.
            ``"per-node"``: `PerNodeLinear`, no graph.
        bones: Bones of the scale, for the operators that use them.
        num_joints: Joints of the scale.

    Returns:
        A callable of ``(in_channels, out_channels, num_nodes)``.

    Raises:
        ConfigError: Unknown kind.

    Examples:
        >>> from posegraph.layers import operator_factory
        >>> operator_factory("learned", [(0, 1)], 2)(35, 64, 6)
        GraphConv(35, 64, num_nodes=6)
    """
    check_choice("operator", kind, get_args(OperatorKind))
    bones = tuple(bones)
    if kind == "learned":
        return GraphConv
    if kind == "per-node":
        return PerNodeLinear
    if kind == "masked":
        graph = node_adjacency(bones, num_joints)

        def masked(in_channels: int, out_channels: int, num_nodes: int) -> nn.Module:
            return GraphConv(in_channels, out_channels, num_nodes, adjacency=graph, mask=graph)

        return masked

    from posegraph.skeleton.pyg import node_edge_index

    edge_index = node_edge_index(bones, num_joints)

    def skeleton(in_channels: int, out_channels: int, num_nodes: int) -> nn.Module:
        return SkeletonConv(in_channels, out_channels, num_nodes, edge_index=edge_index)

    return skeleton
