"""The form of a model that fast backends run: a network, and what stands around it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

__all__ = ["Folded", "ModelForecast", "Shape"]

Shape = tuple[int | None, ...]
"""Shape of a network's input; None leaves the batch open. Layered networks take a single window without a batch."""


class Folded(nn.Module):
    """From observed to future poses, in two parts: ``network``, which backends compile, and the rest, in PyTorch.

    A subclass sets ``network`` and implements `complete` and `input_shape`.

    Shape:
        - Input: ``(batch, observed_frames, joints, 3)``
        - Output: ``(batch, future_frames, joints, 3)``, contiguous, never shared with a later call
    """

    network: nn.Module
    """What a backend compiles, or replaces by another form of it."""

    def forward(self, observed: torch.Tensor) -> torch.Tensor:
        """Forecast; shapes as in the class."""
        return self.complete(observed, self.network)

    def complete(self, observed: torch.Tensor, network: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        """Forecast with ``network``, some other form of the network, which may use its output buffer again."""
        raise NotImplementedError(f"{type(self).__name__} must implement complete(observed, network).")

    def input_shape(self, size: int | None) -> Shape:
        """Shape of the network's input for a number of windows, None for any."""
        raise NotImplementedError(f"{type(self).__name__} must implement input_shape(size).")


class ModelForecast(Folded):
    """A module from observed to future poses as it is: what serves every model.

    Args:
        network: From ``(batch, observed_frames, joints, 3)`` to ``(batch, future_frames, joints, 3)``; or a model,
            whose `predict` is that.
        observed_shape: ``(observed_frames, joints, 3)``.

    Examples:
        >>> import torch
        >>> from posegraph.folding.forecast import ModelForecast
        >>> from posegraph.models import ZeroVelocity
        >>> form = ModelForecast(ZeroVelocity(future_frames=5), (10, 22, 3))
        >>> form(torch.zeros(2, 10, 22, 3)).shape, form.input_shape(None)
        (torch.Size([2, 5, 22, 3]), (None, 10, 22, 3))
    """

    def __init__(self, network: nn.Module, observed_shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.network = _Predict(network) if hasattr(network, "predict") else network
        self.observed_shape = observed_shape

    @property
    def is_plain(self) -> bool:
        """Whether the network is the model's own code."""
        return isinstance(self.network, _Predict)

    def complete(self, observed: torch.Tensor, network: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        """Forecast with some other form of the network."""
        future = network(observed)
        return future if network is self.network else future.clone(memory_format=torch.contiguous_format)

    def input_shape(self, size: int | None) -> Shape:
        """Shape of the network's input: the observed poses."""
        return (size, *self.observed_shape)


class _Predict(nn.Module):
    """A model whose `predict` is the forward pass."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, observed: torch.Tensor) -> torch.Tensor:
        return self.model.predict(observed)
