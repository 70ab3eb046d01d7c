"""Embedding of each node's motion that knows of all other nodes."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import nn
from torch.nn import functional as F

from posegraph._support.checks import check_choice, check_positive, check_probability
from posegraph.errors import ShapeError
from posegraph.layers._features import check_features, check_node_features
from posegraph.layers.dropout import Dropout
from posegraph.layers.st_graph_conv import TemporalConv

__all__ = ["Aggregation", "NodeEmbedding", "PairwiseMessages", "SkipMLP"]

Aggregation = Literal["mean", "sum", "released"]
"""How a node joins its messages; see `PairwiseMessages`."""

_SLOPE = 0.01


class SkipMLP(nn.Module):
    r"""Two linear layers, the second of which sees the input as well.

    $y = \sigma(\operatorname{BN}(W_2 [h, x] + b_2))$ with $h = \operatorname{drop}(\sigma(W_1 x + b_1))$, and the leaky
    ReLU of slope 0.01 as $\sigma$. The statistics of the batch norm run over all axes but the last. The perceptron
    of DMGNN's cross-scale fusion (Li et al., CVPR 2020); as there, weights start Xavier normal and biases at 0.1.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the hidden layer and of the output.
        dropout: Probability of zeroing a hidden element.
        activate: Apply the last $\sigma$.

    Shape:
        - Input: ``(..., in_channels)``
        - Output: ``(..., out_channels)``

    Raises:
        ConfigError: A size or the dropout is not valid.
        ShapeError: The input has another number of channels, or a training batch has a single row.

    Examples:
        >>> import torch
        >>> from posegraph.layers import SkipMLP
        >>> SkipMLP(160, 256)(torch.randn(8, 22, 160)).shape
        torch.Size([8, 22, 256])
    """

    def __init__(self, in_channels: int, out_channels: int, *, dropout: float = 0.2, activate: bool = True) -> None:
        super().__init__()
        check_positive(in_channels=in_channels, out_channels=out_channels)
        check_probability(dropout=dropout)
        self.in_channels, self.out_channels, self.activate = in_channels, out_channels, activate
        self.hidden = nn.Linear(in_channels, out_channels)
        self.output = nn.Linear(out_channels + in_channels, out_channels)
        self.norm = nn.BatchNorm1d(out_channels)
        self.dropout = Dropout(dropout)
        for linear in (self.hidden, self.output):
            nn.init.xavier_normal_(linear.weight)
            nn.init.constant_(linear.bias, 0.1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the layers; shapes as in the class."""
        if x.shape[-1] != self.in_channels:
            remedy = "Channels are on the last axis."
            raise ShapeError("perceptron input", f"(..., {self.in_channels} channels)", tuple(x.shape), remedy)
        hidden = self.dropout(F.leaky_relu(self.hidden(x), _SLOPE))
        return self.normalize(self.output(torch.cat([hidden, x], dim=-1)))

    def normalize(self, y: torch.Tensor) -> torch.Tensor:
        """The end of `forward`: batch norm, and the activation if there is one."""
        rows = y.flatten(0, -2)
        if self.training and rows.shape[0] == 1:
            remedy = "Its statistics run over the rows: use a larger batch, or model.eval() to forecast."
            raise ShapeError("perceptron input", "at least two rows in training mode", tuple(y.shape), remedy)
        y = self.norm(rows).view_as(y)
        return F.leaky_relu(y, _SLOPE) if self.activate else y

    def extra_repr(self) -> str:
        """Sizes, for printing."""
        return f"{self.in_channels}, {self.out_channels}, activate={self.activate}"


class PairwiseMessages(nn.Module):
    r"""What each node hears from all others: $m_j = \frac{1}{n} \sum_{i \neq j} f([h_j, h_j - h_i])$.

    $f$ is a `SkipMLP`. The relations of a scale in DMGNN (Li et al., CVPR 2020). The inputs of $f$ are linear in
    $h_i$ and $h_j$, so its products with them are taken once a node; only its hidden layer is computed for each pair.

    Args:
        channels: Channels of each node.
        num_nodes: Number of nodes, at least two.
        dropout: As in `SkipMLP`.
        aggregation: ``"mean"``: $n$ is the number of other nodes. ``"sum"``: $n = 1$. ``"released"``: $n$ is the
            number of all nodes, as in the authors' code.

    Shape:
        - Input and output: ``(batch, num_nodes, channels)``

    Raises:
        ConfigError: A setting is not valid.
        ShapeError: The input has another shape.

    Examples:
        >>> import torch
        >>> from posegraph.layers import PairwiseMessages
        >>> PairwiseMessages(16, num_nodes=5)(torch.randn(8, 5, 16)).shape
        torch.Size([8, 5, 16])
    """

    others: torch.Tensor

    def __init__(
        self, channels: int, num_nodes: int, *, dropout: float = 0.2, aggregation: Aggregation = "mean"
    ) -> None:
        super().__init__()
        check_positive(channels=channels, other_nodes=num_nodes - 1)
        check_choice("aggregation", aggregation, get_args(Aggregation))
        self.channels, self.num_nodes = channels, num_nodes
        self.divisor = {"mean": num_nodes - 1, "sum": 1, "released": num_nodes}[aggregation]
        self.pair = SkipMLP(2 * channels, channels, dropout=dropout)
        others = [[i for i in range(num_nodes) if i != j] for j in range(num_nodes)]
        self.register_buffer("others", torch.tensor(others), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Pass the messages; shapes as in the class."""
        check_node_features("message passing input", x, num_nodes=self.num_nodes, channels=self.channels)
        pair = self.pair
        from_hidden, from_input = pair.output.weight.split([self.channels, 2 * self.channels], dim=1)
        own, difference = torch.cat([pair.hidden.weight, from_input]).chunk(2, dim=1)
        receiver = F.linear(x, own + difference, torch.cat([pair.hidden.bias, pair.output.bias]))
        sender = F.linear(x, difference)
        # (batch, receivers, senders, channels of the hidden layer and of the output)
        hidden, direct = (receiver.unsqueeze(2) - sender[:, self.others]).chunk(2, dim=-1)
        hidden = pair.dropout(F.leaky_relu(hidden, _SLOPE))
        return pair.normalize(F.linear(hidden, from_hidden) + direct).sum(dim=2) / self.divisor

    def extra_repr(self) -> str:
        """Sizes, for printing."""
        return f"{self.channels}, num_nodes={self.num_nodes}"


class NodeEmbedding(nn.Module):
    r"""One vector for each node's motion, after a round of messages from all other nodes.

    The frames are halved by a `TemporalConv`; those of each node then become one vector. $h$ is a `SkipMLP` of it, $m$
    the `PairwiseMessages` of $h$, and the embedding a `SkipMLP` without activation of $[m, h]$. DMGNN (Li et al.,
    CVPR 2020) compares such embeddings across scales. A single node gets $m = 0$.

    Args:
        in_channels: Channels of each node.
        frames: Number of frames.
        num_nodes: Number of nodes.
        channels: Size of the embedding.
        kernel_size: Frames that the temporal convolution reads, an odd number.
        dropout: Probability of zeroing an element after the temporal convolution and in the perceptrons.
        aggregation: As in `PairwiseMessages`.
        scrambled: Cut the vectors of the nodes from the memory of all, frames before nodes, so that each holds a
            stretch of time of several nodes. It serves parity with the authors' code.

    Shape:
        - Input: ``(batch, in_channels, frames, num_nodes)``
        - Output: ``(batch, num_nodes, channels)``

    Raises:
        ConfigError: A setting is not valid.
        ShapeError: The input has another shape, or a training batch has a single row.

    Examples:
        >>> import torch
        >>> from posegraph.layers import NodeEmbedding
        >>> NodeEmbedding(32, frames=9, num_nodes=22)(torch.randn(8, 32, 9, 22)).shape
        torch.Size([8, 22, 256])
    """

    def __init__(
        self,
        in_channels: int,
        frames: int,
        num_nodes: int,
        *,
        channels: int = 256,
        kernel_size: int = 5,
        dropout: float = 0.2,
        aggregation: Aggregation = "mean",
        scrambled: bool = False,
    ) -> None:
        super().__init__()
        check_positive(frames=frames, num_nodes=num_nodes, channels=channels)
        check_probability(dropout=dropout)
        self.in_channels, self.frames, self.num_nodes, self.scrambled = in_channels, frames, num_nodes, scrambled
        convolution = TemporalConv(in_channels, in_channels, kernel_size=kernel_size, stride=2)
        self.temporal = nn.Sequential(convolution, nn.BatchNorm2d(in_channels), Dropout(dropout))
        self.node = SkipMLP(convolution.num_frames(frames) * in_channels, channels, dropout=dropout)
        self.messages: nn.Module | None = None
        if num_nodes > 1:
            self.messages = PairwiseMessages(channels, num_nodes, dropout=dropout, aggregation=aggregation)
        self.output = SkipMLP(2 * channels, channels, dropout=dropout, activate=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Embed; shapes as in the class."""
        check_features("embedding input", x, channels=self.in_channels, frames=self.frames, num_nodes=self.num_nodes)
        x = self.temporal(x)
        if self.scrambled:
            x = x.permute(0, 2, 3, 1).reshape(x.shape[0], self.num_nodes, -1)
        else:
            x = x.permute(0, 3, 2, 1).flatten(2)
        h = self.node(x)
        messages = torch.zeros_like(h) if self.messages is None else self.messages(h)
        return self.output(torch.cat([messages, h], dim=-1))
