r"""Blocks of layer norm, learned graphs and perceptrons as they are at inference.

Every reader of the residual stream begins with a layer norm, which removes the mean over the channels. So all that is
written to the stream may be centred beforehand, in the weights, and the norm's factor and shift become part of the
product that follows. All rows of all windows are one matrix, so that each product of channels is one product with its
shift.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn
from torch.nn import functional as F

from posegraph.folding.layers import as_double
from posegraph.layers import GraphMixerBlock

__all__ = ["FoldedMixerBlock", "MirroredMixer", "Product", "after_norm", "centred"]


class Product(nn.Module):
    """``x @ weight + shift`` for rows ``(rows, in_channels)``."""

    weight: torch.Tensor
    shift: torch.Tensor

    def __init__(self, weight: torch.Tensor, shift: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("weight", weight.contiguous())
        self.register_buffer("shift", shift)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the map."""
        return torch.addmm(self.shift, x, self.weight)


def centred(weight: torch.Tensor, shift: torch.Tensor) -> Product:
    """A linear map ``(in_channels, out_channels)`` without the mean over its outputs."""
    return Product(weight - weight.mean(-1, keepdim=True), shift - shift.mean(-1, keepdim=True))


def after_norm(norm: nn.LayerNorm, weight: torch.Tensor, shift: torch.Tensor) -> Product:
    """A linear map ``(in_channels, out_channels)`` with the factor and shift of the layer norm before it."""
    return Product(as_double(norm.weight)[:, None] * weight, shift + as_double(norm.bias) @ weight)


def _of(linear: nn.Linear) -> tuple[torch.Tensor, torch.Tensor]:
    return as_double(linear.weight).T, as_double(linear.bias)


class FoldedMixerBlock(nn.Module):
    """A `GraphMixerBlock` at inference, on centred rows ``(windows * nodes, channels)``; in float64.

    Examples:
        >>> import torch
        >>> from posegraph.folding.mixer import FoldedMixerBlock
        >>> from posegraph.layers import GraphMixerBlock
        >>> block, x = GraphMixerBlock(16, num_nodes=5).eval().double(), torch.randn(3, 5, 16).double()
        >>> x = x - x.mean(-1, keepdim=True)
        >>> y = block(x)
        >>> folded = FoldedMixerBlock(block)(x.flatten(0, 1)).view_as(y)
        >>> bool((folded - (y - y.mean(-1, keepdim=True))).abs().max() < 1e-12)
        True
    """

    adjacency: torch.Tensor

    def __init__(self, block: GraphMixerBlock) -> None:
        super().__init__()
        self.heads, self.nodes = block.graph.num_heads, block.graph.num_nodes
        self.eps = block.node_norm.eps, block.channel_norm.eps
        self.value = after_norm(block.node_norm, *_of(block.value))
        self.register_buffer("adjacency", as_double(block.graph.adjacency))
        self.output = centred(*_of(block.output))
        self.expand = after_norm(block.channel_norm, *_of(block.expand))
        self.contract = centred(*_of(block.contract))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the block; shapes as in the class."""
        first, second = self.eps
        value = self.value(normalize(x, first))
        by_head = value.unflatten(1, (self.heads, -1)).unflatten(0, (-1, self.nodes)).transpose(1, 2)
        mixed = F.gelu(torch.matmul(self.adjacency, by_head))
        x = x + self.output(mixed.transpose(1, 2).flatten(2).flatten(0, 1))
        return x + self.contract(F.gelu(self.expand(normalize(x, second))))


def normalize(x: torch.Tensor, eps: float) -> torch.Tensor:
    """Layer norm without factor and shift."""
    return F.layer_norm(x, (x.shape[-1],), eps=eps)


class MirroredMixer(nn.Module):
    r"""A network of mixer blocks from observed to future poses, averaged over the body and its mirror image.

    Args:
        mean: Of each coordinate, ``(joints, 3)``.
        std: Likewise.
        start: From a joint's last normalised position and displacements to channels, centred.
        embedding: Shifts of the joints after it, ``(joints, channels)``, centred.
        blocks: Folded blocks.
        head: From normalised rows to displacements ``(future_frames, 3)`` of each joint.
        eps: Of the last layer norm.
        mirror: Joints, signs and caution of the average over mirror images; None for no average.

    Shape:
        - Input: ``(batch, observed_frames, joints, 3)``
        - Output: ``(batch, future_frames, joints, 3)``
    """

    mean: torch.Tensor
    std: torch.Tensor
    start: torch.Tensor
    embedding: torch.Tensor

    def __init__(
        self,
        *,
        mean: torch.Tensor,
        std: torch.Tensor,
        start: torch.Tensor,
        embedding: torch.Tensor,
        blocks: Iterable[nn.Module],
        head: Product,
        eps: float,
        mirror: tuple[torch.Tensor, torch.Tensor, float] | None,
    ) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)
        self.register_buffer("embedding", embedding)
        self.register_buffer("start", start)
        self.head, self.eps = head, eps
        self.blocks = nn.Sequential(*blocks)
        self.mirrors = mirror is not None
        joints, signs, self.caution = (None, None, 0.0) if mirror is None else mirror
        self.register_buffer("joints", joints)
        self.register_buffer("signs", signs)
        self.register_buffer("path_signs", None if signs is None else signs.repeat(head.shift.shape[0] // 3))

    def forward(self, observed: torch.Tensor) -> torch.Tensor:
        """Forecast; shapes as in the class."""
        last = observed[:, -1:]
        if not self.mirrors:
            moves = self._moves(observed)
        else:
            joints = self.get_buffer("joints")
            mirrored = observed.index_select(2, joints) * self.get_buffer("signs")
            one, other = self._moves(torch.cat([observed, mirrored])).unflatten(0, (2, -1)).unbind()
            moves = self._agreed(one, other.index_select(1, joints) * self.get_buffer("path_signs"))
        return moves.unflatten(2, (-1, 3)).transpose(1, 2) + last

    def _moves(self, observed: torch.Tensor) -> torch.Tensor:
        """Displacements ``(batch, joints, future_frames * 3)`` from the last observed pose."""
        last = observed[:, -1:]
        inputs = torch.cat([(last - self.mean) / self.std, observed[:, :-1] - last], dim=1)
        features = torch.matmul(inputs.transpose(1, 2).flatten(2), self.start) + self.embedding
        moves = self.head(normalize(self.blocks(features.flatten(0, 1)), self.eps))
        return moves.unflatten(0, (-1, self.embedding.shape[0]))

    def _agreed(self, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        """The mean of two forecasts, shrunk where they disagree; all ``(batch, joints, future_frames * 3)``."""
        doubled, difference = one + other, one - other
        # Sums of squares of a frame: the means would divide both by the number of joints, and the moves by two.
        size, doubt = (x.square().sum(1) for x in (doubled, difference))
        both = size + 2 * self.caution * doubt
        size, both = (x.unflatten(1, (-1, 3)).sum(2, keepdim=True) for x in (size, both))
        factor = 0.5 * size / both.clamp(min=4 * TINY * one.shape[1])
        factor = factor * self.get_buffer("signs").square()  # by ones: each frame has three coordinates
        return doubled * factor.flatten(1).unsqueeze(1)


TINY = 1e-12
"""A square in mm: nothing moves."""
