"""The exceptions and warnings of the library.

Every message says what was expected, what came, and what to do. All errors derive from `PosegraphError`, so one
``except`` clause catches everything that this library raises on purpose; each is also the built-in exception that a
caller who does not know the library would expect.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

__all__ = [
    "CheckpointError",
    "ConfigError",
    "DataError",
    "IncompleteDataError",
    "InputWarning",
    "MissingDependencyError",
    "PluginWarning",
    "PosegraphError",
    "ShapeError",
    "SkeletonError",
    "UnknownNameError",
]


class PosegraphError(Exception):
    """Base class of all errors of this library."""


class ShapeError(PosegraphError, ValueError):
    """A tensor does not have the shape that was asked for.

    Args:
        what: Name of the tensor, as in "observed poses".
        expected: Expected shape with named axes, as in "(batch, 10 frames, 22 joints, 3)".
        actual: Shape that came.
        remedy: What to do about it.

    Examples:
        >>> from posegraph.errors import ShapeError
        >>> print(ShapeError("poses", "(batch, frames, 22 joints, 3)", (4, 10, 32, 3), "Reduce them first."))
        poses: expected (batch, frames, 22 joints, 3), got (4, 10, 32, 3). Reduce them first.
    """

    def __init__(self, what: str, expected: str, actual: object, remedy: str) -> None:
        self.what, self.expected, self.actual, self.remedy = what, expected, actual, remedy
        shape = tuple(actual) if isinstance(actual, (tuple, list)) else actual
        super().__init__(f"{what}: expected {expected}, got {shape}. {remedy}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.what, self.expected, self.actual, self.remedy)


class ConfigError(PosegraphError, ValueError):
    """A setting has a value that cannot work."""


class UnknownNameError(PosegraphError, LookupError):
    """A name is not in a list of known names.

    Args:
        kind: What the name stands for, as in "model".
        name: The name that came.
        known: The names that exist.

    Examples:
        >>> from posegraph.errors import UnknownNameError
        >>> print(UnknownNameError("model", "msrgnc", ["msrgcn", "traj-gcn"]))
        unknown model 'msrgnc'. Did you mean 'msrgcn'? Known: msrgcn, traj-gcn.
    """

    def __init__(self, kind: str, name: object, known: Iterable[object]) -> None:
        self.kind, self.name = kind, name
        self.known: list[str] = [str(k) for k in known]
        close = nearest(name, self.known)
        hint = "" if close is None else f" Did you mean {close!r}?"
        super().__init__(f"unknown {kind} {name!r}.{hint} Known: {', '.join(self.known) or 'none'}.")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.kind, self.name, self.known)


def nearest(name: object, known: Iterable[str]) -> str | None:
    """The known name that a mistyped one may stand for; None if none is near."""
    return next(iter(difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)), None)


class SkeletonError(PosegraphError, ValueError):
    """A skeleton or a joint grouping contradicts itself."""


class DataError(PosegraphError, ValueError):
    """A motion file or folder cannot be used; the message names file, line and remedy."""


class IncompleteDataError(DataError):
    """Files that belong together are not all there, so a protocol cannot be followed; others may still be."""


class CheckpointError(PosegraphError, ValueError):
    """A checkpoint is missing, damaged, or belongs to something else."""


class MissingDependencyError(PosegraphError, ImportError):
    """An optional package is needed; the message says which extra installs it."""


class InputWarning(UserWarning):
    """Data may not be what they should be; the message says what is wrong and what to do."""


class PluginWarning(UserWarning):
    """A plugin could not be loaded; the message names its distribution."""
