r"""Layers as they are at inference: linear maps, one scale and one shift, one activation.

In evaluation mode batch norm is a fixed scale and shift of each (node, channel) pair, and dropout does nothing. What
remains of a block is $Y = \sigma(S \odot L X R + T)$. All of it is computed in float64, from the plain layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import singledispatch
from typing import Any

import torch
from torch import nn

from posegraph.errors import ConfigError
from posegraph.layers import (
    GraphConv,
    GraphConvBlock,
    JointPool,
    JointUnpool,
    NodeBatchNorm,
    NodeResample,
    PerNodeLinear,
    ResampleBlock,
    ResidualGraphBlock,
    ResidualStage,
    SkeletonConv,
)

__all__ = ["Affine", "FoldedLayer", "FoldedResidual", "affine", "fold"]


@dataclass(frozen=True)
class Affine:
    r"""The affine map of node features $Y = L X R + t$; a side that is None is the identity.

    Examples:
        >>> import torch
        >>> from posegraph.folding.layers import affine
        >>> from posegraph.layers import GraphConv
        >>> layer, x = GraphConv(4, 2, num_nodes=3).double(), torch.randn(5, 3, 4).double()
        >>> bool((affine(layer)(x) - layer(x)).abs().max() < 1e-12)
        True
    """

    left: torch.Tensor | None = None
    """``(out_nodes, in_nodes)``."""
    right: torch.Tensor | None = None
    """``(in_channels, out_channels)``."""
    shift: torch.Tensor | None = None
    """Broadcast to ``(out_nodes, out_channels)``."""

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the map to ``(..., in_nodes, in_channels)``."""
        y = multiply(self.left, x, self.right)
        return y if self.shift is None else y + self.shift

    def after_channels(self, matrix: torch.Tensor, offset: float, num_nodes: int) -> Affine:
        r"""The map of $X \mapsto X M + o\,\mathbf{1}$ followed by this one."""
        right = matrix if self.right is None else matrix @ self.right
        ones = matrix.new_ones(num_nodes, matrix.shape[1])
        constant = offset * multiply(self.left, ones, self.right)
        return replace(self, right=right, shift=constant if self.shift is None else constant + self.shift)

    def before_channels(self, matrix: torch.Tensor, offset: float) -> Affine:
        r"""The map of this one followed by $Y \mapsto (Y + o\,\mathbf{1}) M$."""
        right = matrix if self.right is None else self.right @ matrix
        shift = matrix.new_zeros(1, matrix.shape[0]) if self.shift is None else self.shift
        return replace(self, right=right, shift=(shift + offset) @ matrix)


def multiply(left: torch.Tensor | None, x: torch.Tensor, right: torch.Tensor | None) -> torch.Tensor:
    """The product ``left @ x @ right`` in the cheaper order; None is the identity."""
    if left is None or right is None:
        x = x if left is None else torch.matmul(left, x)
        return x if right is None else torch.matmul(x, right)
    if nodes_first(left, right):
        return torch.matmul(torch.matmul(left, x), right)
    return torch.matmul(left, torch.matmul(x, right))


def nodes_first(left: torch.Tensor, right: torch.Tensor) -> bool:
    """Whether ``(left @ x) @ right`` takes fewer multiplications than ``left @ (x @ right)``."""
    this_way = left.numel() * right.shape[0] + left.shape[0] * right.numel()
    other_way = left.shape[1] * right.numel() + left.numel() * right.shape[1]
    return this_way < other_way


@singledispatch
def affine(layer: nn.Module) -> Affine:
    """The affine map that a graph operator or a resampling is, in float64.

    Raises:
        ConfigError: There is no rule for this type of layer.
    """
    raise ConfigError(
        f"fold: expected a layer whose matrices are known, got {type(layer).__name__}. "
        "Leave the model as it is, or register the layer with posegraph.folding.layers.affine.register."
    )


@affine.register
def _(layer: GraphConv) -> Affine:
    adjacency = layer.adjacency if layer.mask is None else layer.adjacency * layer.mask
    return Affine(as_double(adjacency), as_double(layer.weight), None if layer.bias is None else as_double(layer.bias))


@affine.register
def _(layer: PerNodeLinear) -> Affine:
    return Affine(None, as_double(layer.linear.weight.T), as_double(layer.linear.bias))


@affine.register
def _(layer: SkeletonConv) -> Affine:
    from torch_geometric.nn import GCNConv
    from torch_geometric.nn.conv.gcn_conv import gcn_norm

    conv = layer.conv
    if not isinstance(conv, GCNConv):
        raise ConfigError(
            f"fold: expected a skeleton convolution by GCNConv, got {type(conv).__name__}. Leave the model as it is."
        )
    normalized: Any = gcn_norm(
        layer.edge_index, None, layer.num_nodes, conv.improved, conv.add_self_loops, conv.flow, torch.float64
    )
    edges, weights = (tensor.cpu() for tensor in normalized)
    dense = torch.zeros(layer.num_nodes, layer.num_nodes, dtype=torch.float64)
    dense.index_put_((edges[1], edges[0]), weights, accumulate=True)
    bias = next((as_double(value) for name, value in conv.named_parameters() if name == "bias"), None)
    return Affine(dense, as_double(conv.lin.weight.T), bias)


@affine.register
def _(layer: NodeResample) -> Affine:
    return Affine(as_double(layer.weight), None, None if layer.bias is None else as_double(layer.bias[:, None]))


@affine.register(JointPool)
@affine.register(JointUnpool)
def _(layer: JointPool | JointUnpool) -> Affine:
    return Affine(as_double(layer.matrix))


class FoldedLayer(nn.Module):
    r"""$Y = \sigma(S \odot \sum_i L_i X_i R_i + T)$: an operator, batch norm and activation.

    Two inputs stand for a concatenation: $M [x; y] = M_1 x + M_2 y$ along the nodes, and the same along the channels.

    Args:
        maps: One for each input; their shifts are added up.
        scale: ``(nodes, channels)``, or None for one.
        shift: Added after the scale.
        activation: May work in place; None for the identity.

    Shape:
        - Inputs: ``(batch, in_nodes, in_channels)``, or without the batch
        - Output: ``(batch, nodes, channels)``, or without the batch
    """

    scale: torch.Tensor | None
    shift: torch.Tensor | None

    def __init__(
        self,
        maps: Sequence[Affine],
        *,
        scale: torch.Tensor | None = None,
        shift: torch.Tensor | None = None,
        activation: nn.Module | None = None,
    ) -> None:
        super().__init__()
        for one in maps:
            if one.shift is not None:
                own = one.shift if scale is None else one.shift * scale
                shift = own if shift is None else shift + own
        for index, one in enumerate(maps):
            self.register_buffer(f"left_{index}", one.left)
            self.register_buffer(f"right_{index}", None if one.right is None else one.right.contiguous())
        self.register_buffer("scale", scale)
        self.register_buffer("shift", shift)
        self.activation = activation

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Apply the layer; shapes as in the class."""
        products = [
            multiply(getattr(self, f"left_{index}"), x, getattr(self, f"right_{index}"))
            for index, x in enumerate(inputs)
        ]
        y = products[0]
        for product in products[1:]:
            y = y.add_(product)
        if self.scale is not None and self.shift is not None:
            y = torch.addcmul(self.shift, self.scale, y)
        elif self.shift is not None:
            y = y.add_(self.shift)
        return y if self.activation is None else self.activation(y)


class FoldedResidual(nn.Module):
    """Folded layers one after another, and their input added."""

    def __init__(self, layers: Sequence[nn.Module], *, skip: bool = True) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.skip = skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the layers."""
        y = x
        for layer in self.layers:
            y = layer(y)
        return y.add_(x) if self.skip else y


@singledispatch
def fold(module: nn.Module) -> nn.Module:
    """The inference form of a block, in float64.

    Raises:
        ConfigError: There is no rule for this type of module.
    """
    return FoldedLayer([affine(module)])


@fold.register
def _(block: GraphConvBlock) -> nn.Module:
    return with_tail([affine(block.operator)], block.tail)


@fold.register
def _(block: ResampleBlock) -> nn.Module:
    return with_tail([affine(block.resample)], block.tail)


@fold.register
def _(block: ResidualGraphBlock) -> nn.Module:
    return FoldedResidual([fold(layer) for layer in block.layers])


@fold.register
def _(stage: ResidualStage) -> nn.Module:
    return FoldedResidual([fold(block) for block in stage.blocks], skip=stage.skip)


@fold.register
def _(sequence: nn.Sequential) -> nn.Module:
    return FoldedResidual([fold(module) for module in sequence], skip=False)


def with_tail(maps: Sequence[Affine], tail: nn.Sequential) -> FoldedLayer:
    """Maps of the inputs, then the batch norm and activation of a block."""
    norm, activation, _dropout = tail
    scale, shift = _norm_scale_and_shift(norm)
    return FoldedLayer(maps, scale=scale, shift=shift, activation=_in_place(activation))


def _norm_scale_and_shift(layer: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    if not isinstance(layer, NodeBatchNorm):
        raise ConfigError(f"fold: expected a NodeBatchNorm, got {type(layer).__name__}. Leave the model as it is.")
    norm = layer.norm
    mean, variance = (as_double(norm.get_buffer(name)) for name in ("running_mean", "running_var"))
    scale = as_double(norm.weight) / (variance + norm.eps).sqrt()
    shift = as_double(norm.bias) - mean * scale
    shape = (layer.num_nodes, layer.channels)
    return scale.view(shape), shift.view(shape)


def _in_place(activation: nn.Module) -> nn.Module:
    match activation:
        case nn.LeakyReLU():
            return nn.LeakyReLU(activation.negative_slope, inplace=True)
        case nn.ReLU():
            return nn.ReLU(inplace=True)
        case nn.Tanh():
            return activation
        case _:
            raise ConfigError(
                f"fold: expected a known activation, got {type(activation).__name__}. Leave the model as it is."
            )


def as_double(tensor: torch.Tensor) -> torch.Tensor:
    """The values of a parameter or buffer, in float64 on the CPU."""
    return tensor.detach().to("cpu", torch.float64)
