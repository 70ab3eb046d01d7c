"""Checkpoints: models written to folders and read again."""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from posegraph import registry
from posegraph._support import checkpoint_files
from posegraph._support.checkpoint_files import FORMAT_VERSION
from posegraph._support.checks import check_choice
from posegraph._support.device import DTYPES, Precision
from posegraph._support.modules import unwrap
from posegraph._version import __version__
from posegraph.errors import CheckpointError, ConfigError
from posegraph.models.base import ForecastModel
from posegraph.weights.reference import HubOptions, TrainedWeights, resolve

__all__ = ["as_model", "load", "read_config", "rounded_state", "save_checkpoint"]

_STORED: tuple[Precision, ...] = ("fp32", "bf16", "fp16")
"""What weights can be stored in."""


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
        model: A model of a registered class; what `torch.compile` or DataParallel wraps is
            saved as it is inside.
        folder: Folder to write, made if it does not exist.
        record: JSON-ready notes to keep in ``config.json`` under "record": training data, seed, protocol, result. By
            default those that the model was loaded with.
        dtype: Number type to round the weights to in the file, see `rounded_state`; by default they stay as they are.

    Returns:
        The folder.

    Raises:
        CheckpointError: The model is none of a registered class, so it could not be loaded again, or JSON cannot hold
            the record.
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
    folder, own = Path(folder), unwrap(model)
    if not isinstance(own, ForecastModel):
        raise CheckpointError(f"model: expected a ForecastModel to save, got {type(own).__name__}. Pass the model.")
    tensors = own.state_dict() if dtype is None else rounded_state(own, dtype)
    checkpoint_files.write(folder, tensors, _describe(own, record))
    return folder


def rounded_state(model: nn.Module, dtype: torch.dtype | Precision) -> dict[str, torch.Tensor]:
    """The state of a model with its weights rounded to a smaller number type, for a smaller file.

    Parameters are rounded, and the statistics of batch norms. Other buffers, such as the range that poses are scaled
    by, stay as they are, and so does a tensor that has a number too large for the type. float16 has three more bits
    than bfloat16 and is eight times closer; weights are far from its limit of 65504.

    Args:
        model: Model.
        dtype: ``"fp16"``, ``"bf16"`` or ``"fp32"``, or PyTorch's type of these.

    Returns:
        A state dict; `torch.nn.Module.load_state_dict` brings it back to the model's type.

    Raises:
        ConfigError: ``dtype`` is not one of these.

    Examples:
        >>> from posegraph import checkpoint, registry
        >>> model = registry.build("traj-gcn", channels=8, num_blocks=1)
        >>> checkpoint.rounded_state(model, "fp16")["head.weight"].dtype
        torch.float16
    """
    names = {DTYPES[name]: name for name in _STORED}
    name = names.get(dtype, str(dtype)) if isinstance(dtype, torch.dtype) else dtype
    check_choice("dtype", name, _STORED)
    target = DTYPES[name]  # pyright: ignore[reportArgumentType]
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


def load(
    reference: str | Path | TrainedWeights,
    *,
    device: torch.device | str = "cpu",
    revision: str | None = None,
    token: str | bool | None = None,
    cache_dir: str | Path | None = None,
    local_files_only: bool = False,
) -> ForecastModel:
    """Build a trained model, in evaluation mode and in float32 whatever the number type of the file.

    Args:
        reference: A checkpoint folder or a training run's folder, whose best checkpoint is taken; one of
            `posegraph.weights.references`, as in ``"graph-mixer/cmu"``; or a repository ``"OWNER/NAME"`` of the
            Hugging Face Hub. The first of these that exists; see `posegraph.weights.reference.resolve`.
        device: Where to put the model.
        revision: Branch, tag or commit of the repository.
        token: Access token of the Hub; by default the one that is logged in.
        cache_dir: Where the Hub's files are kept.
        local_files_only: Look for the repository among the files of earlier downloads only.

    Returns:
        The model, of the class that it was saved as.

    Raises:
        CheckpointError: There is nothing of this name, or it is damaged or of a newer version.
        MissingDependencyError: The reference can only be a repository, and huggingface_hub is not installed.
        UnknownNameError: The model's name is not registered; the package that registers it may not be installed.

    Examples:
        >>> from posegraph import checkpoint
        >>> checkpoint.load("graph-mixer/cmu").skeleton.name
        'cmu'
    """
    hub = HubOptions(revision, token, cache_dir, local_files_only)
    found = resolve(reference, models=registry.names(), hub=hub)
    if found.kind == "file":  # as resolve answers if it is asked for a certain model's weights
        raise CheckpointError(f"{found.label}: expected a checkpoint, got weights alone. Use registry.build.")
    with checkpoint_files.reporting_damage(found.path):
        name = checkpoint_files.read_config(found.path)["model"]
        registry.info(name)
    return registry.build(name, weights=found).to(device)


def as_model(model: ForecastModel | str | Path | TrainedWeights) -> ForecastModel:
    """A model as it is, without what wraps it; or the trained one that a reference names.

    Args:
        model: A model, what `torch.compile` or DataParallel made of it, or a reference as for `load`.

    Raises:
        ConfigError: It is neither.
        CheckpointError: There is no trained model of this reference, or it is damaged.
        MissingDependencyError: The reference can only be a repository, and huggingface_hub is not installed.
    """
    own = load(model) if isinstance(model, str | Path | TrainedWeights) else unwrap(model)
    if not isinstance(own, ForecastModel):
        raise ConfigError(
            f"model: expected a ForecastModel or a reference to a trained one, got {type(own).__name__}. Build one "
            "with posegraph.registry.build, or name one, as in 'graph-mixer/cmu'."
        )
    return own


def read_config(reference: str | Path | TrainedWeights) -> dict[str, Any]:
    """The contents of a checkpoint's ``config.json``: what its model is, and how it came about.

    Args:
        reference: As for `load`.

    Raises:
        CheckpointError: There is nothing of this name, or it is damaged or of a newer version.
        MissingDependencyError: The reference can only be a repository, and huggingface_hub is not installed.
    """
    return checkpoint_files.read_config(resolve(reference, models=registry.names()).path)


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
