"""Checkpoints: a folder with weights as safetensors and everything else as JSON. Nothing is ever unpickled.

A checkpoint folder holds ``model.safetensors``, all parameters and buffers, and ``config.json``: format version,
registry name, settings, skeleton, frames, digest of the weights, and what its maker recorded, such as training data,
protocol and result.
"""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import nn

from posegraph import _checkpoint_files, registry
from posegraph._checkpoint_files import FORMAT_VERSION, is_checkpoint, read_config
from posegraph._checks import check_choice
from posegraph._version import __version__
from posegraph.errors import CheckpointError, ConfigError
from posegraph.skeleton import Skeleton

if TYPE_CHECKING:
    from posegraph.models.base import ForecastModel

__all__ = [
    "FORMAT_VERSION",
    "Precision",
    "from_authors",
    "is_checkpoint",
    "load",
    "read_config",
    "rounded_state",
    "save_checkpoint",
]

Precision = Literal["float32", "float16", "bfloat16"]
"""Number type of weights in a file; in memory a loaded model has float32."""

_NUMBER_TYPES: dict[Precision, torch.dtype] = {
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}


def save_checkpoint(
    model: ForecastModel,
    folder: str | Path,
    *,
    record: Mapping[str, Any] | None = None,
    dtype: torch.dtype | Precision | None = None,
) -> Path:
    """Write a model to a folder; an older checkpoint there is replaced.

    Interrupted at any time, even by the power going off, it leaves the old checkpoint or the new one, never a mixture.

    Args:
        model: A model of a registered class.
        folder: Folder to write, made if it does not exist.
        record: JSON-ready notes to keep in ``config.json`` under "record": training data, seed, protocol, result. By
            default those that the model was loaded with.
        dtype: Number type to round the weights to in the file, see `rounded_state`; by default they stay as they are.

    Returns:
        The folder.

    Raises:
        CheckpointError: The model's class is not registered, so it could not be loaded again, or JSON cannot hold the
            record.
        ConfigError: ``dtype`` is not a type for weights.

    Examples:
        >>> import tempfile
        >>> from posegraph import checkpoint, registry
        >>> model = registry.build("msrgcn", skeleton="cmu", channels=8, num_blocks=1)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     again = checkpoint.load(checkpoint.save_checkpoint(model, folder))
        >>> again.config == model.config
        True
    """
    folder = Path(folder)
    tensors = model.state_dict() if dtype is None else rounded_state(model, dtype)
    _checkpoint_files.write(folder, tensors, _describe(model, record))
    return folder


def rounded_state(model: nn.Module, dtype: torch.dtype | Precision) -> dict[str, torch.Tensor]:
    """The state of a model with its weights rounded to a smaller number type, for a smaller file.

    Parameters are rounded, and the statistics of batch norms. Other buffers, such as the range that poses are scaled
    by, stay as they are, and so does a tensor that has a number too large for the type. float16 has three more bits
    than bfloat16 and is eight times closer; weights are far from its limit of 65504.

    Args:
        model: Model.
        dtype: ``"float16"``, ``"bfloat16"`` or ``"float32"``, by name or as PyTorch's type.

    Returns:
        A state dict; `torch.nn.Module.load_state_dict` brings it back to the model's type.

    Raises:
        ConfigError: ``dtype`` is not one of these.

    Examples:
        >>> from posegraph import checkpoint, registry
        >>> model = registry.build("traj-gcn", channels=8, num_blocks=1)
        >>> checkpoint.rounded_state(model, "float16")["head.weight"].dtype
        torch.float16
    """
    name = str(dtype).removeprefix("torch.")
    check_choice("dtype", name, tuple(_NUMBER_TYPES))
    target = _NUMBER_TYPES[name]  # pyright: ignore[reportArgumentType]
    statistics = {
        f"{path}.{key}".lstrip(".")
        for path, module in model.named_modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm)  # pyright: ignore[reportPrivateUsage]
        for key, _ in module.named_buffers(recurse=False)
    }
    wanted = statistics | {key for key, _ in model.named_parameters(remove_duplicate=False)}
    return {
        key: _rounded(tensor, target) if key in wanted and tensor.is_floating_point() else tensor
        for key, tensor in model.state_dict().items()
    }


def _rounded(tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    rounded = tensor.to(dtype)
    return rounded if bool(rounded.isfinite().all()) else tensor


def load(folder: str | Path, *, device: torch.device | str = "cpu") -> ForecastModel:
    """Build the model of a checkpoint, with its weights, in evaluation mode.

    Args:
        folder: A checkpoint folder, or a training run's folder, whose best checkpoint is taken.
        device: Where to put the model.

    Returns:
        The model, in float32 whatever the number type of the file.

    Raises:
        CheckpointError: Something is missing, damaged or of a newer version.
        UnknownNameError: The model's name is not registered; the package that registers it may not be installed.
    """
    folder = _checkpoint_files.resolve(folder)
    with _checkpoint_files.reporting_damage(folder):
        name = read_config(folder)["model"]
    return registry.build(name, weights=folder).to(device)


def from_authors(
    name: str,
    path: str | Path,
    *,
    skeleton: str | Skeleton,
    normalization: tuple[Any, Any] | None = None,
    **build_settings: Any,
) -> ForecastModel:
    """Build a model with weights that its authors published.

    Their files are pickles; they are read with ``weights_only=True``, which runs no code from them.

    Args:
        name: Registry name: ``"msrgcn-released"``, ``"msrgcn-released-short"``, ``"traj-gcn"``, ``"dmgnn-released"``,
            ``"pgbig"`` or ``"simlpe"``.
        path: The authors' ``.pth`` file.
        skeleton: Skeleton that the weights were trained for.
        normalization: What the authors' files do not hold: for MSR-GCN the smallest and largest value that the weights
            were trained with, for DMGNN mean and standard deviation ``(joints, 3)``. Compute them from the training
            set with ``fit_statistics``.
        build_settings: More arguments of `posegraph.registry.build`, such as ``future_frames`` or
            ``num_coefficients``. For published MSR-GCN weights pass ``e3_input="d3"``.

    Returns:
        The model in evaluation mode.

    Raises:
        CheckpointError: The file cannot be read, or its parameters are not those of the model.
        ConfigError: The model needs ``normalization``, or has no use for it.
        UnknownNameError: There is no such model, skeleton or setting.
    """
    path = Path(path)
    model = registry.build(name, skeleton=skeleton, **build_settings)
    state = model.convert_authors_state(_read_authors_file(path))
    expected = model.state_dict()
    normalizer = getattr(model, "normalizer", None)
    if (normalizer is not None) != (normalization is not None):
        raise ConfigError(
            f"normalization: model {name!r} needs the {normalizer.values} of its training data, got none. "
            "Compute them with fit_statistics."
            if normalizer is not None
            else f"normalization: model {name!r} does not use any, got {normalization}. Leave it out."
        )
    if normalizer is not None and normalization is not None:
        normalizer.set_values(*normalization)
        state |= {f"normalizer.{key}": value for key, value in normalizer.state_dict().items()}
    wrong = sorted(
        [f"{key} is missing" for key in expected.keys() - state.keys()]
        + [f"{key} is not a parameter of the model" for key in state.keys() - expected.keys()]
        + [
            f"{key} has shape {tuple(state[key].shape)} in place of {tuple(expected[key].shape)}"
            for key in expected.keys() & state.keys()
            if state[key].shape != expected[key].shape
        ]
    )
    if wrong:
        raise CheckpointError(
            f"{path}: expected the weights of {name!r} for skeleton {model.skeleton.name!r} and {model.total_frames} "
            f"frames, but {len(wrong)} parameters differ: {'; '.join(wrong[:3])}. Check skeleton, frames and settings."
        )
    model.load_state_dict(state)
    return model.eval()


# Under which of these keys the authors' containers hold the state dict; some files are the state dict itself.
_CONTAINER_KEYS = ("model", "state_dict")


def _number_types() -> list[Any]:
    """What NumPy numbers are pickled as: the authors keep their errors beside the weights in this form."""
    scalar = np.float64(0).__reduce__()[0]
    names = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")  # NumPy 1 and 2
    return [*((scalar, name) for name in names), np.dtype, *(type(np.dtype(t)) for t in ("f4", "f8", "i8"))]


def _read_authors_file(path: Path) -> dict[str, torch.Tensor]:
    try:
        with torch.serialization.safe_globals(_number_types()):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises a dozen kinds, with advice to switch the protection off
        raise CheckpointError(
            f"{path}: expected a PyTorch file of tensors, but it cannot be read safely: {type(error).__name__}. "
            "Download it again; files that need code to load are refused."
        ) from error
    for key in _CONTAINER_KEYS:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
            break
    if not isinstance(content, dict) or not all(
        isinstance(key, str) and isinstance(value, torch.Tensor) for key, value in content.items()
    ):
        raise CheckpointError(
            f"{path}: expected a state dict, alone or under one of {_CONTAINER_KEYS}; got {type(content).__name__}. "
            "Is this a model checkpoint?"
        )
    return {key.removeprefix("module."): value for key, value in content.items()}  # DataParallel adds the prefix


def _describe(model: ForecastModel, record: Mapping[str, Any] | None) -> dict[str, Any]:
    name = model.registry_name or next(
        (other for other in registry.names() if registry.info(other).cls is type(model)), None
    )
    if name is None:
        raise CheckpointError(
            f"{type(model).__name__} is not registered, so a checkpoint of it could not be loaded. "
            "Register the class with posegraph.registry.register."
        )
    return {
        "format_version": FORMAT_VERSION,
        "model": name,
        "config": dataclasses.asdict(model.config),
        "skeleton": model.skeleton.to_dict(),
        "observed_frames": model.observed_frames,
        "future_frames": model.future_frames,
        "num_parameters": sum(p.numel() for p in model.parameters()),
        "versions": {
            "posegraph": __version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
        "record": dict(model.record if record is None else record),
    }
