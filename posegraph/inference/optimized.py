"""A model made ready to forecast by one backend."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch

from posegraph._support.device import Precision
from posegraph.errors import ConfigError
from posegraph.folding.forecast import Folded
from posegraph.inference.backends import BACKENDS, Backend
from posegraph.inference.prepared import PreparedForecast
from posegraph.inference.recording import CudaRecorder, RecordedForecast, Recorder
from posegraph.models.base import ForecastModel

__all__ = ["OptimizedForecaster", "folded_form"]


class OptimizedForecaster:
    """Forecasts like the model that it was made from; `optimize` makes it.

    It holds the weights that the model had then. It may be called from several threads at once.

    Examples:
        >>> import torch, posegraph
        >>> from posegraph import registry
        >>> model = registry.build("traj-gcn", channels=16, num_blocks=2)
        >>> fast = posegraph.optimize(model, backend="eager")
        >>> fast(torch.zeros(1, 10, 22, 3)).shape, fast.backend, fast.device
        (torch.Size([1, 25, 22, 3]), 'eager', device(type='cpu'))
        >>> fast.explanation
        "backend 'eager', as asked for: PyTorch, operation by operation"
    """

    def __init__(
        self,
        model: ForecastModel,
        *,
        backend: str,
        precision: Precision,
        batch_size: int | None,
        folded: Folded | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self.model = model
        """The plain model that this one follows: a copy, in evaluation mode."""
        self.backend = backend
        """Name of the backend that runs."""
        self.precision: Precision = precision
        """What it computes in."""
        self.batch_size = batch_size
        """Number of windows that it was made for; None for any."""
        self.device = model.device
        """Where it computes: where the model was."""
        self.milliseconds: Mapping[str, float] = MappingProxyType({})
        """Time of a forecast of ``batch_size`` windows with each backend, if the backend was chosen by time."""
        summary = "the model as it is, no faster" if backend == "plain" else BACKENDS[backend].summary
        self.explanation = f"backend {backend!r}, as asked for: {summary}"
        """Which backend runs, and why this one: times of all that were tried, and why others were not."""
        self._forecast: PreparedForecast | RecordedForecast | None = None
        if backend != "plain":
            if recorder is None and model.device.type == "cuda":
                recorder = CudaRecorder(model.device)
            folded = folded_form(model) if folded is None else folded
            self._forecast = _prepare(model, folded, BACKENDS[backend], precision, batch_size, recorder)

    @property
    def changes_nothing(self) -> bool:
        """Whether it forecasts with the model's own code, so that nothing is gained; `explanation` says why."""
        return self.backend == "plain"

    @property
    def captured_sizes(self) -> tuple[int, ...]:
        """Numbers of windows that are recorded as CUDA graphs by now; batches between them are filled up."""
        return self._forecast.recorded if isinstance(self._forecast, RecordedForecast) else ()

    @torch.no_grad()
    def predict(self, observed: torch.Tensor, action: torch.Tensor | None = None) -> torch.Tensor:
        """Forecast the future poses, without gradients.

        Args:
            observed: Poses ``(batch, observed_frames, joints, 3)`` on the CPU or on ``device``; any batch, whatever
                ``batch_size`` is.
            action: Labels ``(batch,)``, for models that take them.

        Returns:
            Poses ``(batch, future_frames, joints, 3)`` float32 on the device of ``observed``, in memory of their own.

        Raises:
            ShapeError: ``observed`` has another shape.
            ConfigError: ``observed`` is on another device.
        """
        self.model.check_observed(observed)
        if observed.device not in (self.device, torch.device("cpu")):
            where = "the CPU" if self.device.type == "cpu" else f"the CPU or {self.device}"
            raise ConfigError(f"observed poses: expected them on {where}, got {observed.device}. Call `.cpu()` first.")
        match self._forecast:
            case RecordedForecast():
                return self._forecast(observed)
            case PreparedForecast():
                return self._forecast(observed.to(self.device, torch.float32)).to(observed.device)
            case None:
                placed = observed.to(self.device, self.model.dtype)
                labels = () if action is None else (action.to(self.device),)
                return self.model.predict(placed, *labels).to(observed.device)

    __call__ = predict

    def __repr__(self) -> str:
        name = self.model.registry_name or type(self.model).__name__
        return (
            f"OptimizedForecaster({name!r}, backend={self.backend!r}, precision={self.precision!r}, "
            f"device={str(self.device)!r})"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        # What a backend prepared cannot be copied or written to a file: a copy prepares its own, of the same weights.
        settings = {"backend": self.backend, "precision": self.precision, "batch_size": self.batch_size}
        return _prepare_again, (self.model, settings, dict(self.milliseconds), self.explanation)


def _prepare_again(
    model: ForecastModel, settings: dict[str, Any], milliseconds: dict[str, float], explanation: str
) -> OptimizedForecaster:
    forecaster = OptimizedForecaster(model, **settings)
    forecaster.milliseconds, forecaster.explanation = MappingProxyType(milliseconds), explanation
    return forecaster


def _prepare(
    model: ForecastModel,
    folded: Folded,
    backend: Backend,
    precision: Precision,
    batch_size: int | None,
    recorder: Recorder | None,
) -> PreparedForecast | RecordedForecast:
    prepared = PreparedForecast(folded, backend, precision, batch_size=batch_size, few_sizes=recorder is not None)
    if recorder is None or not backend.recorded:
        return prepared
    return RecordedForecast(
        prepared.for_size,
        recorder,
        observed_shape=(model.observed_frames, model.num_joints, 3),
        future_shape=(model.future_frames, model.num_joints, 3),
        batch_size=batch_size,
    )


def folded_form(model: ForecastModel) -> Folded:
    """The form that backends run, in float32 where the model is."""
    return model.folded().float().to(model.device)
