"""Residual block that mixes nodes by graph convolution and channels by a perceptron."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from posegraph._support.checks import check_positive, check_probability
from posegraph.layers.dropout import Dropout
from posegraph.layers.head_graph_conv import HeadGraphConv

__all__ = ["GraphMixerBlock"]


class GraphMixerBlock(nn.Module):
    r"""Two residual steps on normalised features, first along the nodes, then along the channels.

    $X' = X + W_o\,\sigma(G(W_v \operatorname{LN}(X)))$ and $Y = X' + W_2\,\sigma(W_1 \operatorname{LN}(X'))$, with a
    `posegraph.layers.HeadGraphConv` $G$, layer norm over the channels of a node, GELU $\sigma$, and dropout after
    $W_o$, $\sigma(W_1 \cdot)$ and $W_2$. The form is that of a transformer's block ("Attention Is All You Need",
    Vaswani et al., NeurIPS 2017) with learned adjacencies in place of attention. There is no batch norm, so a sample
    does not depend on the others of its batch. $W_o$ and $W_2$ start at zero: a new block is the identity.

    Args:
        channels: Channels of each node.
        num_nodes: Number of nodes.
        num_heads: Adjacencies of the graph convolution.
        expansion: Channels between $W_1$ and $W_2$, as a multiple of ``channels``.
        dropout: Probability of zeroing an element.

    Shape:
        - Input and output: ``(batch, num_nodes, channels)``

    Raises:
        ConfigError: A size or the dropout is not valid.
        ShapeError: The input has another shape.

    Examples:
        >>> import torch
        >>> from posegraph.layers import GraphMixerBlock
        >>> GraphMixerBlock(64, num_nodes=25)(torch.zeros(4, 25, 64)).shape
        torch.Size([4, 25, 64])
    """

    def __init__(
        self, channels: int, num_nodes: int, *, num_heads: int = 8, expansion: int = 2, dropout: float = 0.1
    ) -> None:
        super().__init__()
        check_positive(channels=channels, expansion=expansion)
        check_probability(dropout=dropout)
        self.node_norm = nn.LayerNorm(channels)
        self.value = nn.Linear(channels, channels)
        self.graph = HeadGraphConv(channels, num_nodes, num_heads)
        self.output = nn.Linear(channels, channels)
        self.channel_norm = nn.LayerNorm(channels)
        self.expand = nn.Linear(channels, expansion * channels)
        self.contract = nn.Linear(expansion * channels, channels)
        self.dropout = Dropout(dropout)
        for last in (self.output, self.contract):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the block; shapes as in the class."""
        x = x + self.dropout(self.output(F.gelu(self.graph(self.value(self.node_norm(x))))))
        return x + self.dropout(self.contract(self.dropout(F.gelu(self.expand(self.channel_norm(x))))))
