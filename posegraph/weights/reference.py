"""The one resolver of trained models: from what a user calls them to where their files are.

`posegraph.registry.build`, `posegraph.checkpoint.load`, `posegraph.forecast.Forecaster` and the command line accept the
same references, because all of them ask `resolve`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from posegraph import weights
from posegraph._support import checkpoint_files
from posegraph._support.checkpoint_files import CARD, CONFIG, WEIGHTS
from posegraph._support.checks import import_optional
from posegraph.errors import CheckpointError, nearest

__all__ = ["HubOptions", "Kind", "TrainedWeights", "resolve"]

Kind = Literal["folder", "bundled", "file", "repository"]
"""What a reference turned out to be."""

_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_SUFFIX = ".safetensors"


@dataclass(frozen=True)
class TrainedWeights:
    """Trained weights that were found."""

    kind: Kind
    """A checkpoint folder, weights that come with the library, a bare file, or a repository of the Hub."""
    path: Path
    """The checkpoint folder with ``config.json`` and ``model.safetensors``; for a bare file the file."""
    label: str
    """What messages call them: the reference."""


@dataclass(frozen=True)
class HubOptions:
    """How to ask the Hugging Face Hub for a repository."""

    revision: str | None = None
    """Branch, tag or commit; the main branch if None."""
    token: str | bool | None = None
    """Access token; the one that is logged in if None."""
    cache_dir: str | Path | None = None
    """Where downloaded files are kept; the Hub's own folder if None."""
    local_files_only: bool = False
    """Whether to look among the files of earlier downloads only."""


def resolve(
    reference: str | Path | TrainedWeights,
    *,
    model: str | None = None,
    models: Collection[str] = (),
    hub: HubOptions | None = None,
) -> TrainedWeights:
    """Find trained weights.

    An existing checkpoint folder or file takes precedence over weights that come with the library, and these take
    precedence over a repository. The network is used for a text ``OWNER/NAME`` that is neither of the former, and for
    nothing else.

    Args:
        reference: A checkpoint folder or a training run's folder, whose best checkpoint is taken; a ``.safetensors``
            file; one of `posegraph.weights.references`, as in ``"graph-mixer/cmu"``; or a repository ``"OWNER/NAME"``
            of the Hugging Face Hub. A `pathlib.Path` is a folder or file, never a name.
        model: Registry name of the model that the weights are for. Then its own weights go by their short name, as in
            ``"cmu"``, and a bare file of weights will do; without it, a file has to be that of a checkpoint folder.
        models: Registry names, to tell a model's name from a mistyped one.
        hub: How to ask the Hub.

    Returns:
        What was found.

    Raises:
        CheckpointError: Nothing was found; the message lists what was tried and what exists.
        MissingDependencyError: The reference can only be a repository, and huggingface_hub is not installed.

    Examples:
        >>> from posegraph.weights.reference import resolve
        >>> resolve("graph-mixer/cmu").kind, resolve("cmu", model="graph-mixer").label
        ('bundled', 'graph-mixer/cmu')
    """
    if isinstance(reference, TrainedWeights):
        return reference
    label = _label(reference, model)
    local = _find_local(label, bare=model is not None)
    if local is not None:
        return local
    if isinstance(reference, str):
        for name in (reference, f"{model}/{reference}"):
            if name in weights.references():
                return TrainedWeights("bundled", weights.folder(name), name)
        if _REPOSITORY.fullmatch(reference) and not os.path.exists(reference) and not reference.endswith(_SUFFIX):
            return _download(reference, model, models, hub or HubOptions())
    raise CheckpointError(_nothing(label, _what_there_is(label, models), model, models))


def _label(reference: object, model: str | None) -> str:
    if isinstance(reference, str | Path) and str(reference):
        return str(reference)
    raise CheckpointError(_nothing(repr(reference), "neither a text nor a path", model))


def _find_local(label: str, *, bare: bool) -> TrainedWeights | None:
    """A folder or file of this name, if it holds weights."""
    path = Path(label)
    if checkpoint_files.is_checkpoint(path):
        return TrainedWeights("folder", checkpoint_files.resolve(path), label)
    file = path / WEIGHTS if os.path.isdir(label) else path
    if file.suffix != _SUFFIX or not os.path.isfile(file):
        return None
    if bare:
        return TrainedWeights("file", file, label)
    if file.name == WEIGHTS and checkpoint_files.is_checkpoint(file.parent):
        return TrainedWeights("folder", file.parent, label)
    raise CheckpointError(
        f"{label}: expected a trained model, found weights alone, without {CONFIG}, which says what they are of. Pass "
        "the checkpoint folder, or registry.build(MODEL, weights=FILE, ...) with the settings of the model."
    )


def _download(reference: str, model: str | None, models: Collection[str], hub: HubOptions) -> TrainedWeights:
    missing = _nothing(reference, "no such folder, file or weights of the library", model, models)
    package = import_optional(
        "huggingface_hub", extra="hub", purpose=f"{missing} Asking the Hugging Face Hub for that repository"
    )
    try:
        folder = package.snapshot_download(
            reference,
            revision=hub.revision,
            token=hub.token,
            cache_dir=hub.cache_dir,
            local_files_only=hub.local_files_only,
            allow_patterns=[CONFIG, WEIGHTS, CARD],
        )
    except Exception as error:  # the package raises those of its HTTP client as well, which differ between versions
        answer = " ".join(str(error).split())
        raise CheckpointError(
            f"{missing} The Hugging Face Hub was asked for that repository: {type(error).__name__}: {answer} Check "
            "name, network and token."
        ) from error
    if not checkpoint_files.is_checkpoint(folder):
        found = f"a repository of the Hugging Face Hub without {CONFIG} and {WEIGHTS}"
        raise CheckpointError(_nothing(reference, found, model, models))
    return TrainedWeights("repository", checkpoint_files.resolve(folder), reference)


def _what_there_is(label: str, models: Collection[str]) -> str:
    if os.path.isdir(label):
        return f"a folder without {CONFIG} and {WEIGHTS}"
    if os.path.isfile(label):
        return f"a file that is not {_SUFFIX}"
    if label in models:
        return "the name of a model alone, whose weights would be random"
    return "no such folder, file or weights of the library"


def _nothing(label: str, found: str, model: str | None, models: Collection[str] = ()) -> str:
    """The text of every reference that leads nowhere."""
    known = [name for name in weights.references() if model is None or name.startswith(f"{model}/")]
    by_part = {part: name for name in reversed(known) for part in (*name.split("/"), name)}
    near = by_part if label in models else {name: name for name in models} | by_part
    hint = near.get(nearest(label, near) or "")
    library = f"weights of the library ({', '.join(known) or 'none'}{'' if model is None else f' of {model}'})"
    return (
        f"{label}: expected a trained model, found {found}.{f' Did you mean {hint!r}?' if hint else ''} Pass a "
        f"checkpoint or run folder, a {_SUFFIX} file, {library}, or a repository OWNER/NAME of the Hugging Face Hub."
    )
