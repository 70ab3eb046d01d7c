"""Learned linear map between two numbers of nodes."""

from __future__ import annotations

import torch
from torch import nn

from posegraph._support.checks import check_positive
from posegraph.errors import ShapeError
from posegraph.layers._products import product_from_left

__all__ = ["NodeResample"]


class NodeResample(nn.Module):
    r"""Learned linear map along the nodes, the same for every channel: $Y = M X + b\,\mathbf{1}^\top$.

    How the networks of MSR-GCN move features between scales ("MSR-GCN: Multi-Scale Residual Graph Convolution
    Networks for Human Motion Prediction", Dang et al., ICCV 2021). For the fixed map of a grouping see `JointPool`.

    Args:
        in_nodes: Nodes of the input.
        out_nodes: Nodes of the output.
        bias: Add a bias a node.

    Shape:
        - Input: ``(batch, in_nodes, channels)``
        - Output: ``(batch, out_nodes, channels)``

    Raises:
        ConfigError: A size is not a positive integer.
        ShapeError: The input has another number of nodes.

    Examples:
        >>> import torch
        >>> from posegraph.layers import NodeResample
        >>> NodeResample(66, 36)(torch.zeros(8, 66, 64)).shape
        torch.Size([8, 36, 64])
    """

    def __init__(self, in_nodes: int, out_nodes: int, *, bias: bool = True) -> None:
        super().__init__()
        check_positive(in_nodes=in_nodes, out_nodes=out_nodes)
        self.in_nodes, self.out_nodes = in_nodes, out_nodes
        self.weight = nn.Parameter(torch.empty(out_nodes, in_nodes))
        self.bias = nn.Parameter(torch.empty(out_nodes)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all parameters anew, uniform in plus or minus one over the root of ``in_nodes``."""
        bound = self.in_nodes**-0.5
        nn.init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the map; shapes as in the class."""
        if x.ndim != 3 or x.shape[1] != self.in_nodes:
            raise ShapeError(
                "resample input",
                f"(batch, {self.in_nodes} nodes, channels)",
                tuple(x.shape),
                "Nodes are on axis 1, channels on axis 2.",
            )
        return product_from_left(self.weight, x, None if self.bias is None else self.bias[:, None])

    def extra_repr(self) -> str:
        """Sizes, for printing."""
        return f"{self.in_nodes}, {self.out_nodes}"
