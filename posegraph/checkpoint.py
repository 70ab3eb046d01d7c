"""Checkpoints: a folder with weights as safetensors and everything else as JSON. Nothing is ever unpickled.

A checkpoint folder holds ``model.safetensors``, all parameters and buffers, and ``config.json``: format version,
registry name, settings, skeleton, frames, and what its maker recorded, such as training data, protocol and result.
"""

from __future__ import annotations

import dataclasses
import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from posegraph import registry
from posegraph._files import replace_file
from posegraph._version import __version__
from posegraph.errors import CheckpointError, ConfigError, SkeletonError
from posegraph.skeleton import Skeleton

if TYPE_CHECKING:
    from posegraph.models.base import ForecastModel

__all__ = ["FORMAT_VERSION", "from_authors", "is_checkpoint", "load", "read_config", "save_checkpoint"]

FORMAT_VERSION = 1
"""Version of the folder's layout; `load` refuses newer ones."""

_WEIGHTS, _CONFIG = "model.safetensors", "config.json"

# What building a model from settings of the wrong kind, or reading weights that are not whole, raises.
_DAMAGE = (AttributeError, ConfigError, KeyError, OSError, RuntimeError, SafetensorError, SkeletonError, TypeError)


def save_checkpoint(model: ForecastModel, folder: str | Path, *, record: Mapping[str, Any] | None = None) -> Path:
    """Write a model to a folder; an older checkpoint there is replaced.

    Args:
        model: A model of a registered class.
        folder: Folder to write, made if it does not exist.
        record: JSON-ready notes to keep in ``config.json`` under "record": training data, seed, protocol, result. By
            default those that the model was loaded with.

    Returns:
        The folder.

    Raises:
        CheckpointError: The model's class is not registered, so it could not be loaded again, or JSON cannot hold the
            record.

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
    description = _describe(model, record)
    try:
        text = json.dumps(description, indent=2) + "\n"
    except (TypeError, ValueError) as error:
        raise CheckpointError(
            f"record, config: expected values that JSON can hold, got one that it cannot: {error}. "
            "Use numbers, strings, lists and dictionaries."
        ) from error
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in model.state_dict().items()}
    replace_file(folder / _WEIGHTS, lambda file: file.write(save(tensors)))
    replace_file(folder / _CONFIG, lambda file: file.write(text.encode()))
    return folder


def load(folder: str | Path, *, device: torch.device | str = "cpu") -> ForecastModel:
    """Build the model of a checkpoint, with its weights, in evaluation mode.

    Args:
        folder: A checkpoint folder, or a training run's folder, whose best checkpoint is taken.
        device: Where to put the model.

    Returns:
        The model.

    Raises:
        CheckpointError: Something is missing, damaged or of a newer version.
        UnknownNameError: The model's name is not registered; the package that registers it may not be installed.
    """
    folder = _resolve(folder)
    data = read_config(folder)
    try:
        model = registry.build(
            data["model"],
            skeleton=Skeleton.from_dict(data["skeleton"]),
            observed_frames=data["observed_frames"],
            future_frames=data["future_frames"],
            **data["config"],
        )
        model.record = dict(data["record"])
        model.load_state_dict(load_file(folder / _WEIGHTS))
    except _DAMAGE as error:
        raise CheckpointError(
            f"{folder}: the checkpoint is damaged: {type(error).__name__}: {error}. Save or copy it again."
        ) from error
    return model.eval().to(device)


def read_config(folder: str | Path) -> dict[str, Any]:
    """The contents of a checkpoint's ``config.json``.

    Raises:
        CheckpointError: There is no checkpoint, it is damaged, or it is of a newer version.
    """
    file = _resolve(folder) / _CONFIG
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        version = data["format_version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{file}: expected the settings of a checkpoint, but they cannot be read: {error}. Save or copy it again."
        ) from error
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise CheckpointError(
            f"{file}: expected format version {FORMAT_VERSION} or older, got {version}. Install a newer posegraph."
        )
    return data


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


def _resolve(folder: str | Path) -> Path:
    folder = Path(folder)
    for candidate in (folder, folder / "best"):
        if (candidate / _CONFIG).is_file():
            return candidate
    raise CheckpointError(
        f"{folder}: expected a checkpoint folder with {_CONFIG} and {_WEIGHTS}, found none. "
        "Pass the folder that training wrote."
    )


def is_checkpoint(path: str | Path) -> bool:
    """Whether a path is a checkpoint folder, or a training run's folder with one."""
    try:
        return bool(_resolve(path))
    except (CheckpointError, OSError):
        return False
