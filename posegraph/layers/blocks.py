"""Blocks of the graph networks: convolution, normalisation, activation, dropout, and their residual stacks."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from posegraph._support.checks import check_choice, check_positive, check_probability
from posegraph.layers.dropout import Dropout
from posegraph.layers.graph_conv import GraphConv
from posegraph.layers.norm import NodeBatchNorm
from posegraph.layers.operators import OperatorFactory

__all__ = ["GraphConvBlock", "ResampleBlock", "ResidualGraphBlock", "ResidualStage", "make_activation"]


def make_activation(name: str, negative_slope: float = 0.2) -> nn.Module:
    """An activation by name: ``"leaky_relu"``, ``"tanh"`` or ``"relu"``.

    Args:
        name: Which one.
        negative_slope: Slope below zero, for ``"leaky_relu"``.

    Raises:
        ConfigError: Unknown name.

    Examples:
        >>> from posegraph.layers import make_activation
        >>> make_activation("leaky_relu")
        LeakyReLU(negative_slope=0.2)
    """
    makers: dict[str, Callable[[], nn.Module]] = {
        "leaky_relu": lambda: nn.LeakyReLU(negative_slope),
        "tanh": nn.Tanh,
        "relu": nn.ReLU,
    }
    check_choice("activation", name, tuple(makers))
    return makers[name]()


class _Tail(nn.Sequential):
    """Batch norm, activation and dropout after an operator."""

    def __init__(self, num_nodes: int, channels: int, dropout: float, activation: str, negative_slope: float) -> None:
        check_probability(dropout=dropout)
        super().__init__(
            NodeBatchNorm(num_nodes, channels), make_activation(activation, negative_slope), Dropout(dropout)
        )


class GraphConvBlock(nn.Module):
    r"""Graph operator, batch norm, activation, dropout: $Y = \operatorname{drop}(\sigma(\operatorname{BN}(G(X))))$.

    One layer of Traj-GCN (Mao et al., ICCV 2019; tanh, dropout 0.5) and of MSR-GCN (Dang et al., ICCV 2021; leaky ReLU,
    dropout 0.1), where $G$ is a `GraphConv`.

    Args:
        in_channels: Channels of each input node.
        out_channels: Channels of each output node.
        num_nodes: Number of nodes.
        dropout: Probability of zeroing an element.
        activation: Name for `make_activation`.
        negative_slope: Slope of the leaky ReLU.
        operator: What maps nodes to nodes; `GraphConv`, or any `OperatorFactory`.

    Shape:
        - Input: ``(batch, num_nodes, in_channels)``
        - Output: ``(batch, num_nodes, out_channels)``

    Raises:
        ConfigError: A size, the dropout or the activation is not valid.
        ShapeError: The input has another shape, or a training batch has a single sample.

    Examples:
        >>> import torch
        >>> from posegraph.layers import GraphConvBlock, PerNodeLinear
        >>> x = torch.randn(8, 66, 35)
        >>> GraphConvBlock(35, 64, 66)(x).shape, GraphConvBlock(35, 64, 66, operator=PerNodeLinear)(x).shape
        (torch.Size([8, 66, 64]), torch.Size([8, 66, 64]))
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        num_nodes: int,
        *,
        dropout: float = 0.1,
        activation: str = "leaky_relu",
        negative_slope: float = 0.2,
        operator: OperatorFactory = GraphConv,
    ) -> None:
        super().__init__()
        self.operator = operator(in_channels, out_channels, num_nodes)
        self.tail = _Tail(num_nodes, out_channels, dropout, activation, negative_slope)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the block; shapes as in the class."""
        return self.tail(self.operator(x))


class ResidualGraphBlock(nn.Module):
    r"""A few `GraphConvBlock` of equal width, and the input added: $Y = X + f_n(\cdots f_1(X))$ ("residual GCN").

    Traj-GCN (Mao et al., ICCV 2019) and MSR-GCN (Dang et al., ICCV 2021) are built of these.

    Args:
        channels: Channels of each node.
        num_nodes: Number of nodes.
        num_layers: Graph convolutions in the block; the papers use two.
        dropout: As in `GraphConvBlock`.
        activation: As in `GraphConvBlock`.
        negative_slope: As in `GraphConvBlock`.
        operator: As in `GraphConvBlock`.

    Shape:
        - Input and output: ``(batch, num_nodes, channels)``

    Raises:
        ConfigError: A size, the dropout or the activation is not valid.
        ShapeError: The input has another shape, or a training batch has a single sample.

    Examples:
        >>> import torch
        >>> from posegraph.layers import ResidualGraphBlock
        >>> ResidualGraphBlock(64, num_nodes=36)(torch.randn(8, 36, 64)).shape
        torch.Size([8, 36, 64])
    """

    def __init__(
        self,
        channels: int,
        num_nodes: int,
        *,
        num_layers: int = 2,
        dropout: float = 0.1,
        activation: str = "leaky_relu",
        negative_slope: float = 0.2,
        operator: OperatorFactory = GraphConv,
    ) -> None:
        super().__init__()
        check_positive(num_layers=num_layers)
        self.layers = nn.Sequential(
            *(
                GraphConvBlock(
                    channels,
                    channels,
                    num_nodes,
                    dropout=dropout,
                    activation=activation,
                    negative_slope=negative_slope,
                    operator=operator,
                )
                for _ in range(num_layers)
            )
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the block; shapes as in the class."""
        return self.layers(x) + x


class ResidualStage(nn.Module):
    r"""A sequence of `ResidualGraphBlock`, and optionally the stage's input added: $Y = X + r_n(\cdots r_1(X))$.

    The sum around the whole sequence (long skip) is that of the stages of MSR-GCN (Dang et al., ICCV 2021); Traj-GCN's
    blocks follow one another without it.

    Args:
        channels: Channels of each node.
        num_nodes: Number of nodes.
        num_blocks: Residual blocks in the stage.
        skip: Add the input of the whole stage.
        dropout: As in `GraphConvBlock`.
        activation: As in `GraphConvBlock`.
        negative_slope: As in `GraphConvBlock`.
        operator: As in `GraphConvBlock`.

    Shape:
        - Input and output: ``(batch, num_nodes, channels)``

    Raises:
        ConfigError: A size, the dropout or the activation is not valid.
        ShapeError: The input has another shape, or a training batch has a single sample.

    Examples:
        >>> import torch
        >>> from posegraph.layers import ResidualStage
        >>> ResidualStage(64, num_nodes=36, num_blocks=3)(torch.randn(8, 36, 64)).shape
        torch.Size([8, 36, 64])
    """

    def __init__(
        self,
        channels: int,
        num_nodes: int,
        *,
        num_blocks: int,
        skip: bool = True,
        dropout: float = 0.1,
        activation: str = "leaky_relu",
        negative_slope: float = 0.2,
        operator: OperatorFactory = GraphConv,
    ) -> None:
        super().__init__()
        check_positive(num_blocks=num_blocks)
        self.skip = skip
        self.blocks = nn.Sequential(
            *(
                ResidualGraphBlock(
                    channels,
                    num_nodes,
                    dropout=dropout,
                    activation=activation,
                    negative_slope=negative_slope,
                    operator=operator,
                )
                for _ in range(num_blocks)
            )
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the stage; shapes as in the class."""
        y = self.blocks(x)
        return y + x if self.skip else y


class ResampleBlock(nn.Module):
    r"""A map between two numbers of nodes, batch norm, activation, dropout.

    $Y = \operatorname{drop}(\sigma(\operatorname{BN}(M(X))))$ with $M$ the map. The step between two scales of
    MSR-GCN (Dang et al., ICCV 2021) as its authors released it.

    Args:
        resample: The map, such as `NodeResample` or a fixed `JointPool`.
        out_nodes: Nodes that it returns.
        channels: Channels of each node, on both sides.
        dropout: As in `GraphConvBlock`.
        activation: As in `GraphConvBlock`.
        negative_slope: As in `GraphConvBlock`.

    Shape:
        - Input: ``(batch, in_nodes, channels)``
        - Output: ``(batch, out_nodes, channels)``

    Raises:
        ConfigError: A size, the dropout or the activation is not valid.
        ShapeError: The input has another shape, or a training batch has a single sample.

    Examples:
        >>> import torch
        >>> from posegraph.layers import NodeResample, ResampleBlock
        >>> ResampleBlock(NodeResample(66, 36), out_nodes=36, channels=64)(torch.randn(8, 66, 64)).shape
        torch.Size([8, 36, 64])
    """

    def __init__(
        self,
        resample: nn.Module,
        out_nodes: int,
        channels: int,
        *,
        dropout: float = 0.1,
        activation: str = "leaky_relu",
        negative_slope: float = 0.2,
    ) -> None:
        super().__init__()
        self.resample = resample
        self.tail = _Tail(out_nodes, channels, dropout, activation, negative_slope)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the block; shapes as in the class."""
        return self.tail(self.resample(x))
