"""Graph convolution with a learned adjacency for each group of channels."""

from __future__ import annotations

import torch
from torch import nn

from posegraph._support.checks import check_nodes, check_positive
from posegraph.errors import ConfigError

__all__ = ["HeadGraphConv"]

_SPREAD = 0.5


class HeadGraphConv(nn.Module):
    r"""Mix the nodes by several learned adjacencies, one for each group of channels (head): $Y_h = A_h X_h$.

    A `posegraph.layers.GraphConv` has one adjacency for all channels and a weight matrix; this layer has neither weight
    nor bias, so it stands between linear maps of the channels. With one head for each channel it is the token-mixing
    matrix of MLP-Mixer without its sharing ("MLP-Mixer: An all-MLP Architecture for Vision", Tolstikhin et al., NeurIPS
    2021). Entries start normal with standard deviation $1 / (2 \sqrt{\text{num\_nodes}})$.

    Args:
        channels: Channels of each node.
        num_nodes: Number of nodes.
        num_heads: Number of adjacencies; a divisor of ``channels``.

    Shape:
        - Input and output: ``(batch, num_nodes, channels)``

    Raises:
        ConfigError: A size is not a positive integer, or the channels cannot be divided evenly.
        ShapeError: The input has another shape.

    Examples:
        >>> import torch
        >>> from posegraph.layers import HeadGraphConv
        >>> HeadGraphConv(64, num_nodes=25, num_heads=8)(torch.zeros(4, 25, 64)).shape
        torch.Size([4, 25, 64])
    """

    def __init__(self, channels: int, num_nodes: int, num_heads: int = 8) -> None:
        super().__init__()
        check_positive(channels=channels, num_nodes=num_nodes, num_heads=num_heads)
        if channels % num_heads:
            raise ConfigError(
                f"num_heads: expected a divisor of channels = {channels}, got {num_heads}. Each head mixes the same "
                "number of channels."
            )
        self.channels, self.num_nodes, self.num_heads = channels, num_nodes, num_heads
        self.adjacency = nn.Parameter(torch.empty(num_heads, num_nodes, num_nodes))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the adjacencies anew."""
        nn.init.normal_(self.adjacency, std=_SPREAD * self.num_nodes**-0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the convolution; shapes as in the class."""
        check_nodes("graph convolution input", x, num_nodes=self.num_nodes, channels=self.channels)
        heads = x.unflatten(2, (self.num_heads, -1))
        return torch.einsum("hnm,bmhc->bnhc", self.adjacency, heads).flatten(2)

    def extra_repr(self) -> str:
        """Sizes, for printing."""
        return f"{self.channels}, num_nodes={self.num_nodes}, num_heads={self.num_heads}"
