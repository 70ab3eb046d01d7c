"""A model made ready to forecast as fast as this machine can."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, cast, get_args

import torch

from posegraph._checks import check_choice, check_positive
from posegraph.errors import ConfigError
from posegraph.inference import choice
from posegraph.inference.backends import BACKENDS, Backend, Precision, Run, find
from posegraph.inference.networks import FoldedForecast, fold_model, is_foldable
from posegraph.models.base import ForecastModel

__all__ = ["BackendName", "OptimizedForecaster", "optimize"]

BackendName = Literal["auto", "plain", "eager", "onnx", "openvino", "compile", "aot"]
"""Name of a backend; see `optimize`."""
_TOLERANCE = {"fp32": 1e-5, "bf16": 5e-2}  # of a candidate, relative to PyTorch: beyond it, something is broken


class OptimizedForecaster:
    """Forecasts like the model that it was made from; `optimize` makes it.

    It holds the weights that the model had then. One object serves one thread at a time.

    Examples:
        >>> import torch, posegraph
        >>> from posegraph import registry
        >>> model = registry.build("traj-gcn", channels=16, num_blocks=2)
        >>> fast = posegraph.optimize(model, backend="eager")
        >>> fast(torch.zeros(1, 10, 22, 3)).shape, fast.backend
        (torch.Size([1, 25, 22, 3]), 'eager')
    """

    def __init__(
        self,
        model: ForecastModel,
        *,
        backend: str,
        precision: Precision,
        batch_size: int | None,
        milliseconds: Mapping[str, float] | None = None,
    ) -> None:
        self.model = model
        """The plain model that this one follows: a copy, in evaluation mode."""
        self.backend = backend
        """Name of the backend that runs."""
        self.precision = precision
        """What it computes in."""
        self.batch_size = batch_size
        """Number of windows that it was made for; None for any."""
        self.milliseconds: Mapping[str, float] = MappingProxyType(dict(milliseconds or {}))
        """Time of a forecast of ``batch_size`` windows with each backend, if the backend was chosen by time."""
        self._plans: _Plans | None = None
        if backend != "plain":
            self._plans = _Plans(model, BACKENDS[backend], precision, batch_size)

    @torch.no_grad()
    def predict(self, observed: torch.Tensor, action: torch.Tensor | None = None) -> torch.Tensor:
        """Forecast the future poses, without gradients.

        Args:
            observed: Poses ``(batch, observed_frames, joints, 3)`` on the CPU; any batch, whatever ``batch_size`` is.
            action: Labels ``(batch,)``, for models that take them.

        Returns:
            Poses ``(batch, future_frames, joints, 3)`` float32, in memory of their own.

        Raises:
            ShapeError: ``observed`` has another shape.
            ConfigError: ``observed`` is not on the CPU.
        """
        self.model.check_observed(observed)
        if observed.device.type != "cpu":
            raise ConfigError(f"observed poses: expected them on the CPU, got {observed.device}. Call `.cpu()` first.")
        observed = observed.to(self.model.dtype if self._plans is None else torch.float32)
        if self._plans is not None:
            return self._plans(observed)
        return self.model.predict(observed) if action is None else self.model.predict(observed, action)  # type: ignore[call-arg]

    __call__ = predict

    def __repr__(self) -> str:
        name = self.model.registry_name or type(self.model).__name__
        return f"OptimizedForecaster({name!r}, backend={self.backend!r}, precision={self.precision!r})"


class _Plans:
    """One prepared network for single windows, one for the chosen batch size, one for all others.

    Each is prepared when it is first needed. All share the folded weights.
    """

    def __init__(self, model: ForecastModel, backend: Backend, precision: Precision, batch_size: int | None) -> None:
        self._forecast: FoldedForecast = fold_model(model).float().eval()
        self._backend = backend
        self._precision: Precision = precision
        self._batch_size = batch_size
        self._nodes = model.observed_frames, len(model.skeleton.moving)
        self._runs: dict[int | None, Run] = {}
        self._run(self._size(batch_size or 1))

    def __call__(self, observed: torch.Tensor) -> torch.Tensor:
        size = observed.shape[0]
        if not size:
            return self._forecast(observed)
        return self._forecast.complete(observed, self._run(self._size(size)))

    def _size(self, size: int) -> int | None:
        """Which plan serves a batch: 1, the chosen size, or None for any."""
        fixed = size == self._batch_size and not self._backend.any_batch
        return size if size == 1 or fixed else None

    def _run(self, size: int | None) -> Run:
        if size not in self._runs:
            able = size is not None or self._backend.any_batch
            backend = self._backend if able else BACKENDS["eager"]
            shape = self._nodes if size == 1 else (size, *self._nodes)
            with torch.no_grad():  # as in every forecast, or torch.compile would compile again
                self._runs[size] = backend.prepare(self._forecast.network, shape, self._precision)
        return self._runs[size]


def optimize(
    model: ForecastModel,
    *,
    batch_size: int | None = None,
    precision: Precision = "fp32",
    backend: BackendName = "auto",
) -> OptimizedForecaster:
    """Make a model ready to forecast as fast as this machine can, on the CPU.

    The forecasts are those of ``model.eval().predict``, to about 1e-6 of the largest coordinate in fp32. Batch norm
    becomes part of the layers before it, heads that only training needs are left out, and what is linear in time
    (padding, DCT, normalisation) becomes part of the first and last layer. Models that have no such form keep their
    own code, as backend "plain".

    Args:
        model: A trained model on the CPU. It is not changed; its later changes have no effect.
        batch_size: Number of windows a call to be fast for; by default 1. Other numbers work as well.
        precision: ``"fp32"``, or ``"bf16"`` for products in bfloat16: faster for large batches where the processor
            has instructions for them. What the network adds to the last pose then has an error of about 1e-2 of its
            largest value with MSR-GCN, and up to 1e-1 with Traj-GCN, whose input is not normalised.
        backend: ``"auto"`` measures PyTorch and the runtimes that are installed, once for each machine and kind of
            model, and takes the quickest. ``"eager"``, ``"onnx"`` (ONNX Runtime), ``"openvino"``, ``"compile"``
            (torch.compile) and ``"aot"`` (AOTInductor) name one; the last two run a C++ compiler for up to a minute,
            so "auto" leaves them out. ``"plain"`` is the model as it is.

    Returns:
        An object with the same ``predict(observed)``.

    Raises:
        ConfigError: The model is not on the CPU or has no folded form, or there is no such precision or backend here.
        MissingDependencyError: A package or compiler for the backend is not installed.

    Examples:
        >>> import torch, posegraph
        >>> from posegraph import registry
        >>> model = registry.build("msrgcn", channels=16, num_blocks=1).eval()
        >>> fast = posegraph.optimize(model)
        >>> observed = 300 * torch.randn(4, 10, 22, 3)
        >>> with torch.no_grad():
        ...     expected = model.predict(observed)
        >>> bool((fast.predict(observed) - expected).abs().max() < 1e-5 * expected.abs().max())
        True
    """
    check_choice("precision", precision, get_args(Precision))
    check_choice("backend", backend, get_args(BackendName))
    if batch_size is not None:
        check_positive(batch_size=batch_size)
    if model.device.type != "cpu":
        raise ConfigError(
            f"device: expected a model on the CPU, the only one that this works on, got one on {model.device}. "
            "Move it with model.cpu(), or forecast with model.predict there."
        )
    copied = copy.deepcopy(model).eval()
    foldable = is_foldable(copied)
    if backend == "plain" or (backend == "auto" and not foldable and precision == "fp32"):
        if precision != "fp32":
            raise ConfigError(f"precision: backend 'plain' computes in the model's own type, got {precision!r}.")
        return OptimizedForecaster(copied, backend="plain", precision=precision, batch_size=batch_size)
    if not foldable:
        raise ConfigError(
            f"backend {backend!r}, precision {precision!r}: expected a model with a folded form, got "
            f"{type(model).__name__} with {model.config}. Use backend 'plain' and precision 'fp32', or 'auto'."
        )
    if backend != "auto":
        find(backend, precision)
        return OptimizedForecaster(copied, backend=backend, precision=precision, batch_size=batch_size)
    times = _times(copied, batch_size, precision)
    quickest = min(times, key=times.__getitem__)
    return OptimizedForecaster(copied, backend=quickest, precision=precision, batch_size=batch_size, milliseconds=times)


def _times(model: ForecastModel, batch_size: int | None, precision: Precision) -> dict[str, float]:
    """Milliseconds of a call with each backend, remembered or measured."""
    key = choice.question(model, batch_size or 1, precision)
    usable = [
        name
        for name, backend in BACKENDS.items()
        if backend.quick and precision in backend.precisions and backend.missing() is None
    ]
    known = choice.recall(key)
    if known is not None and set(known) <= set(usable):
        return known
    generator = torch.Generator().manual_seed(0)
    shape = (batch_size or 1, model.observed_frames, model.num_joints, 3)
    observed = 300 * torch.randn(shape, generator=generator)
    candidates = {
        name: OptimizedForecaster(model, backend=name, precision=precision, batch_size=batch_size) for name in usable
    }
    expected = candidates["eager"](observed)
    tolerance = _TOLERANCE[precision] * expected.abs().max()
    sound: dict[str, Run] = {
        name: cast(Run, candidate)
        for name, candidate in candidates.items()
        if name == "eager" or (candidate(observed) - expected).abs().max() <= tolerance
    }
    times = choice.measure(sound, observed)
    choice.remember(key, times)
    return times
