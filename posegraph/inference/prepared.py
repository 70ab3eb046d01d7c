"""The forecast of a model by a backend, prepared for single windows, for the batch asked for, and for all others."""

from __future__ import annotations

import threading
from collections.abc import Callable

import torch

from posegraph._support.device import Precision
from posegraph.folding.forecast import Folded
from posegraph.inference.backends import BACKENDS, Backend, Run
from posegraph.inference.products import exact_products

__all__ = ["PreparedForecast"]

_ANY_OTHER = 0  # a size that nobody asked for


class PreparedForecast:
    """Prepared networks for single windows, for the chosen batch size, and for all others.

    All share the folded weights. Sizes that the backend cannot be prepared for in a moment run in eager PyTorch. It may
    be called from several threads at once.

    Args:
        forecast: The folded model in float32, on the device that it shall run on; it is not changed.
        backend: What runs its network.
        precision: What the network computes in.
        batch_size: Number of windows a call to be fast for.
        few_sizes: There will be calls of few sizes only, so each may have a plan of its own.

    Shape:
        - Input: ``(batch, observed_frames, joints, 3)`` float32 on the device
        - Output: ``(batch, future_frames, joints, 3)``
    """

    def __init__(
        self,
        forecast: Folded,
        backend: Backend,
        precision: Precision,
        *,
        batch_size: int | None,
        few_sizes: bool = False,
    ) -> None:
        self._forecast, self._backend = forecast, backend
        self._precision: Precision = precision
        self._batch_size, self._few_sizes = batch_size, few_sizes
        tensors = (*forecast.parameters(), *forecast.buffers())
        self._device = next((tensor.device for tensor in tensors), torch.device("cpu"))
        self._runs: dict[int | None, Run] = {}
        self._ready: dict[int, Run] = {}
        self._preparing = threading.Lock()
        # All at once rather than when they first come: tracing a network must not meet calls of other threads.
        for size in (batch_size or 1,) if few_sizes else dict.fromkeys((batch_size or 1, 1, _ANY_OTHER)):
            self.for_size(size)

    def __call__(self, observed: torch.Tensor) -> torch.Tensor:
        """Forecast; shapes as in the class."""
        size = observed.shape[0]
        if not size:
            return self._forecast(observed)
        run = self._ready.get(size)  # asking for a plan takes a tenth of the time of a small model
        if run is None:
            run = self._ready[size] = self._run(self._plan(size))
        if self._device.type == "cpu" and not torch.is_autocast_enabled("cpu"):
            return self._forecast.complete(observed, run)
        with exact_products(self._device):
            return self._forecast.complete(observed, run)

    def for_size(self, size: int) -> Callable[[torch.Tensor], torch.Tensor]:
        """The forecast for batches of one size, prepared."""
        run = self._run(self._plan(size))
        return lambda observed: self._forecast.complete(observed, run)

    def _plan(self, size: int) -> int | None:
        """Which plan serves a batch: one for its size, or None for any."""
        own = size == self._batch_size or (self._few_sizes and self._backend.quick)
        if size == 1:
            single = self._forecast.input_shape(1)
            other_axes = len(single) < len(self._forecast.input_shape(None))
            return 1 if other_axes or self._backend.faster_fixed or not self._backend.any_batch else None
        return size if own and not self._backend.any_batch else None

    def _run(self, plan: int | None) -> Run:
        with self._preparing:
            if plan not in self._runs:
                self._prepare(plan)
            return self._runs[plan]

    def _prepare(self, plan: int | None) -> None:
        able = plan is not None or self._backend.any_batch
        backend = self._backend if able else BACKENDS["eager"]
        shape = self._forecast.input_shape(plan)
        # Outside of inference mode and without gradients, as in every forecast: compilers ask for both.
        with torch.inference_mode(False), torch.no_grad(), exact_products(self._device):
            self._runs[plan] = backend.prepare(self._forecast.network, shape, self._precision, self._device)
