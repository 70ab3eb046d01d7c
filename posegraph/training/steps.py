"""One step of training: gather a batch, compute loss and gradients, update the weights.

`PlainStep` says what a step is. `StackedStep` takes it for several models at once, and `posegraph.training.graphs`
replays either of them as one CUDA graph.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import torch
from torch import nn

from posegraph._support.device import DTYPES, Precision
from posegraph.errors import ConfigError
from posegraph.layers import Dropout
from posegraph.models.base import ForecastModel
from posegraph.recipe import Optimizer
from posegraph.training.batches import Batches

__all__ = [
    "PlainStep",
    "StackedStep",
    "Step",
    "make_optimizer",
    "set_learning_rate",
    "stack",
]

_OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}


class Step(Protocol):
    """An update of the weights."""

    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler

    def __call__(self, numbers: torch.Tensor) -> torch.Tensor:
        """Update the weights by the windows of these numbers.

        Args:
            numbers: Window numbers ``(batch,)``, or ``(seeds, batch)`` for several models.

        Returns:
            Loss before the update ``()``, or ``(seeds,)``, without gradient; it may be overwritten by the next call.
        """
        ...


def make_optimizer(
    settings: Optimizer, parameters: Iterable[nn.Parameter], device: torch.device, *, fused: bool
) -> torch.optim.Optimizer:
    """The optimiser of a recipe.

    Args:
        settings: What to make.
        parameters: What it updates.
        device: Where they are.
        fused: One kernel for all parameters. On a GPU the learning rate then lies on the device as well, so that a
            recorded step sees it change.
    """
    rate: float | torch.Tensor = settings.learning_rate
    options: dict[str, Any] = {"fused": True} if fused else {}
    if fused and device.type == "cuda":
        rate = torch.tensor(rate, device=device)
        if settings.kind == "adam":
            options["capturable"] = True
    return _OPTIMIZERS[settings.kind](parameters, lr=rate, weight_decay=settings.weight_decay, **options)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of all parameters, in place where it lies on a device."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


class PlainStep:
    """A step of one model.

    Args:
        model: Model whose loss is minimised.
        batches: Where windows come from.
        optimizer: Updates the model's parameters.
        network: What is called for the outputs; the model, possibly compiled or wrapped for several processes.
        precision: Number type of the layers.
        clip_norm: Largest norm of the gradient; None for any.
    """

    def __init__(
        self,
        model: ForecastModel,
        batches: Batches,
        optimizer: torch.optim.Optimizer,
        *,
        network: Callable[..., tuple[torch.Tensor, ...]] | None = None,
        precision: Precision = "fp32",
        clip_norm: float | None = None,
    ) -> None:
        self.model, self.batches, self.optimizer = model, batches, optimizer
        self.network = model if network is None else network
        self.precision: Precision = precision
        self.clip_norm = clip_norm
        self.scaler = torch.amp.GradScaler(batches.windows.device.type, enabled=precision == "fp16")

    def __call__(self, numbers: torch.Tensor) -> torch.Tensor:
        """Take the step; see `Step`."""
        return self._update(*self.batches(numbers))

    def _update(self, window: torch.Tensor, *labels: torch.Tensor) -> torch.Tensor:
        self.optimizer.zero_grad(set_to_none=True)
        with _autocast(self.precision, window.device):
            outputs = self.network(window[:, : self.model.observed_frames], *labels)
        loss = self.model.loss(tuple(output.float() for output in outputs), window)
        self.scaler.scale(loss).backward()
        if self.clip_norm is not None:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), self.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss.detach()


class StackedStep:
    """A step of several models of one kind at once, each on windows of its own.

    Their parameters become slices of shared tensors ``(seeds, ...)``, so one kernel works on all models; what the
    models themselves hold are views, which are always up to date.

    Args:
        models: Models that differ in nothing but their weights.
        batches: Where windows come from.
        settings: Optimiser and clipping.
        precision: Number type of the layers; not "fp16", whose loss scale would be one for all.
        fused: See `make_optimizer`.
        compiled: Compile the computation of the losses.

    Raises:
        ConfigError: A model has frozen parameters, or computes with operations that `torch.func.vmap` cannot batch.
    """

    def __init__(
        self,
        models: Sequence[ForecastModel],
        batches: Batches,
        settings: Optimizer,
        *,
        precision: Precision = "fp32",
        fused: bool = False,
        compiled: bool = False,
    ) -> None:
        self.batches, self.precision, self.clip_norm = batches, precision, settings.clip_norm
        if not all(parameter.requires_grad for model in models for parameter in model.parameters()):
            raise ConfigError(
                "models: expected all parameters to be trained, got frozen ones. Train such models one by one."
            )
        self._template = _LossOf(copy.deepcopy(models[0]).train())
        for module in self._template.modules():
            if isinstance(module, Dropout):
                module.shared_draws = False
        self.parameters, self.buffers = stack(models)
        device = batches.windows.device
        self.optimizer = make_optimizer(settings, self.parameters.values(), device, fused=fused)
        self.scaler = torch.amp.GradScaler(device.type, enabled=False)
        self._losses = torch.compile(self._batched, dynamic=False) if compiled else self._batched

    def __call__(self, numbers: torch.Tensor) -> torch.Tensor:
        """Take the step; see `Step`."""
        window, *labels = self.batches(numbers)
        self.optimizer.zero_grad(set_to_none=True)
        losses = self._losses(window, *labels)
        losses.sum().backward()
        if self.clip_norm is not None:
            _clip_each(self.parameters.values(), self.clip_norm)
        self.optimizer.step()
        return losses.detach()

    def _batched(self, window: torch.Tensor, *labels: torch.Tensor) -> torch.Tensor:
        def one(parameters: dict[str, torch.Tensor], buffers: dict[str, torch.Tensor], *batch: torch.Tensor) -> Any:
            return torch.func.functional_call(self._template, (parameters, buffers), (self.precision, *batch))

        try:
            losses = torch.func.vmap(one, randomness="different")
            return losses(dict(self.parameters), dict(self.buffers), window, *labels)
        except RuntimeError as error:
            if "vmap" not in str(error):
                raise
            name = type(self._template.model).__name__
            raise ConfigError(
                f"seeds: expected a model whose operations torch.func.vmap can batch, but {name} has one that it "
                f"cannot: {error} Train the seeds one by one."
            ) from error


class _LossOf(nn.Module):
    """A model as a function from a batch to its loss."""

    def __init__(self, model: ForecastModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, precision: Precision, window: torch.Tensor, *labels: torch.Tensor) -> torch.Tensor:
        with _autocast(precision, window.device):
            outputs = self.model(window[:, : self.model.observed_frames], *labels)
        return self.model.loss(tuple(output.float() for output in outputs), window)


def stack(models: Sequence[ForecastModel]) -> tuple[dict[str, nn.Parameter], dict[str, torch.Tensor]]:
    """Put parameters, and buffers that are part of the weights, into shared tensors, and leave views in the models.

    Args:
        models: Models that differ in nothing but their weights.

    Returns:
        Parameters and buffers ``(seeds, ...)`` by name, as `_LossOf` calls them.
    """
    parameters: dict[str, nn.Parameter] = {}
    buffers: dict[str, torch.Tensor] = {}
    for name, _ in models[0].named_parameters():
        own = [model.get_parameter(name) for model in models]
        shared = nn.Parameter(torch.stack([parameter.detach() for parameter in own]))
        for number, parameter in enumerate(own):
            parameter.data = shared.data[number]
        parameters[f"model.{name}"] = shared
    stored = models[0].state_dict().keys()
    for name, _ in models[0].named_buffers():
        if name not in stored:  # made from the settings, so the same in all
            continue
        shared_buffer = torch.stack([model.get_buffer(name) for model in models])
        for number, model in enumerate(models):
            module, _, key = name.rpartition(".")
            setattr(model.get_submodule(module), key, shared_buffer[number])
        buffers[f"model.{name}"] = shared_buffer
    return parameters, buffers


def _clip_each(parameters: Iterable[nn.Parameter], largest: float) -> None:
    """Scale the gradient of each model down to a norm; the arithmetic of `torch.nn.utils.clip_grad_norm_`."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norms = torch.stack([torch.linalg.vector_norm(gradient.flatten(1), dim=1) for gradient in gradients])
    factor = (largest / (torch.linalg.vector_norm(norms, dim=0) + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(factor.view(-1, *[1] * (gradient.dim() - 1)))


def _autocast(precision: Precision, device: torch.device) -> torch.autocast:
    if DTYPES[precision] == torch.float32:
        return torch.autocast(device.type, enabled=False)
    return torch.autocast(device.type, dtype=DTYPES[precision])
