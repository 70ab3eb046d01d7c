"""Whole networks as they are at inference: observed poses in, future poses of the finest scale out.

Padding, normalisation and the DCT are linear, so they become part of the first layer, of the last one, and of the sum
around both. A forecast needs neither the coarser heads nor the reconstruction of the observed frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import torch
from torch import nn

from posegraph.errors import ConfigError
from posegraph.folding.forecast import Folded, Shape
from posegraph.folding.layers import FoldedLayer, affine, with_tail
from posegraph.layers import GraphConvBlock, ResampleBlock
from posegraph.layers.normalizers import MinMaxNormalizer

__all__ = ["Ends", "FoldedForecast", "FoldedNetwork", "Pyramid", "Window", "ends", "joined", "layered", "pair"]


@dataclass(frozen=True)
class Window:
    """Sizes of what a network sees and forecasts."""

    observed_frames: int
    future_frames: int
    num_nodes: int
    """Coordinates that the network sees."""


@dataclass(frozen=True)
class Ends:
    """First layer, on observed trajectories; last map, to future ones; and the linear map around both."""

    window: Window
    first: FoldedLayer
    last: FoldedLayer
    skip: torch.Tensor | None
    """``(future_frames, observed_frames)``."""


def ends(
    window: Window,
    start: nn.Module,
    head: nn.Module,
    *,
    basis: torch.Tensor | None = None,
    normalizer: MinMaxNormalizer | None = None,
    global_residual: bool,
) -> Ends:
    r"""Fold what is linear in time into both ends.

    The network reads $a X P C^\top + c$, where $P$ repeats the last frame, $C$ is the DCT basis, and $a, c$ normalise;
    its output $O$ becomes $(O - c) / a \cdot C$. With the global residual the constants cancel.
    """
    frames = torch.eye(window.observed_frames, dtype=torch.float64)
    pad = torch.cat([frames, frames[:, -1:].expand(-1, window.future_frames)], dim=1)
    basis = torch.eye(window.observed_frames + window.future_frames, dtype=torch.float64) if basis is None else basis
    factor, offset = 1.0, 0.0
    if normalizer is not None:
        low, high = float(normalizer.minimum), float(normalizer.maximum)
        factor, offset = 2 / (high - low), -2 * low / (high - low) - 1
    if not isinstance(start, GraphConvBlock):
        raise ConfigError(f"fold: expected a GraphConvBlock at the start, got {type(start).__name__}.")
    future = basis[:, window.observed_frames :]
    entry = affine(start.operator).after_channels(factor * pad @ basis.T, offset, window.num_nodes)
    exit_ = affine(head).before_channels(future / factor, 0.0 if global_residual else -offset)
    return Ends(
        window=window,
        first=with_tail([entry], start.tail),
        last=FoldedLayer([exit_]),
        skip=(pad @ basis.T @ future).T.contiguous() if global_residual else None,
    )


def joined(block: nn.Module) -> FoldedLayer:
    """A block that reads two inputs side by side, along the channels or the nodes, as one of two inputs."""
    match block:
        case GraphConvBlock():
            both = affine(block.operator)
            assert both.right is not None
            first, second = ({"right": right} for right in both.right.chunk(2, dim=0))
        case ResampleBlock():
            both = affine(block.resample)
            assert both.left is not None
            first, second = ({"left": left.contiguous()} for left in both.left.chunk(2, dim=1))
        case _:
            raise ConfigError(f"fold: expected a block that joins two inputs, got {type(block).__name__}.")
    return with_tail([replace(both, **first), replace(both, **second, shift=None)], block.tail)


def pair(modules: nn.Module) -> tuple[nn.Module, nn.Module]:
    """The two modules of a sequence, such as what precedes the last operator of a head, and that operator."""
    assert isinstance(modules, nn.Sequential)
    first, second = modules
    return first, second


def layered(body: Iterable[nn.Module], around: Ends, moving: torch.Tensor | None = None) -> FoldedForecast:
    """Folded blocks between the two ends, as a forecast in float64; ``moving`` as in `FoldedForecast`."""
    nodes = (around.window.observed_frames, around.window.num_nodes)
    return FoldedForecast(FoldedNetwork(around.first, *body, around.last), around.skip, moving, nodes=nodes)


class Pyramid(nn.Module):
    """Down to the coarsest scale and back to the finest."""

    def __init__(
        self,
        *,
        encoder: Iterable[nn.Module],
        down: Iterable[nn.Module],
        up: Iterable[nn.Module],
        decoder: Iterable[nn.Module],
        merge: Iterable[nn.Module] = (),
        join: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.ModuleList(encoder), nn.ModuleList(decoder)
        self.down, self.up, self.merge = nn.ModuleList(down), nn.ModuleList(up), nn.ModuleList(merge)
        self.join = join

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """From and to features ``(batch, nodes, channels)`` of the finest scale."""
        encoded: list[torch.Tensor] = []
        for scale, stage in enumerate(self.encoder):
            x = stage(self.down[scale - 1](x) if scale else x)
            encoded.append(x)
        for scale in reversed(range(len(encoded))):
            if scale < len(encoded) - 1:
                x = self.up[scale](x)
                x = self.merge[scale](encoded[scale], x) if self.merge else x
            x = self.decoder[scale](x)
        return x if self.join is None else self.join(encoded[0], x)


class FoldedNetwork(nn.Sequential):
    """All folded layers, from observed trajectories to what the network adds to the linear part of the forecast.

    What a backend compiles: it holds matrix products, sums, activations and transpositions, and nothing else.

    Shape:
        - Input: ``(batch, observed_frames, nodes)``, or without the batch
        - Output: ``(batch, future_frames, nodes)``, or without the batch
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Apply the network; shapes as in the class."""
        return super().forward(input.transpose(-1, -2)).transpose(-1, -2)


class FoldedForecast(Folded):
    """A network from observed to future poses, and the linear map around it.

    Args:
        network: The nonlinear part.
        skip: Matrix ``(future_frames, observed_frames)`` of the sum around it; None for no sum.
        moving: Coordinates that the network sees; the others keep their last value. None for all.
        nodes: ``(observed_frames, nodes)`` of the network's input.

    Shape:
        - Input: ``(batch, observed_frames, joints, 3)``
        - Output: ``(batch, future_frames, joints, 3)``, contiguous, never shared with a later call
    """

    skip: torch.Tensor | None
    moving: torch.Tensor | None

    def __init__(
        self,
        network: FoldedNetwork,
        skip: torch.Tensor | None,
        moving: torch.Tensor | None = None,
        *,
        nodes: tuple[int, int],
    ) -> None:
        super().__init__()
        self.network, self.nodes = network, nodes
        self.register_buffer("skip", skip)
        self.register_buffer("moving", moving)

    def input_shape(self, size: int | None) -> Shape:
        """Shape of the network's input for a number of windows, None for any: a single window has no batch."""
        return self.nodes if size == 1 else (size, *self.nodes)

    def complete(self, observed: torch.Tensor, network: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        """Forecast with ``network``, some other form of the network, in place of its own."""
        frames = observed.flatten(2)
        single = frames.shape[0] == 1  # plain matrix products cost less than products of batches of one
        future = self._future(frames.squeeze(0), network).unsqueeze(0) if single else self._future(frames, network)
        return future.unflatten(2, (-1, 3))

    def _future(self, frames: torch.Tensor, network: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        """From ``(batch, observed_frames, coordinates)``, or without the batch."""
        seen = frames if self.moving is None else frames.index_select(-1, self.moving)
        change = network(seen)
        if self.skip is None:  # a backend may use its output buffer again
            moved = change.clone(memory_format=torch.contiguous_format)
        else:
            moved = torch.matmul(self.skip, seen).add_(change)
        if self.moving is None:
            return moved
        still = frames[..., -1:, :].expand(*moved.shape[:-1], -1)
        return still.index_copy(-1, self.moving, moved)
