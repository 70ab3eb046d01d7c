"""Checkpoints: models written to folders and read again."""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import nn

from posegraph import registry
from posegraph._support import checkpoint_files
from posegraph._support.checkpoint_files import FORMAT_VERSION, read_config
from posegraph._support.checks import check_choice
from posegraph._version import __version__
from posegraph.errors import CheckpointError

if TYPE_CHECKING:
    from posegraph.models.base import ForecastModel


__all__ = ["Precision", "load", "rounded_state", "save_checkpoint"]


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
    checkpoint_files.write(folder, tensors, _describe(model, record))
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
    folder = checkpoint_files.resolve(folder)
    with checkpoint_files.reporting_damage(folder):
        name = read_config(folder)["model"]
    return registry.build(name, weights=folder).to(device)


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
