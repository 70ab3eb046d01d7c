"""Weights that come with the library, one checkpoint folder each: ``MODEL/NAME`` below this package.

A folder holds ``model.safetensors``, ``config.json`` and the model card ``README.md``; `posegraph.checkpoint.pack`
makes it from a training run. `posegraph.registry.build` takes the name, `posegraph.checkpoint.load` the reference
``MODEL/NAME``.
"""

from __future__ import annotations

from pathlib import Path

from posegraph._support.checkpoint_files import CONFIG
from posegraph.errors import UnknownNameError

__all__ = ["DEFAULT", "default", "folder", "names", "references"]

DEFAULT = "graph-mixer/cmu"
"""Reference of the weights that the command line takes if it is given none."""

_ROOT = Path(__file__).parent


def references() -> list[str]:
    """All weights, as ``MODEL/NAME``, sorted."""
    return sorted(file.parent.relative_to(_ROOT).as_posix() for file in _ROOT.glob(f"*/*/{CONFIG}"))


def names(model: str) -> list[str]:
    """Names of the weights of a model, sorted.

    Args:
        model: Registry name of the model.

    Examples:
        >>> from posegraph import weights
        >>> weights.names("zero-velocity")
        []
    """
    pairs = (reference.split("/") for reference in references())
    return [name for owner, name in pairs if owner == model]


def default() -> str | None:
    """Reference of the weights to take if none are named, `DEFAULT`; None where they do not come with the library."""
    return DEFAULT if DEFAULT in references() else None


def folder(reference: str) -> Path:
    """The checkpoint folder of weights.

    Args:
        reference: One of `references`.

    Raises:
        UnknownNameError: There are no such weights; the message lists all and the nearest.
    """
    if reference not in references():
        raise UnknownNameError("weights", reference, references())
    return _ROOT / reference
