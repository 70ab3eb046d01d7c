"""Bodies by name: built-in ones, those that a program registers, and those of installed plugins.

A body is one file that registers a function; plugins use the entry-point group ``posegraph.skeletons``. Positions are
in millimetres.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from posegraph._support.registry import Registry
from posegraph.skeleton.skeleton import Skeleton

__all__ = ["SkeletonSpec", "get", "info", "names", "register", "unregister"]

Build = Callable[[], Skeleton]


@dataclass(frozen=True)
class SkeletonSpec:
    """What is known about a body."""

    name: str
    """Its name."""
    build: Build
    """Makes the skeleton; always the same one."""
    summary: str
    """One line."""


_REGISTRY: Registry[SkeletonSpec] = Registry("skeleton", group="posegraph.skeletons", package=__name__)


def register(name: str, *, summary: str = "") -> Callable[[Build], Build]:
    """Decorator that adds a body, by a function that makes its skeleton.

    Args:
        name: Name of the body, in lower case with hyphens.
        summary: One line for listings; by default the first of the function's docstring.

    Raises:
        ConfigError: The name is taken.

    Examples:
        >>> from posegraph.skeleton import Skeleton, presets
        >>> @presets.register("arm", summary="Shoulder, elbow and wrist.")
        ... def arm():
        ...     return Skeleton("arm", ("shoulder", "elbow", "wrist"), (-1, 0, 1), constant=("shoulder",))
        >>> presets.get("arm").num_used
        2
        >>> presets.unregister("arm")
    """

    def decorate(build: Build) -> Build:
        built = cache(build)
        line = summary or (build.__doc__ or "").strip().partition("\n")[0]
        _REGISTRY.add(name, SkeletonSpec(name, built, line), owner=build.__module__)
        return built

    return decorate


def unregister(name: str) -> None:
    """Remove a body; raises `UnknownNameError` if there is none of this name."""
    _REGISTRY.remove(name)


def names(pattern: str = "*") -> list[str]:
    """Names of all bodies that match a shell-style pattern, sorted."""
    return _REGISTRY.names(pattern)


def info(name: str) -> SkeletonSpec:
    """What is known about a body; raises `UnknownNameError` if there is none of this name."""
    return _REGISTRY.get(name)


def get(skeleton: str | Skeleton) -> Skeleton:
    """The skeleton of a body by name; a `Skeleton` is returned as it is.

    Raises:
        UnknownNameError: There is no body of this name; the message lists all and the nearest.

    Examples:
        >>> from posegraph.skeleton import presets
        >>> cmu = presets.get("cmu")
        >>> cmu.num_joints, cmu.num_used, [level.num_groups for level in cmu.scales(4)]
        (38, 25, [12, 7, 4])
    """
    return skeleton if isinstance(skeleton, Skeleton) else info(skeleton).build()
