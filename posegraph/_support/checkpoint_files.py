"""The two files of a checkpoint folder: written so that they always belong together, read, and checked.

``config.json`` holds the SHA-256 digest of ``model.safetensors``, so weights of one save are never loaded with the
settings of another.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections import Counter
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from posegraph._support.files import replace_file
from posegraph.errors import CheckpointError, UnknownNameError

WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "README.md"
"""Names of the files of a checkpoint folder; the card is there if it was asked for."""

FORMAT_VERSION = 1
"""Version of the folder's layout; readers refuse newer ones."""

# What building a model from settings of the wrong kind, or reading weights that are not whole, raises; the library's
# own errors of a value among them, since they are ValueErrors.
_DAMAGE = (AttributeError, LookupError, OSError, OverflowError, RuntimeError, SafetensorError, TypeError, ValueError)


def write(folder: Path, tensors: Mapping[str, torch.Tensor], description: Mapping[str, Any]) -> None:
    """Write weights and settings; an interruption at any time leaves the old checkpoint or the new one.

    The new weights wait under a name of their own until the settings, which hold their digest, are in place.

    Args:
        folder: Folder to write, made if it does not exist.
        tensors: The model's state.
        description: What ``config.json`` says besides "weights", which is put before the last key.

    Raises:
        CheckpointError: JSON cannot hold the description.
    """
    content = save({name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()})
    digest = hashlib.sha256(content).hexdigest()
    *first, last = description.items()
    full = dict([*first, ("weights", {"sha256": digest, "dtype": _number_type(tensors)}), last])
    try:
        text = json.dumps(full, indent=2) + "\n"
    except (TypeError, ValueError) as error:
        raise CheckpointError(
            f"record, config: expected values that JSON can hold, got one that it cannot: {error}. "
            "Use numbers, strings, lists and dictionaries."
        ) from error
    folder.mkdir(parents=True, exist_ok=True)
    waiting = _waiting(folder, digest)
    try:
        replace_file(waiting, lambda file: file.write(content))
        replace_file(folder / CONFIG, lambda file: file.write(text.encode()))
    except BaseException:
        if _recorded_digest(folder) != digest:
            waiting.unlink(missing_ok=True)
        raise
    os.replace(waiting, folder / WEIGHTS)
    for left_over in folder.glob(_waiting(folder, "*").name):  # of a save that was killed
        left_over.unlink(missing_ok=True)


def read(folder: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Settings and weights that belong together.

    Raises:
        CheckpointError: One is missing, damaged or of a newer version, or they are of different checkpoints.
    """
    folder = resolve(folder)
    with reporting_damage(folder):
        for _ in range(2):  # a save may end between reading the settings and reading the weights
            config = read_config(folder)
            content = _read_weights(folder, config["weights"]["sha256"] if "weights" in config else None)
            if content is not None:
                return config, load(content)
    found = (folder / WEIGHTS).is_file()
    raise CheckpointError(
        f"{folder}: the checkpoint is damaged: {WEIGHTS} is {f'not that of {CONFIG}' if found else 'missing'}. Save or "
        "copy both files again."
    )


def read_config(folder: str | Path) -> dict[str, Any]:
    """The contents of a checkpoint's ``config.json``.

    Raises:
        CheckpointError: There is no checkpoint, it is damaged, or it is of a newer version.
    """
    file = resolve(folder) / CONFIG
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


def resolve(folder: str | Path) -> Path:
    """The checkpoint folder itself, where a training run's folder is given.

    Raises:
        CheckpointError: There is none.
    """
    folder = Path(folder)
    for candidate in (folder, folder / "best"):
        if os.path.isfile(candidate / CONFIG):  # False, as Path.is_file is not everywhere, for names that cannot be
            return candidate
    raise CheckpointError(
        f"{folder}: expected a checkpoint folder with {CONFIG} and {WEIGHTS}, found none. "
        "Pass the folder that training wrote."
    )


def is_checkpoint(path: str | Path) -> bool:
    """Whether a path is a checkpoint folder, or a training run's folder with one."""
    try:
        return bool(resolve(path))
    except CheckpointError:
        return False


@contextlib.contextmanager
def reporting_damage(folder: str | Path) -> Generator[None]:
    """Turn whatever goes wrong in reading a checkpoint and using what it says into a `CheckpointError`.

    An unknown name stays an `UnknownNameError`: what registers it may not be installed.
    """
    try:
        yield
    except (CheckpointError, UnknownNameError):
        raise
    except _DAMAGE as error:
        raise CheckpointError(
            f"{folder}: the checkpoint is damaged: {type(error).__name__}: {error}. Save or copy it again."
        ) from error


def _read_weights(folder: Path, digest: str | None) -> bytes | None:
    """The weights with this digest, or None if there are only others; without a digest, as older saves are, any."""
    if digest is None:
        return (folder / WEIGHTS).read_bytes()
    for file in (folder / WEIGHTS, _waiting(folder, digest)):
        if file.is_file() and hashlib.sha256(content := file.read_bytes()).hexdigest() == digest:
            return content
    return None


def _waiting(folder: Path, digest: str) -> Path:
    return folder / f".{WEIGHTS}.{digest}"


def _recorded_digest(folder: Path) -> str | None:
    try:
        return json.loads((folder / CONFIG).read_text(encoding="utf-8"))["weights"]["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _number_type(tensors: Mapping[str, torch.Tensor]) -> str:
    """The type of most floating-point numbers."""
    sizes: Counter[str] = Counter()
    for tensor in tensors.values():
        if tensor.is_floating_point():
            sizes[str(tensor.dtype).removeprefix("torch.")] += tensor.numel()
    return sizes.most_common(1)[0][0] if sizes else "float32"
