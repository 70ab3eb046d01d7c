"""Graph convolution with a learned adjacency."""

from __future__ import annotations

import torch
from torch import nn

from posegraph._support.checks import check_nodes, check_positive
from posegraph.errors import ShapeError
from posegraph.layers._products import product_from_left

__all__ = ["GraphConv"]


class GraphConv(nn.Module):
    r"""Graph convolution whose adjacency is a free parameter: $Y = A X W + b$.

    The graph is complete: every node may read from every other, and training finds the strengths. From "Learning
    Trajectory Dependencies for Human Motion Prediction" (Mao et al., ICCV 2019), also the layer of MSR-GCN.

    All parameters start uniform in $\pm 1/\sqrt{\text{out\_channels}}$ as the authors do, the adjacency too. To start
    from a skeleton, pass its normalised adjacency; to keep only its connections, pass it as ``mask`` as well.

    Args:
        in_channels: Channels of each input node.
        out_channels: Channels of each output node.
        num_nodes: Number of nodes.
        adjacency: Initial adjacency ``(num_nodes, num_nodes)`` in place of the random one.
        mask: Matrix ``(num_nodes, num_nodes)``; connections where it is zero stay off for good.
        bias: Add a bias a channel.

    Shape:
        - Input: ``(batch, num_nodes, in_channels)``
        - Output: ``(batch, num_nodes, out_channels)``

    Raises:
        ConfigError: A size is not a positive integer.
        ShapeError: A matrix or the input has another shape.

    Examples:
        >>> import torch
        >>> from posegraph.layers import GraphConv
        >>> GraphConv(35, 256, num_nodes=66)(torch.zeros(8, 66, 35)).shape
        torch.Size([8, 66, 256])
    """

    mask: torch.Tensor | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        num_nodes: int,
        *,
        adjacency: torch.Tensor | None = None,
        mask: torch.Tensor | None = None,
        bias: bool = True,
    ) -> None:
        super().__init__()
        check_positive(in_channels=in_channels, out_channels=out_channels, num_nodes=num_nodes)
        self.in_channels, self.out_channels, self.num_nodes = in_channels, out_channels, num_nodes
        self._check_matrix("adjacency", adjacency)
        self._check_matrix("mask", mask)
        self.weight = nn.Parameter(torch.empty(in_channels, out_channels))
        self.adjacency = nn.Parameter(torch.empty(num_nodes, num_nodes))
        self.bias = nn.Parameter(torch.empty(out_channels)) if bias else None
        self.register_buffer("mask", None if mask is None else (mask != 0).to(self.adjacency.dtype))
        self._initial_adjacency = None if adjacency is None else adjacency.detach().clone()
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        bound = self.out_channels**-0.5
        for parameter in (self.weight, self.adjacency, self.bias):
            if parameter is not None:
                nn.init.uniform_(parameter, -bound, bound)
        if self._initial_adjacency is not None:
            with torch.no_grad():
                self.adjacency.copy_(self._initial_adjacency)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the convolution; shapes as in the class."""
        check_nodes("graph convolution input", x, num_nodes=self.num_nodes, channels=self.in_channels)
        adjacency = self.adjacency if self.mask is None else self.adjacency * self.mask
        features = (x.flatten(0, 1) @ self.weight).unflatten(0, (-1, self.num_nodes))
        return product_from_left(adjacency, features, self.bias)

    def extra_repr(self) -> str:
        """Sizes, for printing."""
        masked = "" if self.mask is None else ", masked"
        return f"{self.in_channels}, {self.out_channels}, num_nodes={self.num_nodes}{masked}"

    def _check_matrix(self, what: str, matrix: torch.Tensor | None) -> None:
        if matrix is not None and matrix.shape != (self.num_nodes, self.num_nodes):
            expected = f"({self.num_nodes} nodes, {self.num_nodes} nodes)"
            raise ShapeError(what, expected, tuple(matrix.shape), "posegraph.skeleton.node_adjacency makes one.")
