"""A model as a file that another runtime forecasts with, checked there, and a description beside it."""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from posegraph._support.files import replace_file
from posegraph._support.modules import tensor_bytes
from posegraph._version import __version__
from posegraph.checkpoint.store import as_model
from posegraph.errors import ConfigError, PosegraphError
from posegraph.export.program import LARGEST_BATCH
from posegraph.export.targets import Opened, Target, find
from posegraph.models.base import ForecastModel
from posegraph.weights.reference import TrainedWeights

__all__ = ["FORMAT_VERSION", "TOLERANCE", "export"]

TOLERANCE = 1e-5
"""Most that a forecast of the exported file may differ from the model's, relative to the largest coordinate."""
FORMAT_VERSION = 1
"""Version of the description beside the file."""
T = TypeVar("T")
_BATCHES = (1, 7)  # what is compared: a single window, and more than any that the program was traced with


def export(model: ForecastModel | str | Path | TrainedWeights, path: str | Path, *, to: str = "onnx") -> Path:
    """Write a model as a file for another runtime, from observed to future poses, for batches of every size.

    Padding, transforms and normalisation are inside. The file is opened in its runtime and compared with the model; if
    the forecasts differ by more than 1e-5 of the largest coordinate, nothing is written. A description in JSON is
    written beside it, under the name of the file and ``.json``.

    Args:
        model: A model, or a reference to a trained one, as `posegraph.checkpoint.load` takes it.
        path: File to create or replace; missing folders are made.
        to: ``"onnx"``; ``"pt2"``, a program of `torch.export`; or ``"aot"``, a library of AOTInductor, which takes a
            minute to compile and runs on machines like this one.

    Returns:
        The path. The file takes the skeleton's used joints, float32 ``(batch, observed_frames, used joints, 3)``, and
        gives ``(batch, future_frames, used joints, 3)``.

    Raises:
        UnknownNameError: There is no such target.
        ConfigError: The file name has another ending; or the model takes action labels or cannot be written for the
            target, or the file forecasts something else.
        CheckpointError: There is no trained model of this reference, or it is damaged.
        MissingDependencyError: The packages that write the file or run it are not installed.

    Examples:
        >>> import json
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from posegraph import registry
        >>> from posegraph.export import export
        >>> with TemporaryDirectory() as folder:
        ...     path = export(registry.build("zero-velocity", skeleton="cmu"), f"{folder}/held.pt2", to="pt2")
        ...     described = json.loads(Path(f"{path}.json").read_text())
        >>> described["input"]["shape"], described["joints"]["used"][:3]
        (['batch', 10, 25, 3], [3, 4, 5])
    """
    target, path = find(to), Path(path)
    if path.suffix != target.suffix:
        raise ConfigError(
            f"path: expected a file name that ends in {target.suffix} for target {to!r}, got {path.name!r}. Rename it."
        )
    own = as_model(model)
    name = own.registry_name or type(own).__name__
    if own.actions:
        raise ConfigError(
            f"export: expected a model of poses alone, got {name} with labels of {len(own.actions)} actions, which "
            "exported files do not take. Train it without labels."
        )
    plain = copy.deepcopy(own).to("cpu", torch.float32).eval()
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / path.name
        opened = _attempt(name, target, lambda: _write_and_open(plain, target, draft))
        errors = {size: _error(plain, opened, name, target, size) for size in _BATCHES}
        text = json.dumps(_describe(plain, name, target, opened, path, errors), indent=1, allow_nan=False) + "\n"
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f"{path.name}.json")
        beside.unlink(missing_ok=True)  # so that no file ever stands beside the description of another one
        with draft.open("rb") as source:
            replace_file(path, lambda file: shutil.copyfileobj(source, file))
        replace_file(beside, lambda file: file.write(text.encode()))
    return path


def _attempt(name: str, target: Target, action: Callable[[], T]) -> T:
    try:
        return action()
    except PosegraphError:
        raise
    except Exception as error:  # of many kinds: exporters, compilers and runtimes raise their own
        reason = " ".join(str(error).split())[:300]
        compiler = " It needs a C++ compiler: install g++, or set CXX to one." if target.name == "aot" else ""
        raise ConfigError(
            f"export: {name} cannot be written for target {target.name!r}: {type(error).__name__}: {reason}.{compiler} "
            "Nothing was written; use another target."
        ) from error


def _write_and_open(plain: ForecastModel, target: Target, path: Path) -> Opened:
    network: nn.Module = plain.folded().float().eval()
    with torch.inference_mode(False), torch.no_grad():
        target.write(network, (None, plain.observed_frames, plain.num_joints, 3), path)
        return target.open(path)


def _error(plain: ForecastModel, opened: Opened, name: str, target: Target, size: int) -> float:
    """Largest difference from the plain model, relative to the largest coordinate; refuses what is too large."""
    observed = _motion(plain, size)
    with torch.inference_mode():
        expected = plain.predict(observed)
    with torch.no_grad():
        got = _attempt(name, target, lambda: opened.run(observed))
    if got.shape != expected.shape:
        raise ConfigError(
            f"export: expected forecasts {tuple(expected.shape)} of target {target.name!r}, got {tuple(got.shape)}. "
            "Nothing was written."
        )
    error = float((got - expected).abs().max() / expected.abs().max())
    if not error <= TOLERANCE:  # not a number is refused too
        raise ConfigError(
            f"export: expected forecasts of target {target.name!r} to differ from those of {name} by at most "
            f"{TOLERANCE:g} of the largest coordinate, got {error:.2g} with {size} windows. Nothing was written; use "
            "another target."
        )
    return error


def _motion(model: ForecastModel, size: int) -> torch.Tensor:
    """Smooth motion about as large as people move, in mm; or in radians for rotations."""
    generator = torch.Generator().manual_seed(size)
    rest, swing, phase = torch.randn(3, size, 1, model.num_joints, 3, generator=generator).unbind()
    time = torch.arange(model.observed_frames).view(1, -1, 1, 1)
    moved = 400 * rest + 80 * swing * torch.sin(0.2 * time + phase)
    return moved if model.skeleton.holds == "positions" else moved / 1000


def _describe(
    model: ForecastModel, name: str, target: Target, opened: Opened, path: Path, errors: dict[int, float]
) -> dict[str, Any]:
    """What a program needs to know to use the file."""
    skeleton = model.skeleton
    axes = [model.num_joints, 3]
    return {
        "format": "posegraph-export",
        "format_version": FORMAT_VERSION,
        "file": path.name,
        "target": target.name,
        "model": name,
        "weights_sha256": _digest(model),
        "input": {"name": opened.input, "type": "float32", "shape": ["batch", model.observed_frames, *axes]},
        "output": {"name": opened.output, "type": "float32", "shape": ["batch", model.future_frames, *axes]},
        "largest_batch": None if target.name == "onnx" else LARGEST_BATCH,
        "observed_frames": model.observed_frames,
        "future_frames": model.future_frames,
        "fps": model.trained_fps,
        "holds": skeleton.holds,
        "unit": skeleton.unit if skeleton.holds == "positions" else "rad",
        "up": skeleton.up,
        "skeleton": skeleton.name,
        "joints": {
            "names": list(skeleton.joint_names),
            "parents": list(skeleton.parents),
            "used": list(skeleton.used),
            "copies": dict(skeleton.duplicates),
        },
        "opset": opened.opset,
        "parity": {"tolerance": TOLERANCE, "errors": {str(size): error for size, error in errors.items()}},
        "versions": {"posegraph": __version__, "torch": torch.__version__},
    }


def _digest(model: nn.Module) -> str:
    """SHA-256 of names, types, shapes and numbers of all weights and buffers."""
    digest = hashlib.sha256()
    for part in tensor_bytes(sorted(model.state_dict().items())):
        digest.update(part)
    return digest.hexdigest()
