"""The choice of what makes a model as fast as its device can."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal, cast, get_args

import torch

from posegraph._support.checks import check_choice, check_positive
from posegraph._support.device import Precision
from posegraph.errors import ConfigError
from posegraph.folding.forecast import Folded, ModelForecast
from posegraph.inference import choice
from posegraph.inference.backends import BACKENDS, Run, find
from posegraph.inference.backends.base import is_layered
from posegraph.inference.optimized import OptimizedForecaster, folded_form
from posegraph.models.base import ForecastModel

__all__ = ["BackendName", "optimize"]

BackendName = Literal[
    "auto", "plain", "eager", "static", "graph", "triton", "triton-whole", "onnx", "openvino", "compile", "aot"
]
"""Name of a backend; see `optimize`."""
_PRECISIONS: tuple[Precision, ...] = ("fp32", "tf32", "bf16")
_TOLERANCE: dict[Precision, float] = {"fp32": 1e-5, "tf32": 1e-2, "bf16": 5e-2}
"""Of a candidate, relative to PyTorch: beyond it, something is broken."""


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

    The forecasts are those of ``model.eval().predict``, to about 1e-6 of the largest coordinate in fp32. Any model can
    be optimised, those of plugins too. MSR-GCN, Traj-GCN and graph-mixer have a cheaper form of their own: norms become
    part of the layers beside them, heads that only training needs are left out, and what is linear in time (padding,
    DCT, normalisation) becomes part of the first and last layer. Of other models the backends run the code of
    `predict`, exported once by `torch.export`; that takes seconds, and for DMGNN up to a minute.

    Args:
        model: A trained model. It is not changed; its later changes have no effect.
        batch_size: Number of windows a call to be fast for; by default 1. Other numbers work as well.
        precision: ``"fp32"``, or ``"bf16"`` for products in bfloat16: faster for large batches where the processor
            has instructions for them. What the network adds to the last pose then has an error of about 1e-2 of its
            largest value with MSR-GCN, and up to 1e-1 with Traj-GCN, whose input is not normalised. On CUDA devices
            also ``"tf32"`` for products of float32 numbers rounded to ten bits; PyTorch's own setting has no effect.
        backend: ``"auto"`` measures what PyTorch and the installed runtimes take, once for each machine and kind of
            model, and takes the quickest; ``explanation`` of the result says which and why. Or the name of one. On
            both: ``"plain"``, the model as it is; ``"eager"``, its cheaper form in PyTorch; ``"compile"``, by
            torch.compile. On the CPU: ``"static"``, eager with memory planned beforehand (MSR-GCN and Traj-GCN only);
            ``"onnx"`` (ONNX Runtime), ``"openvino"``, and ``"aot"`` (AOTInductor). On CUDA devices: ``"graph"``,
            recorded as a CUDA graph, as are ``"compile"`` and, for MSR-GCN and Traj-GCN only, ``"triton"`` (one Triton
            kernel for each layer) and ``"triton-whole"`` (one for the network). "compile" and "aot" compile for up to
            a minute, so "auto" leaves them out; what "aot" compiled is kept, and measured from then on.

    Returns:
        An object with the same ``predict(observed)``. It takes poses on the CPU as well as on the model's device.
        Models with action labels keep their own code, as backend "plain".

    Raises:
        ConfigError: The model is on another kind of device, there is no such precision or backend here, or the backend
            does not serve the model.
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
    check_choice("precision", precision, _PRECISIONS)
    check_choice("backend", backend, get_args(BackendName))
    if batch_size is not None:
        check_positive(batch_size=batch_size)
    _check_device(model.device, precision)
    copied = copy.deepcopy(model).eval()
    why = _only_plain(model) if backend == "auto" and precision == "fp32" else ""
    if backend == "plain" or why:
        if precision != "fp32":
            raise ConfigError(f"precision: backend 'plain' computes in the model's own type, got {precision!r}.")
        plain = OptimizedForecaster(copied, backend="plain", precision=precision, batch_size=batch_size)
        if backend == "auto":
            plain.explanation = f"backend 'plain', the model as it is, no faster: {why}"
        return plain
    folded = folded_form(copied)
    if backend == "auto":
        return _fastest(copied, folded, batch_size, precision)
    find(backend, precision, model.device, layered=is_layered(folded.network))
    return OptimizedForecaster(copied, backend=backend, precision=precision, batch_size=batch_size, folded=folded)


def _only_plain(model: ForecastModel) -> str:
    """Why there is nothing to choose from, if so."""
    if model.actions:
        return "the model takes action labels, which backends do not pass on"
    return "" if any(True for _ in model.parameters()) else "the model has no parameters, so there is little to compute"


def _check_device(device: torch.device, precision: Precision) -> None:
    if device.type not in ("cpu", "cuda"):
        here = "the CPU and CUDA" if torch.cuda.is_available() else "the CPU; not CUDA: there is no CUDA device"
        raise ConfigError(
            f"device: expected a model on the CPU or a CUDA device, got one on {device}. Available here: {here}. "
            "Move it, as with model.cpu(), or forecast with model.predict there."
        )
    if precision == "tf32" and device.type != "cuda":
        raise ConfigError("precision: 'tf32' is of CUDA devices, got a model on the CPU. Use 'fp32' or 'bf16'.")
    if precision == "bf16" and device.type == "cpu" and not _multiplies_bf16():
        warnings.warn(
            "precision: this processor has no instructions for bfloat16 (AVX512-BF16 or AMX), so that 'bf16' may be "
            "several times slower than 'fp32'.",
            RuntimeWarning,
            stacklevel=3,
        )


def _multiplies_bf16() -> bool:
    """Whether the processor is known to, or not known."""
    able = getattr(torch.cpu, "get_capabilities", dict)()
    return able.get("architecture") != "x86_64" or bool(able.get("avx512_bf16") or able.get("amx_bf16"))


def _fastest(model: ForecastModel, folded: Folded, batch_size: int | None, precision: Precision) -> OptimizedForecaster:
    """The quickest of all candidates, remembered or measured."""

    def candidate(name: str) -> OptimizedForecaster:
        return OptimizedForecaster(model, backend=name, precision=precision, batch_size=batch_size, folded=folded)

    left_out = _left_out(model, folded, batch_size, precision)
    usable = [name for name in ("plain", *BACKENDS) if name not in left_out]
    key = choice.question(model, batch_size or 1, precision, usable)
    times = choice.recall(key)
    if times is None or not set(times) <= set(usable):
        windows = (batch_size or 1, model.observed_frames, model.num_joints, 3)
        observed = (300 * torch.randn(windows, generator=torch.Generator().manual_seed(0))).to(model.device)
        first = "plain" if "eager" in left_out else "eager"
        sound: dict[str, Run] = {first: cast(Run, candidate(first))}
        expected = sound[first](observed)
        for name in usable:
            if name != first:
                sound |= _if_sound(name, candidate, observed, expected, _TOLERANCE[precision])
        times = choice.measure(sound, observed)
        choice.remember(key, times, model.device)
    left_out |= {name: "failed here, or was wrong, when it was measured" for name in usable if name not in times}
    chosen = candidate(min(times, key=times.__getitem__))
    chosen.milliseconds = MappingProxyType(times)
    chosen.explanation = _explain(chosen, left_out)
    return chosen


def _left_out(model: ForecastModel, folded: Folded, batch_size: int | None, precision: Precision) -> dict[str, str]:
    """Why backends are no candidates, by name."""
    device, layered = model.device, is_layered(folded.network)
    shape = folded.input_shape(batch_size or 1)
    reasons: dict[str, str] = {} if precision == "fp32" else {"plain": "computes in the model's own type"}
    for name, backend in BACKENDS.items():
        missing = backend.missing(device)
        if missing is not None:
            reasons[name] = missing
        elif not layered and not backend.model_precisions:
            reasons[name] = "serves layered networks only"
        elif precision not in backend.precisions_on(device, layered=layered):
            reasons[name] = f"does not compute in {precision!r}"
        elif not backend.quick and not (backend.is_kept and backend.is_kept(folded.network, shape, precision, device)):
            reasons[name] = "compiles for up to a minute, so it runs when asked for"
        elif name == "eager" and precision == "fp32" and isinstance(folded, ModelForecast) and folded.is_plain:
            reasons[name] = "is the same as 'plain' for this model"
    return reasons


def _explain(chosen: OptimizedForecaster, left_out: Mapping[str, str]) -> str:
    windows = f"{chosen.batch_size or 1} window{'s' if (chosen.batch_size or 1) > 1 else ''}"
    times = sorted(chosen.milliseconds.items(), key=lambda item: item[1])
    measured = ", ".join(f"{name} {value:.2f} ms" for name, value in times)
    summary = "the model as it is, no faster" if chosen.backend == "plain" else BACKENDS[chosen.backend].summary
    here = chosen.device.type
    others = "; ".join(
        f"{name!r} {why}" for name, why in left_out.items() if name == "plain" or here in BACKENDS[name].devices
    )
    return (
        f"backend {chosen.backend!r}, {summary}: the quickest for {windows} of {measured}."
        f"{f' Not measured: {others}.' if others else ''}"
    )


def _if_sound(
    name: str,
    candidate: Callable[[str], OptimizedForecaster],
    observed: torch.Tensor,
    expected: torch.Tensor,
    tolerance: float,
) -> dict[str, Run]:
    """A candidate by name, if it works here and forecasts what is expected; else a warning says why not."""
    try:
        run = cast(Run, candidate(name))
        error = float((run(observed) - expected).abs().max() / expected.abs().max())
    except Exception as failure:  # of any kind: other packages, compilers and drivers are at work
        why = f"{type(failure).__name__}: {failure}"
    else:
        if error <= tolerance:
            return {name: run}
        why = f"its forecasts are wrong by {error:.0e} of the largest value"
    warnings.warn(f"backend {name!r} is left out of the choice: {why}", RuntimeWarning, stacklevel=4)
    return {}
