"""Models as they are after training, and poses for them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import torch

import posegraph
from benchmarks.harness import counts
from posegraph import registry
from posegraph.errors import PosegraphError
from posegraph.layers.normalizers import MinMaxNormalizer
from posegraph.models.base import ForecastModel
from posegraph.skeleton.skeleton import Skeleton


@dataclass(frozen=True)
class Subject:
    """A model on a device, and what is known of it."""

    model: ForecastModel
    device: str

    @cached_property
    def exact(self) -> ForecastModel:
        """The same model in float64."""
        return copy.deepcopy(self.model).double()

    @cached_property
    def flop(self) -> int:
        """Of a forecast of one window by the plain model."""
        return counts.flop(self._forecast(self.model))

    @cached_property
    def flop_folded(self) -> int:
        """Of the folded form, which leaves out what forecasts do not need; of the plain model if it has none."""
        try:
            folded = posegraph.optimize(self.model, backend="eager")
        except PosegraphError:
            return self.flop
        return counts.flop(lambda: folded.predict(torch.zeros(self._shape), *self.labels(1)))

    @cached_property
    def flop_step(self) -> int:
        """Of a forward and backward pass for one window."""

        def step() -> None:
            window = torch.zeros(1, self.model.total_frames, self.model.num_joints, 3, device=self.device)
            outputs = self.model(window[:, : self.model.observed_frames], *self.labels(1))
            self.model.loss(outputs, window).backward()
            self.model.zero_grad(set_to_none=True)

        return counts.flop(step)

    @cached_property
    def weight_bytes(self) -> int:
        return sum(4 * parameter.numel() for parameter in self.model.parameters())

    def pose_bytes(self, batch: int) -> int:
        """Of observed and future poses in float32."""
        return 4 * batch * self.model.total_frames * self.model.num_joints * 3

    def labels(self, batch: int) -> tuple[torch.Tensor, ...]:
        """What a model takes besides poses: action labels, if any."""
        return (torch.zeros(batch, dtype=torch.long, device=self.device),) if self.model.actions else ()

    @property
    def _shape(self) -> tuple[int, ...]:
        return 1, self.model.observed_frames, self.model.num_joints, 3

    def _forecast(self, model: ForecastModel) -> Callable[[], torch.Tensor]:
        def forecast() -> torch.Tensor:
            with torch.no_grad():
                return model.predict(torch.zeros(self._shape, device=self.device), *self.labels(1))

        return forecast


@lru_cache(maxsize=20)
def subject(
    name: str,
    device: str = "cpu",
    *,
    joints: int | None = None,
    future_frames: int | None = None,
    settings: tuple[tuple[str, Any], ...] = (),
) -> Subject:
    """A model with random weights, norms and ranges, all unlike those of a new one, so that there is work to fold.

    Args:
        name: Registry name.
        device: "cpu" or "cuda".
        joints: Of a chain, in place of the Human3.6M skeleton.
        future_frames: By default the model's own.
        settings: Changes of the model's settings.
    """
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    skeleton = "h36m" if joints is None else chain(joints)
    model = registry.build(name, skeleton=skeleton, future_frames=future_frames, **dict(settings)).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0, 0.5, generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
        elif isinstance(module, MinMaxNormalizer):
            module.set_values(-900.0, 1150.0)
    _fill(model, generator)
    return Subject(model.to(device), device)


@torch.no_grad()
def _fill(model: ForecastModel, generator: torch.Generator) -> None:
    """Give what a network begins with as zeros other values: one that repeats the last pose has no error to be seen.

    The last matrix of them is scaled so that the network moves joints by about as much as poses are long.
    """
    zeros = [parameter for parameter in model.parameters() if not parameter.any()]
    for parameter in zeros:
        parameter.normal_(0, 0.02, generator=generator)
    matrices = [parameter for parameter in zeros if parameter.ndim > 1]
    if matrices:
        (poses,) = random_poses(1, model.observed_frames, model.num_joints, count=1)
        added = model.predict(poses, *Subject(model, "cpu").labels(1)) - poses[:, -1:]
        matrices[-1].mul_(poses.std() / added.std())


def random_poses(batch: int, frames: int, joints: int, *, count: int = 4) -> list[torch.Tensor]:
    """Several batches of random poses in mm, in host memory."""
    generator = torch.Generator().manual_seed(1)
    return [300 * torch.randn(batch, frames, joints, 3, generator=generator) for _ in range(count)]


def chain(joints: int) -> Skeleton:
    """A skeleton of so many joints in a row; its coarser scales join neighbours."""
    names = tuple(f"joint{number}" for number in range(joints))
    return Skeleton("chain", names, tuple(range(-1, joints - 1)))
