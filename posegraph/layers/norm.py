"""Batch normalisation of every (node, channel) pair."""

from __future__ import annotations

import torch
from torch import nn

from posegraph._support.checks import check_nodes, check_positive
from posegraph.errors import ShapeError

__all__ = ["NodeBatchNorm"]


class NodeBatchNorm(nn.Module):
    r"""Batch normalisation of each (node, channel) pair by itself.

    $y_{kc} = \gamma_{kc}\,(x_{kc} - \mu_{kc})/\sigma_{kc} + \beta_{kc}$. Used after every graph convolution of
    Traj-GCN (Mao et al., ICCV 2019) and MSR-GCN (Dang et al., ICCV 2021). The statistics run over the batch alone, so
    training needs at least two samples. Parameters are in node-major order, index = ``channels * node + channel``.

    Args:
        num_nodes: Number of nodes.
        channels: Channels of each node.

    Shape:
        - Input and output: ``(batch, num_nodes, channels)``

    Raises:
        ConfigError: A size is not a positive integer.
        ShapeError: The input has another shape, or a training batch has a single sample.

    Examples:
        >>> import torch
        >>> from posegraph.layers import NodeBatchNorm
        >>> y = NodeBatchNorm(66, 4)(torch.randn(32, 66, 4))
        >>> bool(y.mean(0).abs().max() < 1e-5)
        True
    """

    def __init__(self, num_nodes: int, channels: int) -> None:
        super().__init__()
        check_positive(num_nodes=num_nodes, channels=channels)
        self.num_nodes, self.channels = num_nodes, channels
        self.norm = nn.BatchNorm1d(num_nodes * channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise; shapes as in the class."""
        check_nodes("batch norm input", x, num_nodes=self.num_nodes, channels=self.channels)
        if self.training and x.shape[0] == 1:
            raise ShapeError(
                "batch norm input",
                "at least two samples in training mode",
                tuple(x.shape),
                "Its statistics run over the batch: use a larger batch, or model.eval() to forecast.",
            )
        return self.norm(x.flatten(1)).view_as(x)
