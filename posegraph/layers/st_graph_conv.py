"""Graph convolution over joints followed by a convolution over frames."""

from __future__ import annotations

import torch
from einops import rearrange
from torch import nn

from posegraph._support.checks import check_positive, check_probability
from posegraph.errors import ConfigError
from posegraph.layers._features import check_features
from posegraph.layers.dropout import Dropout
from posegraph.layers.reweighted_graph import ReweightedGraph

__all__ = ["SpatioTemporalGraphConv", "TemporalConv"]


class TemporalConv(nn.Conv2d):
    """Convolution of each node's frames, padded by half a kernel on both sides.

    Args:
        in_channels: Channels of each input node.
        out_channels: Channels of each output node.
        kernel_size: Frames that an output frame reads, an odd number.
        stride: Frames from one output frame to the next.

    Shape:
        - Input: ``(batch, in_channels, frames, nodes)``
        - Output: ``(batch, out_channels, num_frames(frames), nodes)``

    Raises:
        ConfigError: A size is not a positive integer, or the kernel is even.

    Examples:
        >>> import torch
        >>> from posegraph.layers import TemporalConv
        >>> TemporalConv(3, 8, kernel_size=5, stride=2)(torch.zeros(4, 3, 9, 22)).shape
        torch.Size([4, 8, 5, 22])
    """

    def __init__(self, in_channels: int, out_channels: int, *, kernel_size: int = 5, stride: int = 1) -> None:
        check_positive(in_channels=in_channels, out_channels=out_channels, kernel_size=kernel_size, stride=stride)
        if kernel_size % 2 == 0:
            raise ConfigError(f"kernel_size: expected an odd number, got {kernel_size}. An even one has no centre.")
        super().__init__(in_channels, out_channels, (kernel_size, 1), stride=(stride, 1), padding=(kernel_size // 2, 0))

    def num_frames(self, frames: int) -> int:
        """Number of output frames for a number of input frames."""
        return _strided(frames, self.stride[0])


class SpatioTemporalGraphConv(nn.Module):
    r"""Graph convolution over joints, convolution over frames, and a residual.

    With $X W_k$ the channels of a $1 \times 1$ convolution for each kind $k$ of edge of a `ReweightedGraph`:
    $Y = \sigma\big(R(X) + f(\textstyle\sum_k \hat A_k^\top X W_k)\big)$, where $f$ is batch norm, ReLU, `TemporalConv`,
    batch norm and dropout, $\sigma$ is ReLU, and $R$ is the identity, or a $1 \times 1$ convolution with batch norm
    where the shape changes. The layer of one scale of DMGNN (Li et al., CVPR 2020).

    Args:
        in_channels: Channels of each input node.
        out_channels: Channels of each output node.
        graph: Matrices ``(kinds, nodes, nodes)``, as `hop_graphs` makes them.
        kernel_size: Frames that an output frame reads, an odd number.
        stride: Frames from one output frame to the next.
        residual: Add $R(X)$.
        dropout: Probability of zeroing an element.

    Shape:
        - Input: ``(batch, in_channels, frames, nodes)``
        - Output: ``(batch, out_channels, num_frames(frames), nodes)``

    Raises:
        ConfigError: A size or the dropout is not valid.
        ShapeError: The graph or the input has another shape.

    Examples:
        >>> import torch
        >>> from posegraph.skeleton import presets
        >>> from posegraph.layers import SpatioTemporalGraphConv, hop_graphs
        >>> graph = hop_graphs(presets.get("h36m").reduced.bones, 22)
        >>> SpatioTemporalGraphConv(3, 32, graph, stride=2)(torch.zeros(8, 3, 49, 22)).shape
        torch.Size([8, 32, 25, 22])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        graph: torch.Tensor,
        *,
        kernel_size: int = 5,
        stride: int = 1,
        residual: bool = True,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        check_probability(dropout=dropout)
        self.in_channels, self.out_channels, self.stride = in_channels, out_channels, stride
        self.graph = ReweightedGraph(graph)
        self.spatial = nn.Conv2d(in_channels, self.graph.num_kinds * out_channels, 1)
        self.temporal = nn.Sequential(
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
            TemporalConv(out_channels, out_channels, kernel_size=kernel_size, stride=stride),
            nn.BatchNorm2d(out_channels),
            Dropout(dropout),
        )
        self.residual: nn.Module | None = None
        if residual:
            same = in_channels == out_channels and stride == 1
            self.residual = nn.Identity() if same else _projection(in_channels, out_channels, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the layer; shapes as in the class."""
        check_features("graph convolution input", x, channels=self.in_channels, num_nodes=self.graph.num_nodes)
        by_kind = rearrange(self.spatial(x), "b (k c) t n -> b k c t n", k=self.graph.num_kinds)
        y = self.temporal(torch.einsum("bkctv,kvw->bctw", by_kind, self.graph()))
        if self.residual is not None:
            y = y + self.residual(x)
        return torch.relu(y)

    def num_frames(self, frames: int) -> int:
        """Number of output frames for a number of input frames."""
        return _strided(frames, self.stride)

    def extra_repr(self) -> str:
        """Sizes, for printing."""
        return f"{self.in_channels}, {self.out_channels}, stride={self.stride}"


def _strided(frames: int, stride: int) -> int:
    """Every ``stride``-th frame, the first one included: an odd kernel is centred on each."""
    return (frames - 1) // stride + 1


def _projection(in_channels: int, out_channels: int, stride: int) -> nn.Module:
    convolution = nn.Conv2d(in_channels, out_channels, 1, stride=(stride, 1))
    return nn.Sequential(convolution, nn.BatchNorm2d(out_channels))
