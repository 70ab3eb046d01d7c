"""Discrete cosine transform along time."""

from __future__ import annotations

import torch
from torch import nn

from posegraph._support.checks import check_positive
from posegraph.errors import ConfigError, ShapeError

__all__ = ["DCT", "InverseDCT", "dct_matrix"]


def dct_matrix(num_frames: int, *, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    r"""The orthonormal discrete cosine basis (DCT-II).

    $C_{k,i} = w_k \cos\left(\pi (i + \tfrac12) k / T\right)$ with $w_0 = \sqrt{1/T}$ and $w_k = \sqrt{2/T}$. Its
    inverse is its transpose. Built in float64, then rounded to ``dtype``.

    Args:
        num_frames: Sequence length T.
        dtype: Type of the result.

    Returns:
        Matrix ``(num_frames, num_frames)``, one basis vector a row, slowest first.

    Examples:
        >>> from posegraph.layers import dct_matrix
        >>> c = dct_matrix(35)
        >>> bool((c @ c.T - c.new_ones(35).diag()).abs().max() < 1e-6)
        True
    """
    check_positive(num_frames=num_frames)
    frame = torch.arange(num_frames, dtype=torch.float64)
    basis = torch.cos(torch.pi * (frame + 0.5) * frame.unsqueeze(1) / num_frames) * (2 / num_frames) ** 0.5
    basis[0] = (1 / num_frames) ** 0.5
    return basis.to(dtype)


class DCT(nn.Module):
    r"""The lowest coefficients of the discrete cosine transform along the last axis: $y = C_{:d}\, x$.

    Traj-GCN (Mao et al., ICCV 2019) describes each trajectory by them. With all coefficients the transform is a
    rotation and loses nothing; with fewer it smooths.

    Args:
        num_frames: Length T of the sequences.
        num_coefficients: How many coefficients d to keep, slowest first; all by default.

    Shape:
        - Input: ``(..., num_frames)``
        - Output: ``(..., num_coefficients)``

    Raises:
        ConfigError: A size is not positive, or more coefficients than frames.
        ShapeError: The input has another length.

    Examples:
        >>> import torch
        >>> from posegraph.layers import DCT, InverseDCT
        >>> x = torch.randn(4, 66, 35)
        >>> bool((InverseDCT(35)(DCT(35)(x)) - x).abs().max() < 1e-5)
        True
    """

    basis: torch.Tensor

    def __init__(self, num_frames: int, num_coefficients: int | None = None) -> None:
        super().__init__()
        self.num_frames = num_frames
        self.num_coefficients = _check_coefficients(num_frames, num_coefficients)
        self.register_buffer("basis", dct_matrix(num_frames)[: self.num_coefficients], persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Transform; shapes as in the class."""
        _check_length("DCT input", x, self.num_frames, "frames")
        return torch.matmul(x, self.basis.T)

    def extra_repr(self) -> str:
        """Sizes, for printing."""
        return f"{self.num_frames} -> {self.num_coefficients}"


class InverseDCT(nn.Module):
    r"""The sequence that a few discrete cosine coefficients describe: $x = C_{:d}^\top y$, along the last axis.

    Args:
        num_frames: Length T of the sequences.
        num_coefficients: How many coefficients d come in, slowest first; all by default.

    Shape:
        - Input: ``(..., num_coefficients)``
        - Output: ``(..., num_frames)``

    Raises:
        ConfigError: A size is not positive, or more coefficients than frames.
        ShapeError: The input has another length.

    Examples:
        >>> import torch
        >>> from posegraph.layers import InverseDCT
        >>> InverseDCT(35, 20)(torch.zeros(4, 66, 20)).shape
        torch.Size([4, 66, 35])
    """

    basis: torch.Tensor

    def __init__(self, num_frames: int, num_coefficients: int | None = None) -> None:
        super().__init__()
        self.num_frames = num_frames
        self.num_coefficients = _check_coefficients(num_frames, num_coefficients)
        self.register_buffer("basis", dct_matrix(num_frames)[: self.num_coefficients], persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Transform; shapes as in the class."""
        _check_length("inverse DCT input", x, self.num_coefficients, "coefficients")
        return torch.matmul(x, self.basis)

    def extra_repr(self) -> str:
        """Sizes, for printing."""
        return f"{self.num_coefficients} -> {self.num_frames}"


def _check_coefficients(num_frames: int, num_coefficients: int | None) -> int:
    check_positive(num_frames=num_frames)
    if num_coefficients is None:
        return num_frames
    check_positive(num_coefficients=num_coefficients)
    if num_coefficients > num_frames:
        raise ConfigError(
            f"num_coefficients: expected at most {num_frames}, the number of frames, got {num_coefficients}."
        )
    return num_coefficients


def _check_length(what: str, x: torch.Tensor, length: int, axis: str) -> None:
    if x.ndim < 1 or x.shape[-1] != length:
        raise ShapeError(what, f"(..., {length} {axis})", tuple(x.shape), "Time is the last axis.")
