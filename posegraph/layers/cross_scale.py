"""Exchange of features between the scales of a skeleton."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import nn

from posegraph.errors import ConfigError, ShapeError

__all__ = ["CrossScaleAttention", "CrossScaleFusion"]

EmbeddingFactory = Callable[[int], nn.Module]
"""Makes the embedding of a scale from its number of nodes."""


class CrossScaleAttention(nn.Module):
    r"""Features of one scale, brought to the nodes of another by attention: $y_t = \sum_s a_{ts} x_s$.

    $a_{ts} = \operatorname{softmax}_s \langle g(z_t), f(x_s) \rangle$ where $f$ and $g$ embed the source $x$ and the
    target $z$, mostly as `NodeEmbedding`. The edges between two scales of DMGNN (Li et al., CVPR 2020), which depend
    on the motion.

    Args:
        source: Embeds the source: from ``(batch, channels, frames, source nodes)`` to ``(batch, source nodes, size)``.
        target: Embeds the target likewise, to vectors of the same size.

    Shape:
        - Input: ``(batch, channels, frames, source nodes)`` and ``(batch, channels, frames, target nodes)``
        - Output: ``(batch, channels, frames, target nodes)``

    Raises:
        ShapeError: An input has another shape than its embedding takes.

    Examples:
        >>> import torch
        >>> from posegraph.layers import CrossScaleAttention, NodeEmbedding
        >>> to_parts = CrossScaleAttention(NodeEmbedding(32, 9, num_nodes=22), NodeEmbedding(32, 9, num_nodes=10))
        >>> to_parts(torch.randn(8, 32, 9, 22), torch.randn(8, 32, 9, 10)).shape
        torch.Size([8, 32, 9, 10])
    """

    def __init__(self, source: nn.Module, target: nn.Module) -> None:
        super().__init__()
        self.source, self.target = source, target

    def weights(self, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """The attention ``(batch, target nodes, source nodes)``, whose rows sum to one."""
        scores = torch.matmul(self.target(target), self.source(source).transpose(1, 2))
        return scores.softmax(dim=-1)

    def forward(self, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Bring the source to the target's nodes; shapes as in the class."""
        return torch.einsum("bcfs,bts->bcft", source, self.weights(source, target))


class CrossScaleFusion(nn.Module):
    r"""Adds to each scale what its neighbours bring: $x'_s = x_s + w \sum_{r = s \pm 1} y_{r \to s}$.

    $y_{r \to s}$ is a `CrossScaleAttention` of its own for each direction, all reading the features before the sum.
    The cross-scale fusion of DMGNN (Li et al., CVPR 2020).

    Args:
        num_nodes: Number of nodes of each scale, finest first; at least two scales.
        embedding: Makes the embedding of a scale from its number of nodes, two for each attention. They share no
            parameters.
        weight: $w$.

    Shape:
        - Input and output: one tensor ``(batch, channels, frames, nodes of the scale)`` a scale, finest first

    Raises:
        ConfigError: There is a single scale.
        ShapeError: The inputs have other shapes.

    Examples:
        >>> import torch
        >>> from posegraph.layers import CrossScaleFusion, NodeEmbedding
        >>> fusion = CrossScaleFusion([22, 10, 5], lambda nodes: NodeEmbedding(32, 9, nodes, channels=64))
        >>> features = [torch.randn(8, 32, 9, nodes) for nodes in (22, 10, 5)]
        >>> [tuple(fused.shape) for fused in fusion(features)]
        [(8, 32, 9, 22), (8, 32, 9, 10), (8, 32, 9, 5)]
    """

    def __init__(self, num_nodes: Sequence[int], embedding: EmbeddingFactory, *, weight: float = 0.3) -> None:
        super().__init__()
        if len(num_nodes) < 2:
            raise ConfigError(f"num_nodes: expected at least two scales, got {tuple(num_nodes)}. One needs no fusion.")
        self.num_scales, self.weight = len(num_nodes), weight

        def attention(source: int, target: int) -> CrossScaleAttention:
            return CrossScaleAttention(embedding(source), embedding(target))

        self.to_coarser = nn.ModuleList(attention(fine, coarse) for fine, coarse in pairwise(num_nodes))
        self.to_finer = nn.ModuleList(attention(coarse, fine) for fine, coarse in pairwise(num_nodes))

    def forward(self, features: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Exchange; shapes as in the class."""
        if len(features) != self.num_scales:
            remedy = "Give one tensor a scale, finest first."
            raise ShapeError("features", f"{self.num_scales} scales", f"{len(features)} scales", remedy)
        brought: list[list[torch.Tensor]] = [[] for _ in features]
        for level, (down, up) in enumerate(zip(self.to_coarser, self.to_finer, strict=True)):
            fine, coarse = features[level], features[level + 1]
            brought[level].append(up(coarse, fine))
            brought[level + 1].append(down(fine, coarse))
        return [x + self.weight * torch.stack(others).sum(0) for x, others in zip(features, brought, strict=True)]

    def extra_repr(self) -> str:
        """Sizes, for printing."""
        return f"num_scales={self.num_scales}, weight={self.weight}"
