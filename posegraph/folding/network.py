"""Whole networks as they are at inference: observed poses in, future poses of the finest scale out.

Padding, normalisation and the DCT are linear, so they become part of the first layer, of the last one, and of the sum
around both. A forecast needs neither the coarser heads nor the reconstruction of the observed frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from posegraph.errors import ConfigError
from posegraph.folding.layers import FoldedLayer, FoldedResidual, affine, as_double, fold, with_tail
from posegraph.layers import DCT, GraphConvBlock, ResampleBlock
from posegraph.layers.normalizers import MinMaxNormalizer
from posegraph.models.base import ForecastModel
from posegraph.models.msrgcn import MSRGCN
from posegraph.models.msrgcn_released import MSRGCNReleased
from posegraph.models.traj_gcn import TrajGCN

__all__ = ["FoldedForecast", "FoldedNetwork", "fold_model", "is_foldable"]


def fold_model(model: ForecastModel) -> FoldedForecast:
    """The inference form of a model, from observed to future poses, in float64 on the CPU.

    Args:
        model: A trained model; it is not changed. Its running statistics are used, whatever mode it is in.

    Returns:
        A module of ``(batch, observed_frames, joints, 3)`` to ``(batch, future_frames, joints, 3)``.

    Raises:
        ConfigError: There is no rule for this class of models, or one of its layers.

    Examples:
        >>> import torch
        >>> from posegraph import registry
        >>> from posegraph.inference import fold_model
        >>> model = registry.build("traj-gcn", channels=8, num_blocks=1).eval().double()
        >>> observed = torch.randn(2, 10, 22, 3).double()
        >>> bool((fold_model(model)(observed) - model.predict(observed)).abs().max() < 1e-12)
        True
    """
    rule = _RULES.get(type(model))  # not a subclass, which may compute something else
    if rule is None:
        raise ConfigError(
            f"fold: expected a model with a folded form, got {type(model).__name__}. Forecast with the model itself."
        )
    return rule(model)


def is_foldable(model: ForecastModel) -> bool:
    """Whether `fold_model` has a rule for the class of a model and all its layers."""
    try:
        fold_model(model)
    except ConfigError:
        return False
    return True


def _fold_traj_gcn(model: TrajGCN) -> FoldedForecast:
    basis = as_double(model.dct.basis) if isinstance(model.dct, DCT) else None
    ends = _ends(model, model.start, model.head, basis=basis, global_residual=model.config.global_residual)
    all_move = len(model.skeleton.moving) == 3 * model.num_joints
    return _forecast([fold(model.stage)], ends, moving=None if all_move else model.moving.cpu())


def _fold_msrgcn(model: MSRGCN) -> FoldedForecast:
    widen, follow = model.start
    join, head = _two(model.end[0])
    ends = _ends(model, widen, head, normalizer=model.normalizer, global_residual=model.config.global_residual)
    first, *coarser = model.encoder
    pyramid = _Pyramid(
        encoder=[FoldedResidual([fold(follow), fold(first)], skip=False), *map(fold, coarser)],
        down=map(fold, model.down),
        up=map(fold, model.up),
        decoder=map(fold, model.decoder),
        join=_joined(join),
    )
    return _forecast([pyramid], ends)


def _fold_msrgcn_released(model: MSRGCNReleased) -> FoldedForecast:
    stage, head = _two(model.end[0])
    config = model.config
    ends = _ends(
        model,
        model.start,
        head,
        basis=as_double(model.dct.basis),
        normalizer=model.normalizer,
        global_residual=config.global_residual,
    )
    if len(config.channels) == 1 and config.e3_input == "d3":  # the finest head is the coarsest one
        return _forecast([fold(model.encoder[0]), fold(stage)], ends)
    pyramid = _Pyramid(
        encoder=map(fold, model.encoder),
        down=map(fold, model.down),
        up=map(fold, model.up),
        decoder=map(fold, model.decoder),
        merge=map(_joined, model.crop),
    )
    return _forecast([pyramid, fold(stage)], ends)


@dataclass(frozen=True)
class _Ends:
    """First layer, on observed trajectories; last map, to future ones; and the linear map around both."""

    first: FoldedLayer
    last: FoldedLayer
    skip: torch.Tensor | None
    """``(future_frames, observed_frames)``."""


def _ends(
    model: ForecastModel,
    start: nn.Module,
    head: nn.Module,
    *,
    basis: torch.Tensor | None = None,
    normalizer: MinMaxNormalizer | None = None,
    global_residual: bool,
) -> _Ends:
    r"""Fold what is linear in time into both ends.

    The network reads $a X P C^\top + c$, where $P$ repeats the last frame, $C$ is the DCT basis, and $a, c$ normalise;
    its output $O$ becomes $(O - c) / a \cdot C$. With the global residual the constants cancel.
    """
    frames = torch.eye(model.observed_frames, dtype=torch.float64)
    pad = torch.cat([frames, frames[:, -1:].expand(-1, model.future_frames)], dim=1)
    basis = torch.eye(model.total_frames, dtype=torch.float64) if basis is None else basis
    factor, offset = 1.0, 0.0
    if normalizer is not None:
        low, high = float(normalizer.minimum), float(normalizer.maximum)
        factor, offset = 2 / (high - low), -2 * low / (high - low) - 1
    if not isinstance(start, GraphConvBlock):
        raise ConfigError(f"fold: expected a GraphConvBlock at the start, got {type(start).__name__}.")
    future = basis[:, model.observed_frames :]
    num_nodes = len(model.skeleton.moving)
    entry = affine(start.operator).after_channels(factor * pad @ basis.T, offset, num_nodes)
    exit_ = affine(head).before_channels(future / factor, 0.0 if global_residual else -offset)
    return _Ends(
        first=with_tail([entry], start.tail),
        last=FoldedLayer([exit_]),
        skip=(pad @ basis.T @ future).T.contiguous() if global_residual else None,
    )


def _joined(block: nn.Module) -> FoldedLayer:
    """A block that reads two inputs side by side, along the channels or the nodes, as one of two inputs."""
    match block:
        case GraphConvBlock():
            joined = affine(block.operator)
            assert joined.right is not None
            first, second = ({"right": right} for right in joined.right.chunk(2, dim=0))
        case ResampleBlock():
            joined = affine(block.resample)
            assert joined.left is not None
            first, second = ({"left": left.contiguous()} for left in joined.left.chunk(2, dim=1))
        case _:
            raise ConfigError(f"fold: expected a block that joins two inputs, got {type(block).__name__}.")
    return with_tail([replace(joined, **first), replace(joined, **second, shift=None)], block.tail)


def _two(modules: nn.Module) -> tuple[nn.Module, nn.Module]:
    """The parts of a head: what precedes the last operator, and that operator."""
    assert isinstance(modules, nn.Sequential)
    first, second = modules
    return first, second


def _forecast(body: Iterable[nn.Module], ends: _Ends, moving: torch.Tensor | None = None) -> FoldedForecast:
    return FoldedForecast(FoldedNetwork(ends.first, *body, ends.last), ends.skip, moving)


class _Pyramid(nn.Module):
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


class FoldedForecast(nn.Module):
    """A network from observed to future poses, and the linear map around it.

    Args:
        network: The nonlinear part.
        skip: Matrix ``(future_frames, observed_frames)`` of the sum around it; None for no sum.
        moving: Coordinates that the network sees; the others keep their last value. None for all.

    Shape:
        - Input: ``(batch, observed_frames, joints, 3)``
        - Output: ``(batch, future_frames, joints, 3)``, contiguous, never shared with a later call
    """

    skip: torch.Tensor | None
    moving: torch.Tensor | None

    def __init__(self, network: FoldedNetwork, skip: torch.Tensor | None, moving: torch.Tensor | None = None) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("skip", skip)
        self.register_buffer("moving", moving)

    def forward(self, observed: torch.Tensor) -> torch.Tensor:
        """Forecast; shapes as in the class."""
        return self.complete(observed, self.network)

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


_RULES: dict[type[ForecastModel], Callable[[Any], FoldedForecast]] = {
    TrajGCN: _fold_traj_gcn,
    MSRGCN: _fold_msrgcn,
    MSRGCNReleased: _fold_msrgcn_released,
}
