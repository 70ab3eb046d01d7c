"""Weights that the authors of the models published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from posegraph import registry
from posegraph.errors import CheckpointError, ConfigError
from posegraph.models.base import ForecastModel
from posegraph.skeleton.skeleton import Skeleton

__all__ = ["from_authors"]


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
        CheckpointError: The file cannot be read, or its parameters are not those of the model; or this PyTorch is older
            than 2.10 and cannot read pickles safely.
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


# Below this version the reader that is to refuse code could be made to run it.
_SAFE_TORCH = "2.10"

# Under which of these keys the authors' containers hold the state dict; some files are the state dict itself.
_CONTAINER_KEYS = ("model", "state_dict")


def _number_types() -> list[Any]:
    """What NumPy numbers are pickled as: the authors keep their errors beside the weights in this form."""
    scalar = np.float64(0).__reduce__()[0]
    names = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")  # NumPy 1 and 2
    return [*((scalar, name) for name in names), np.dtype, *(type(np.dtype(t)) for t in ("f4", "f8", "i8"))]


def _read_authors_file(path: Path) -> dict[str, torch.Tensor]:
    if torch.__version__ < _SAFE_TORCH:
        raise CheckpointError(
            f"{path}: expected PyTorch {_SAFE_TORCH} or later to read a pickle, got {torch.__version__}, whose "
            "weights_only=True can be made to run code (CVE-2026-24747). Install a newer PyTorch."
        )
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
