"""Checks that several modules share. Each raises an error of `posegraph.errors` with a remedy."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from types import ModuleType

import numpy as np
import torch

from posegraph.errors import ConfigError, DataError, MissingDependencyError, ShapeError


def check_poses(
    what: str, poses: object, *, frames: int | None, joints: int | None, remedy: str, batch: bool = True
) -> None:
    """Require ``(batch, frames, joints, 3)``, or ``(frames, joints, 3)`` with ``batch=False``."""
    poses = _as_tensor(what, poses)
    axes = 4 if batch else 3
    ok = poses.ndim == axes and poses.shape[-1] == 3
    ok = ok and (frames is None or poses.shape[-3] == frames) and (joints is None or poses.shape[-2] == joints)
    if not ok:
        named = [
            *(["batch"] if batch else []),
            "frames" if frames is None else f"{frames} frames",
            "joints" if joints is None else f"{joints} joints",
            "3",
        ]
        raise ShapeError(what, f"({', '.join(named)})", tuple(poses.shape), remedy)
    if not poses.dtype.is_floating_point:
        raise ShapeError(what, "a floating-point tensor", poses.dtype, "Convert it with `.float()`.")


def _as_tensor(what: str, value: object) -> torch.Tensor:
    if not isinstance(value, torch.Tensor):
        raise ShapeError(what, "a PyTorch tensor", type(value).__name__, "Convert it with `torch.as_tensor`.")
    return value


def as_float32(what: str, values: object) -> torch.Tensor:
    """Numbers as a float32 tensor of their own layout, without gradient: what clips hold.

    Tensors and NumPy arrays of any floating-point type, byte order and layout are taken. Integers are refused, since
    poses in whole numbers are mostly another unit or pixels, and masked arrays, since what lies under a mask is no
    number.
    """
    if isinstance(values, np.ma.MaskedArray):
        raise DataError(f"{what}: expected numbers, got a masked array. Fill its gaps first.")
    if isinstance(values, np.ndarray) and values.dtype.kind == "f":
        values = torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
    if not isinstance(values, torch.Tensor) or not values.dtype.is_floating_point:
        kind = values.dtype if isinstance(values, (torch.Tensor, np.ndarray)) else type(values).__name__
        raise ShapeError(what, "a tensor or array of floating-point numbers", kind, "Convert it, as with `.float()`.")
    return values.detach().to(torch.float32)


def check_finite(what: str, values: torch.Tensor) -> None:
    """Require finite numbers, the first axis being frames; raises `DataError`."""
    bad = ~torch.isfinite(values)
    if bad.any():
        frames = bad.flatten(1).any(dim=1).nonzero().flatten()
        raise DataError(
            f"{what}: expected finite numbers, got NaN or infinity in {len(frames)} of {len(values)} frames, first in "
            f"frame {int(frames[0])}. Fill the gaps first, for example by interpolation, or leave these frames out."
        )


def check_nodes(what: str, x: object, *, num_nodes: int, channels: int) -> None:
    """Require ``(batch, num_nodes, channels)``."""
    x = _as_tensor(what, x)
    if x.ndim != 3 or x.shape[1] != num_nodes or x.shape[2] != channels:
        raise ShapeError(
            what,
            f"(batch, {num_nodes} nodes, {channels} channels)",
            tuple(x.shape),
            "Nodes are joint coordinates: rearrange poses with 'b t j c -> b (j c) t'.",
        )


def check_positive(**values: object) -> None:
    """Require integers of at least one."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ConfigError(f"{name}: expected an integer of at least 1, got {value!r}.")


def check_probability(**values: object) -> None:
    """Require numbers in [0, 1)."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1:
            raise ConfigError(f"{name}: expected a number in [0, 1), got {value!r}.")


def check_choice(name: str, value: object, choices: Sequence[object]) -> None:
    """Require one of a few values."""
    if value not in choices:
        raise ConfigError(f"{name}: expected one of {', '.join(map(repr, choices))}; got {value!r}.")


def import_optional(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Import an optional package, or say which extra of the library installs it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise MissingDependencyError(
            f"{purpose} needs the package {package!r}, which is not installed. "
            f"Install it with: pip install 'posegraph[{extra}]'"
        ) from error
