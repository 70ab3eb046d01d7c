"""The linear block along time of siMLPe."""

from __future__ import annotations

import torch
from torch import nn

from posegraph._support.checks import check_positive
from posegraph.errors import ShapeError

__all__ = ["TemporalMLPBlock"]

_GAIN = 1e-8  # the authors'; a new block is nearly the identity


class TemporalMLPBlock(nn.Module):
    r"""Linear map along time, layer norm of each frame, and the input added: $Y = X + \operatorname{LN}(T X + b)$.

    $T$ is one matrix for all channels, $b$ one number a frame; the norm runs over the channels. There is no
    activation: the norm is all that is not linear. It removes what all channels of a frame share, $b$ too, which is
    there because published weights have it. From "Back to MLP: A Simple Baseline for Human Motion Prediction" (Guo et
    al., WACV 2023). $T$ starts near zero, Xavier uniform with gain 1e-8, and $b$ at zero.

    Args:
        num_frames: Number of frames or DCT coefficients.
        channels: Channels of each frame, such as all coordinates of a pose.

    Shape:
        - Input and output: ``(batch, num_frames, channels)``

    Raises:
        ConfigError: A size is not a positive integer.
        ShapeError: The input has another shape.

    Examples:
        >>> import torch
        >>> from posegraph.layers import TemporalMLPBlock
        >>> TemporalMLPBlock(num_frames=50, channels=66)(torch.randn(8, 50, 66)).shape
        torch.Size([8, 50, 66])
    """

    def __init__(self, num_frames: int, channels: int) -> None:
        super().__init__()
        check_positive(num_frames=num_frames, channels=channels)
        self.num_frames, self.channels = num_frames, channels
        self.weight = nn.Parameter(torch.empty(num_frames, num_frames))
        self.bias = nn.Parameter(torch.empty(num_frames))
        self.norm = nn.LayerNorm(channels)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        nn.init.xavier_uniform_(self.weight, gain=_GAIN)
        nn.init.zeros_(self.bias)
        self.norm.reset_parameters()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the block; shapes as in the class."""
        if x.ndim != 3 or x.shape[1:] != (self.num_frames, self.channels):
            raise ShapeError(
                "temporal block input",
                f"(batch, {self.num_frames} frames, {self.channels} channels)",
                tuple(x.shape),
                "Rearrange poses with 'b t j c -> b t (j c)'.",
            )
        # A product from the left needs no transposes; a linear layer would need two, or a slower norm.
        weight = self.weight.expand(x.shape[0], -1, -1)
        return x + self.norm(torch.baddbmm(self.bias.unsqueeze(1), weight, x))

    def extra_repr(self) -> str:
        """Sizes, for printing."""
        return f"num_frames={self.num_frames}, channels={self.channels}"
