"""A model made ready to forecast as fast as its device can."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal, cast, get_args

import torch

from posegraph._support.checks import check_choice, check_positive
from posegraph.errors import ConfigError
from posegraph.folding.network import FoldedForecast, fold_model
from posegraph.inference import choice
from posegraph.inference.backends import BACKENDS, Backend, Precision, Run, find
from posegraph.inference.prepared import PreparedForecast, input_shape
from posegraph.inference.recording import CudaRecorder, RecordedForecast, Recorder
from posegraph.models.base import ForecastModel

__all__ = ["BackendName", "OptimizedForecaster", "optimize"]

BackendName = Literal[
    "auto", "plain", "eager", "static", "graph", "triton", "triton-whole", "onnx", "openvino", "compile", "aot"
]
"""Name of a backend; see `optimize`."""
_TOLERANCE = {"fp32": 1e-5, "tf32": 1e-2, "bf16": 5e-2}
"""Of a candidate, relative to PyTorch: beyond it, something is broken."""


class OptimizedForecaster:
    """Forecasts like the model that it was made from; `optimize` makes it.

    It holds the weights that the model had then. One object serves one thread at a time.

    Examples:
        >>> import torch, posegraph
        >>> from posegraph import registry
        >>> model = registry.build("traj-gcn", channels=16, num_blocks=2)
        >>> fast = posegraph.optimize(model, backend="eager")
        >>> fast(torch.zeros(1, 10, 22, 3)).shape, fast.backend, fast.device
        (torch.Size([1, 25, 22, 3]), 'eager', device(type='cpu'))
    """

    def __init__(
        self,
        model: ForecastModel,
        *,
        backend: str,
        precision: Precision,
        batch_size: int | None,
        folded: FoldedForecast | None = None,
        milliseconds: Mapping[str, float] | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self.model = model
        """The plain model that this one follows: a copy, in evaluation mode."""
        self.backend = backend
        """Name of the backend that runs."""
        self.precision = precision
        """What it computes in."""
        self.batch_size = batch_size
        """Number of windows that it was made for; None for any."""
        self.device = model.device
        """Where it computes: where the model was."""
        self.milliseconds: Mapping[str, float] = MappingProxyType(dict(milliseconds or {}))
        """Time of a forecast of ``batch_size`` windows with each backend, if the backend was chosen by time."""
        self._forecast: PreparedForecast | RecordedForecast | None = None
        if backend != "plain":
            if recorder is None and model.device.type == "cuda":
                recorder = CudaRecorder(model.device)
            folded = fold_model(model).float().to(model.device) if folded is None else folded
            self._forecast = _prepare(model, folded, BACKENDS[backend], precision, batch_size, recorder)

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
        return _prepare_copy, (self.model, self.backend, self.precision, self.batch_size, dict(self.milliseconds))


def _prepare_copy(
    model: ForecastModel, backend: BackendName, precision: Precision, batch_size: int | None, times: dict[str, float]
) -> OptimizedForecaster:
    prepared = optimize(model, batch_size=batch_size, precision=precision, backend=backend)
    prepared.milliseconds = MappingProxyType(times)
    return prepared


def _prepare(
    model: ForecastModel,
    folded: FoldedForecast,
    backend: Backend,
    precision: Precision,
    batch_size: int | None,
    recorder: Recorder | None,
) -> PreparedForecast | RecordedForecast:
    prepared = PreparedForecast(
        folded,
        backend,
        precision,
        batch_size=batch_size,
        nodes=_nodes(model),
        few_sizes=recorder is not None,
    )
    if recorder is None or not backend.recorded:
        return prepared
    return RecordedForecast(
        prepared.for_size,
        recorder,
        observed_shape=(model.observed_frames, model.num_joints, 3),
        future_shape=(model.future_frames, model.num_joints, 3),
        batch_size=batch_size,
    )


def _nodes(model: ForecastModel) -> tuple[int, int]:
    return model.observed_frames, len(model.skeleton.moving)


@torch.inference_mode(False)  # or all that is made would be of use in inference mode only
@torch.no_grad()
def optimize(
    model: ForecastModel,
    *,
    batch_size: int | None = None,
    precision: Precision = "fp32",
    backend: BackendName = "auto",
) -> OptimizedForecaster:
    """Make a model ready to forecast as fast as the device that it is on can: the CPU or a CUDA device.

    The forecasts are those of ``model.eval().predict``, to about 1e-6 of the largest coordinate in fp32. Batch norm
    becomes part of the layers before it, heads that only training needs are left out, and what is linear in time
    (padding, DCT, normalisation) becomes part of the first and last layer. Models that have no such form keep their
    own code, as backend "plain".

    Args:
        model: A trained model. It is not changed; its later changes have no effect.
        batch_size: Number of windows a call to be fast for; by default 1. Other numbers work as well.
        precision: ``"fp32"``, or ``"bf16"`` for products in bfloat16: faster for large batches where the processor
            has instructions for them. What the network adds to the last pose then has an error of about 1e-2 of its
            largest value with MSR-GCN, and up to 1e-1 with Traj-GCN, whose input is not normalised. On CUDA devices
            also ``"tf32"`` for products of float32 numbers rounded to ten bits; PyTorch's own setting has no effect.
        backend: ``"auto"`` measures what PyTorch and the installed runtimes take, once for each machine and kind of
            model, and takes the quickest. Or the name of one. On both: ``"plain"``, the model as it is; ``"eager"``,
            the folded model in PyTorch; ``"compile"``, by torch.compile. On the CPU: ``"static"``, eager with memory
            planned beforehand; ``"onnx"`` (ONNX Runtime), ``"openvino"``, and ``"aot"`` (AOTInductor). On CUDA
            devices: ``"graph"``, recorded as a CUDA graph, as are ``"compile"``, ``"triton"`` (one Triton kernel for
            each layer) and ``"triton-whole"`` (one for the network). "compile" and "aot" compile for up to a minute,
            so "auto" leaves them out; what "aot" compiled is kept, and measured from then on.

    Returns:
        An object with the same ``predict(observed)``. It takes poses on the CPU as well as on the model's device.

    Raises:
        ConfigError: The model is on another kind of device or has no folded form, or there is no such precision or
            backend here.
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
    _check_device(model.device, precision)
    copied = copy.deepcopy(model).eval()
    folded = _fold(copied) if backend != "plain" else None
    if backend == "plain" or (backend == "auto" and folded is None and precision == "fp32"):
        if precision != "fp32":
            raise ConfigError(f"precision: backend 'plain' computes in the model's own type, got {precision!r}.")
        return OptimizedForecaster(copied, backend="plain", precision=precision, batch_size=batch_size)
    if folded is None:
        raise ConfigError(
            f"backend {backend!r}, precision {precision!r}: expected a model with a folded form, got "
            f"{type(model).__name__} with {model.config}. Use backend 'plain' and precision 'fp32', or 'auto'."
        )
    if backend != "auto":
        find(backend, precision, model.device)
        return OptimizedForecaster(copied, backend=backend, precision=precision, batch_size=batch_size, folded=folded)
    times = _times(copied, folded, batch_size, precision)
    return OptimizedForecaster(
        copied,
        backend=min(times, key=times.__getitem__),
        precision=precision,
        batch_size=batch_size,
        folded=folded,
        milliseconds=times,
    )


def _fold(model: ForecastModel) -> FoldedForecast | None:
    """The folded model in float32 where the model is; None if there is no rule for it."""
    try:
        return fold_model(model).float().to(model.device)
    except ConfigError:
        return None


def _check_device(device: torch.device, precision: Precision) -> None:
    if device.type not in ("cpu", "cuda"):
        here = "the CPU and CUDA" if torch.cuda.is_available() else "the CPU; not CUDA: there is no CUDA device"
        raise ConfigError(
            f"device: expected a model on the CPU or a CUDA device, got one on {device}. Available here: {here}. "
            "Move it, as with model.cpu(), or forecast with model.predict there."
        )
    if precision == "tf32" and device.type != "cuda":
        raise ConfigError("precision: 'tf32' is of CUDA devices, got a model on the CPU. Use 'fp32' or 'bf16'.")


def _times(
    model: ForecastModel, folded: FoldedForecast, batch_size: int | None, precision: Precision
) -> dict[str, float]:
    """Milliseconds of a call with each backend, remembered or measured."""
    shape = input_shape(batch_size or 1, _nodes(model))
    usable = [
        name
        for name, backend in BACKENDS.items()
        if backend.missing(model.device) is None
        and precision in backend.precisions_on(model.device)
        and (backend.quick or _is_kept(backend, folded.network, shape, precision, model.device))
    ]
    key = choice.question(model, batch_size or 1, precision, usable)
    known = choice.recall(key)
    if known is not None and set(known) <= set(usable):
        return known

    def candidate(name: str) -> Run:
        forecaster = OptimizedForecaster(model, backend=name, precision=precision, batch_size=batch_size, folded=folded)
        return cast(Run, forecaster)

    generator = torch.Generator().manual_seed(0)
    windows = (batch_size or 1, model.observed_frames, model.num_joints, 3)
    observed = (300 * torch.randn(windows, generator=generator)).to(model.device)
    sound = {"eager": candidate("eager")}
    expected = sound["eager"](observed)
    for name in usable:
        if name != "eager":
            sound |= _if_sound(name, candidate, observed, expected, _TOLERANCE[precision])
    times = choice.measure(sound, observed)
    choice.remember(key, times, model.device)
    return times


def _is_kept(backend: Backend, *network: Any) -> bool:
    return backend.is_kept is not None and backend.is_kept(*network)


def _if_sound(
    name: str, candidate: Callable[[str], Run], observed: torch.Tensor, expected: torch.Tensor, tolerance: float
) -> dict[str, Run]:
    """A candidate by name, if it works here and forecasts what is expected; else a warning says why not."""
    try:
        run = candidate(name)
        error = float((run(observed) - expected).abs().max() / expected.abs().max())
    except Exception as failure:  # of any kind: other packages, compilers and drivers are at work
        why = f"{type(failure).__name__}: {failure}"
    else:
        if error <= tolerance:
            return {name: run}
        why = f"its forecasts are wrong by {error:.0e} of the largest value"
    warnings.warn(f"backend {name!r} is left out of the choice: {why}", RuntimeWarning, stacklevel=4)
    return {}
