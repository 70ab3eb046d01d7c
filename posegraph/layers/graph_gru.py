"""Gated recurrent unit whose states pass messages along a graph."""

from __future__ import annotations

import torch
from torch import nn

from posegraph._support.checks import check_positive, check_probability
from posegraph.layers._features import check_node_features
from posegraph.layers.dropout import Dropout
from posegraph.layers.reweighted_graph import ReweightedGraph

__all__ = ["GraphGRUCell"]


class GraphGRUCell(nn.Module):
    r"""One step of a gated recurrent unit on the nodes of a graph.

    The gates read a message in place of the node's own state. With $m = \operatorname{drop}(\sum_k \hat A_k^\top (h U_k
    + c_k))$ over the kinds $k$ of edges of a `ReweightedGraph`:

    $r = \sigma(W_r u + b_r + V_r m)$, $z = \sigma(W_z u + b_z + V_z m)$, $n = \tanh(W_n u + b_n + r \odot V_n m)$ and
    $h' = (1 - z) \odot n + z \odot h$. The G-GRU of DMGNN (Li et al., CVPR 2020).

    Args:
        in_channels: Channels of each node's input.
        channels: Channels of each node's state.
        graph: Matrices ``(kinds, nodes, nodes)``, as `hop_graphs` makes them.
        graph_offset: What the graph's learned offset starts with.
        dropout: Probability of zeroing an element of what the nodes send.

    Shape:
        - Input: ``(batch, nodes, in_channels)``, and the state ``(batch, nodes, channels)``
        - Output: the next state ``(batch, nodes, channels)``

    Raises:
        ConfigError: A size or the dropout is not valid.
        ShapeError: The graph, the input or the state has another shape.

    Examples:
        >>> import torch
        >>> from posegraph.skeleton import presets
        >>> from posegraph.layers import GraphGRUCell, hop_graphs
        >>> cell = GraphGRUCell(9, 64, hop_graphs(presets.get("h36m").reduced.bones, 22))
        >>> cell(torch.zeros(8, 22, 9), torch.zeros(8, 22, 64)).shape
        torch.Size([8, 22, 64])
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        graph: torch.Tensor,
        *,
        graph_offset: float = 0.0,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        check_positive(in_channels=in_channels, channels=channels)
        check_probability(dropout=dropout)
        self.in_channels, self.channels = in_channels, channels
        self.graph = ReweightedGraph(graph, offset=graph_offset)
        self.send = nn.Linear(channels, self.graph.num_kinds * channels)
        self.dropout = Dropout(dropout)
        self.input_gates = nn.Linear(in_channels, 3 * channels)  # reset, update, new
        self.state_gates = nn.Linear(channels, 3 * channels, bias=False)

    def forward(self, x: torch.Tensor, state: torch.Tensor, *, pass_messages: bool = True) -> torch.Tensor:
        """Take a step; shapes as in the class. Without messages the gates read the node's own state."""
        nodes = self.graph.num_nodes
        check_node_features("recurrent input", x, num_nodes=nodes, channels=self.in_channels)
        check_node_features("recurrent state", state, num_nodes=nodes, channels=self.channels)
        reset, update, new = self.input_gates(x).chunk(3, dim=-1)
        heard = self.state_gates(self.messages(state) if pass_messages else state).chunk(3, dim=-1)
        update = torch.sigmoid(update + heard[1])
        new = torch.tanh(new + torch.sigmoid(reset + heard[0]) * heard[2])
        return (1 - update) * new + update * state

    def messages(self, state: torch.Tensor) -> torch.Tensor:
        """What each node hears, ``(batch, nodes, channels)``."""
        sent = self.dropout(self.send(state)).unflatten(-1, (self.graph.num_kinds, self.channels))
        return torch.einsum("bvkc,kvw->bwc", sent, self.graph())

    def extra_repr(self) -> str:
        """Sizes, for printing."""
        return f"{self.in_channels}, {self.channels}"
