"""Graph convolution over joints and time, both fully connected."""

from __future__ import annotations

import torch
from torch import nn

from posegraph._support.checks import check_positive, check_probability
from posegraph.errors import ShapeError
from posegraph.layers.blocks import make_activation
from posegraph.layers.dropout import Dropout
from posegraph.layers.norm import NodeBatchNorm

__all__ = ["SpatioTemporalDenseBlock", "SpatioTemporalDenseConv"]


class SpatioTemporalDenseConv(nn.Module):
    r"""Graph convolution with one learned adjacency of the joints and one of the frames.

    $y_{onk} = \sum_{cml} A_{nm}\, x_{cml}\, W_{co}\, T_{lk} + b_k$: every joint reads from every joint through $A$,
    and every frame (or DCT coefficient) from every frame through $T$; both are free. From "Progressively Generating
    Better Initial Guesses Towards Next Stages for High-Quality Human Motion Prediction" (Ma et al., CVPR 2022), whose
    released layer it is: the spatial and the temporal dense graph convolution in one.

    The three matrices act one after another, and the channels are mixed first where that makes them fewer, else last,
    so that joints and frames are mixed at the smaller width. All parameters start uniform in
    $\pm 1/\sqrt{\text{num\_joints}}$.

    Args:
        in_channels: Input channels of each joint and frame.
        out_channels: Output channels of each joint and frame.
        num_joints: Number of joints.
        num_frames: Number of frames or DCT coefficients.

    Shape:
        - Input: ``(batch, in_channels, num_joints, num_frames)``
        - Output: ``(batch, out_channels, num_joints, num_frames)``

    Raises:
        ConfigError: A size is not a positive integer.
        ShapeError: The input has another shape.

    Examples:
        >>> import torch
        >>> from posegraph.layers import SpatioTemporalDenseConv
        >>> SpatioTemporalDenseConv(3, 16, num_joints=22, num_frames=35)(torch.zeros(8, 3, 22, 35)).shape
        torch.Size([8, 16, 22, 35])
    """

    def __init__(self, in_channels: int, out_channels: int, num_joints: int, num_frames: int) -> None:
        super().__init__()
        check_positive(in_channels=in_channels, out_channels=out_channels, num_joints=num_joints, num_frames=num_frames)
        self.in_channels, self.out_channels = in_channels, out_channels
        self.num_joints, self.num_frames = num_joints, num_frames
        self.adjacency = nn.Parameter(torch.empty(num_joints, num_joints))
        self.time = nn.Parameter(torch.empty(num_frames, num_frames))
        self.weight = nn.Parameter(torch.empty(in_channels, out_channels))
        self.bias = nn.Parameter(torch.empty(num_frames))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        bound = self.num_joints**-0.5
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the convolution; shapes as in the class."""
        if x.ndim != 4 or x.shape[1:] != (self.in_channels, self.num_joints, self.num_frames):
            raise ShapeError(
                "spatio-temporal convolution input",
                f"(batch, {self.in_channels} channels, {self.num_joints} joints, {self.num_frames} frames)",
                tuple(x.shape),
                "Rearrange poses with 'b t j c -> b c j t'.",
            )
        if self.out_channels <= self.in_channels:
            return self._mix_graph(self._mix_channels(x)) + self.bias
        return self._mix_channels(self._mix_graph(x)) + self.bias

    # Batched products with expanded matrices: broadcasting ones would copy the transposed input and return it so.

    def _mix_channels(self, x: torch.Tensor) -> torch.Tensor:
        weight = self.weight.T.expand(x.shape[0], -1, -1)
        return torch.bmm(weight, x.flatten(2)).unflatten(2, (self.num_joints, self.num_frames))

    def _mix_graph(self, x: torch.Tensor) -> torch.Tensor:
        maps = x.flatten(0, 1)
        adjacency = self.adjacency.expand(maps.shape[0], -1, -1)
        return torch.matmul(torch.bmm(adjacency, maps), self.time).unflatten(0, x.shape[:2])

    def extra_repr(self) -> str:
        """Sizes, for printing."""
        return f"{self.in_channels}, {self.out_channels}, num_joints={self.num_joints}, num_frames={self.num_frames}"


class SpatioTemporalDenseBlock(nn.Module):
    r"""`SpatioTemporalDenseConv`, batch norm, activation, dropout.

    $Y = \operatorname{drop}(\sigma(\operatorname{BN}(G(X))))$, one layer of PGBIG (Ma et al., CVPR 2022). Each
    (channel, joint, frame) is normalised by itself, so a training batch needs at least two samples.

    Args:
        in_channels: As in `SpatioTemporalDenseConv`.
        out_channels: As in `SpatioTemporalDenseConv`.
        num_joints: As in `SpatioTemporalDenseConv`.
        num_frames: As in `SpatioTemporalDenseConv`.
        dropout: Probability of zeroing an element.
        activation: Name for `make_activation`.

    Shape:
        - Input: ``(batch, in_channels, num_joints, num_frames)``
        - Output: ``(batch, out_channels, num_joints, num_frames)``

    Raises:
        ConfigError: A size, the dropout or the activation is not valid.
        ShapeError: The input has another shape, or a training batch has a single sample.

    Examples:
        >>> import torch
        >>> from posegraph.layers import SpatioTemporalDenseBlock
        >>> SpatioTemporalDenseBlock(3, 16, num_joints=22, num_frames=35)(torch.randn(8, 3, 22, 35)).shape
        torch.Size([8, 16, 22, 35])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        num_joints: int,
        num_frames: int,
        *,
        dropout: float = 0.3,
        activation: str = "tanh",
    ) -> None:
        super().__init__()
        check_probability(dropout=dropout)
        self.operator = SpatioTemporalDenseConv(in_channels, out_channels, num_joints, num_frames)
        self.norm = NodeBatchNorm(out_channels * num_joints, num_frames)
        self.activation = make_activation(activation)
        self.dropout = Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the block; shapes as in the class."""
        y = self.operator(x)
        y = self.norm(y.flatten(1, 2)).view_as(y)
        return self.dropout(self.activation(y))
