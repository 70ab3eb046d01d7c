"""Graph operators that can stand in for the learned graph convolution inside a block.

An operator is named, or an `OperatorFactory`, or an operator of PyTorch Geometric. It maps
``(batch, num_nodes, in_channels)`` to ``(batch, num_nodes, out_channels)``. Blocks build theirs through an
`OperatorFactory`, a callable of ``(in_channels, out_channels, num_nodes)``; `GraphConv` itself is one.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any, Literal, cast, get_args

import torch
from torch import nn

from posegraph._support.checks import check_choice, check_nodes, check_positive
from posegraph.errors import ConfigError, UnknownNameError
from posegraph.layers.graph_conv import GraphConv
from posegraph.skeleton.adjacency import node_adjacency

__all__ = [
    "Operator",
    "OperatorFactory",
    "OperatorKind",
    "PerNodeLinear",
    "SkeletonConv",
    "check_operator",
    "operator_factory",
]

OperatorFactory = Callable[[int, int, int], nn.Module]
"""Makes a graph operator from ``in_channels``, ``out_channels`` and ``num_nodes``."""
OperatorKind = Literal["learned", "masked", "skeleton", "per-node"]
"""Name of a graph operator of the library; see `operator_factory`."""
Operator = OperatorKind | str | OperatorFactory
"""One of these names; an operator of PyTorch Geometric, by class or as ``"torch_geometric.nn.NAME"``; or a factory."""
_GEOMETRIC = "torch_geometric.nn."


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
    Welling, ICLR 2017). Others of the form ``conv(x, edge_index)``, made from
    ``(in_channels, out_channels)`` alone, do as well. These were tried with PyTorch Geometric 2.8:

    * a whole batch on one graph: ARMAConv, ClusterGCNConv, FiLMConv, GCNConv, GraphConv, LEConv, MFConv,
      ResGatedGraphConv, SAGEConv, SGConv, TAGConv;
    * a batch as one graph of as many parts, which costs more: FeaStConv, GATConv, GATv2Conv, GENConv, GeneralConv,
      HypergraphConv, SuperGATConv, TransformerConv.

    Which of the two an operator needs is tried once, when it is made. One that needs more arguments is passed as a
    function that adds them, as in ``lambda i, o: ChebConv(i, o, K=3)``.

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
        ConfigError: A size is not a positive integer, or the operator cannot be made or used in this way.
        ShapeError: The input has another shape.

    Examples:
        >>> import torch
        >>> from torch_geometric.nn import GATConv
        >>> from posegraph.layers import SkeletonConv
        >>> from posegraph.skeleton import node_edge_index, presets
        >>> used = presets.get("h36m").reduced
        >>> edges = node_edge_index(used.bones, used.num_joints)
        >>> SkeletonConv(35, 64, 66, edge_index=edges, conv=GATConv)(torch.zeros(8, 66, 35)).shape
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
        self.register_buffer("edge_index", edge_index, persistent=False)
        name = getattr(conv, "__name__", repr(conv))
        try:
            self.conv = conv(in_channels, out_channels)
        except Exception as error:  # whatever the constructor of another package raises
            raise ConfigError(
                f"operator {name}: expected one that is made from (in_channels, out_channels), got "
                f"{type(error).__name__}: {error}. Pass a function of both that adds its other arguments."
            ) from error
        self._takes_batches = self._try_batches(name)

    @torch.no_grad()
    def _try_batches(self, name: str) -> bool:
        """Whether the operator takes a batch on one graph and treats every sample by itself."""
        trial = copy.deepcopy(self.conv).eval()
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(2, self.num_nodes, self.in_channels, generator=generator)
        try:
            alone = torch.stack([trial(sample, self.edge_index) for sample in x])
        except Exception as error:  # as above
            raise ConfigError(
                f"operator {name}: expected one of the form conv(x, edge_index), got {type(error).__name__}: {error}. "
                "Operators that need more, such as edge features, must be wrapped."
            ) from error
        if alone.shape != (2, self.num_nodes, self.out_channels):
            raise ConfigError(
                f"operator {name}: expected {self.out_channels} channels for each of {self.num_nodes} nodes, got "
                f"{tuple(alone.shape[1:])}. With several heads, pass a function that does not concatenate them."
            )
        try:
            return bool(torch.allclose(trial(x, self.edge_index), alone, rtol=1e-4, atol=1e-5))
        except Exception:  # it refuses batches, in a way of its own
            return False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the convolution; shapes as in the class."""
        check_nodes("skeleton convolution input", x, num_nodes=self.num_nodes, channels=self.in_channels)
        if self._takes_batches:
            return self.conv(x, self.edge_index)
        first = torch.arange(x.shape[0], device=x.device) * self.num_nodes  # first node of each sample
        edges = self.edge_index.unsqueeze(1) + first.view(1, -1, 1)
        return self.conv(x.flatten(0, 1), edges.flatten(1)).unflatten(0, (-1, self.num_nodes))


def check_operator(value: Any) -> Operator:
    """Require an operator, and name it where it has a name, so that a checkpoint can hold it.

    Returns:
        The value; ``"torch_geometric.nn.NAME"`` in place of a class of PyTorch Geometric.

    Raises:
        ConfigError: It is none.
        UnknownNameError: PyTorch Geometric has no operator of this name.

    Examples:
        >>> from torch_geometric.nn import SAGEConv
        >>> from posegraph.layers.operators import check_operator
        >>> check_operator(SAGEConv)
        'torch_geometric.nn.SAGEConv'
    """
    if isinstance(value, type) and value.__module__.startswith(_GEOMETRIC):
        value = _GEOMETRIC + value.__name__
    if isinstance(value, str) and value.startswith(_GEOMETRIC):
        _geometric(value)
        return value
    if callable(value):
        return cast(OperatorFactory, value)
    check_choice("operator", value, get_args(OperatorKind))
    return value


def _geometric(name: str) -> Callable[[int, int], nn.Module]:
    """The operator of PyTorch Geometric of a name such as "torch_geometric.nn.SAGEConv"."""
    from torch_geometric.nn import conv

    known = sorted(other for other in conv.__all__ if isinstance(getattr(conv, other), type))
    short = name.removeprefix(_GEOMETRIC)
    if short not in known:
        raise UnknownNameError("operator of torch_geometric.nn", short, known)
    return getattr(conv, short)


def operator_factory(operator: Operator, bones: Iterable[tuple[int, int]], num_joints: int) -> OperatorFactory:
    """The factory of an operator for joint coordinates (three nodes a joint).

    Args:
        operator: ``"learned"``: `GraphConv`, free adjacency. ``"masked"``: `GraphConv` that starts from the skeleton's
            normalised adjacency and keeps only its connections. ``"skeleton"``: `SkeletonConv`, fixed.
            ``"per-node"``: `PerNodeLinear`, no graph. A class of PyTorch Geometric, or its name such as
            ``"torch_geometric.nn.SAGEConv"``: `SkeletonConv` with it. A factory is returned as it is.
        bones: Bones of the scale, for the operators that use them.
        num_joints: Joints of the scale.

    Returns:
        A callable of ``(in_channels, out_channels, num_nodes)``.

    Raises:
        ConfigError: It is no operator.
        UnknownNameError: PyTorch Geometric has no operator of this name.

    Examples:
        >>> from posegraph.layers import operator_factory
        >>> operator_factory("learned", [(0, 1)], 2)(35, 64, 6)
        GraphConv(35, 64, num_nodes=6)
    """
    operator, bones = check_operator(operator), tuple(bones)
    if operator == "learned":
        return GraphConv
    if operator == "per-node":
        return PerNodeLinear
    if not isinstance(operator, str):
        return operator
    if operator == "masked":
        graph = node_adjacency(bones, num_joints)

        def masked(in_channels: int, out_channels: int, num_nodes: int) -> nn.Module:
            return GraphConv(in_channels, out_channels, num_nodes, adjacency=graph, mask=graph)

        return masked

    from posegraph.skeleton.pyg import node_edge_index

    edge_index = node_edge_index(bones, num_joints)
    conv = _geometric(operator) if operator.startswith(_GEOMETRIC) else None

    def skeleton(in_channels: int, out_channels: int, num_nodes: int) -> nn.Module:
        return SkeletonConv(in_channels, out_channels, num_nodes, edge_index=edge_index, conv=conv)

    return skeleton
