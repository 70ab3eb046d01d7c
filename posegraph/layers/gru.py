"""A gated recurrent unit that resets its state before the matrix product."""

from __future__ import annotations

import torch
from torch import nn

from posegraph._support.checks import check_positive
from posegraph.errors import ShapeError

__all__ = ["ResetBeforeGRUCell"]


class ResetBeforeGRUCell(nn.Module):
    r"""Gated recurrent unit whose reset gate acts on the state itself, as in the paper that introduced it.

    $r, u = \operatorname{sigmoid}([x, h] W_g + b_g)$, $c = \tanh([x, r \odot h] W_c + b_c)$ and
    $h' = u \odot h + (1 - u) \odot c$, from "Learning Phrase Representations using RNN Encoder-Decoder" (Cho et al.,
    EMNLP 2014). The cell of TensorFlow 1, and so of Residual sup. (Martinez et al., CVPR 2017).

    `torch.nn.GRUCell` is another function: its reset gate acts on the product,
    $c = \tanh(x W + b + r \odot (h U + b'))$, which needs a second bias. The two agree where the gate is open or $U$
    is diagonal and $b' = 0$, and differ elsewhere, so weights cannot be carried over. The initial values differ too:
    here the weights are Glorot uniform, the biases of the gates 1, so that most of the state is kept at first, and
    those of the candidate 0.

    Args:
        in_channels: Channels of the input.
        channels: Channels of the state.

    Shape:
        - Input: ``(batch, in_channels)``, and the state ``(batch, channels)``
        - Output: the new state ``(batch, channels)``

    Raises:
        ConfigError: A size is not a positive integer.
        ShapeError: The input or the state has another shape.

    Examples:
        >>> import torch
        >>> from posegraph.layers import ResetBeforeGRUCell
        >>> cell, state = ResetBeforeGRUCell(66, 32), None
        >>> for pose in torch.randn(9, 4, 66):
        ...     state = cell(pose, state)
        >>> state.shape
        torch.Size([4, 32])
    """

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        check_positive(in_channels=in_channels, channels=channels)
        self.in_channels, self.channels = in_channels, channels
        self.gates = nn.Linear(in_channels + channels, 2 * channels)
        self.candidate = nn.Linear(in_channels + channels, channels)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew and set the biases back."""
        for linear, bias in ((self.gates, 1.0), (self.candidate, 0.0)):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.constant_(linear.bias, bias)

    def forward(self, x: torch.Tensor, state: torch.Tensor | None = None) -> torch.Tensor:
        """One step; shapes as in the class. Without a state it starts from zeros."""
        if x.ndim != 2 or x.shape[1] != self.in_channels:
            expected = f"(batch, {self.in_channels} channels)"
            raise ShapeError("GRU input", expected, tuple(x.shape), "Give one step at a time.")
        if state is None:
            state = x.new_zeros(x.shape[0], self.channels)
        elif state.shape != (x.shape[0], self.channels):
            expected = f"({x.shape[0]} samples, {self.channels} channels)"
            raise ShapeError("GRU state", expected, tuple(state.shape), "Give the state of the step before, or none.")
        reset, update = torch.sigmoid(self.gates(torch.cat([x, state], dim=1))).chunk(2, dim=1)
        candidate = torch.tanh(self.candidate(torch.cat([x, reset * state], dim=1)))
        return update * state + (1 - update) * candidate

    def extra_repr(self) -> str:
        """Sizes, for printing."""
        return f"{self.in_channels}, {self.channels}"
