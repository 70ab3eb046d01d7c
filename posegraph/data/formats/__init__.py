"""Motion files: every format behind one interface, found by the file's name.

`read` and `write` choose the format by suffix. A format is one file that registers a reader, and a writer if it has
one; installed packages add theirs through the entry-point group ``posegraph.formats``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from posegraph._support.checks import check_choice
from posegraph._support.registry import Registry
from posegraph.data.clip import Clip
from posegraph.data.gaps import RULES
from posegraph.data.gaps import Rule as Gaps
from posegraph.errors import ConfigError, DataError
from posegraph.skeleton import presets
from posegraph.skeleton.skeleton import Skeleton

__all__ = [
    "FormatSpec",
    "ReadOptions",
    "info",
    "names",
    "of",
    "read",
    "register",
    "unregister",
    "write",
]


@dataclass(frozen=True)
class ReadOptions:
    """What a user says about a file; None leaves it to the file.

    A reader takes what its file does not say from here, what the user says differently too, and notes both in the clip.
    """

    fps: float | None = None
    """Frames a second."""
    unit: str | None = None
    """Unit of the file's lengths: "mm", "cm", "m", "inch" or "cmu" (1 / 0.45 inch). Clips are in millimetres."""
    up: Literal["x", "y", "z"] | None = None
    """Axis of the file that points up."""
    skeleton: Skeleton | None = None
    """What the joints are, where the file does not say it."""
    gaps: Gaps = "refuse"
    """What becomes of joints that were not seen."""


Reader = Callable[[Path, ReadOptions], Clip]
Writer = Callable[[Clip, Path], None]
R = TypeVar("R", bound=Reader)


@dataclass(frozen=True)
class FormatSpec:
    """What is known about a format."""

    name: str
    """Its name."""
    suffixes: tuple[str, ...]
    """Endings of its files, as in ".bvh"; each also with ".gz"."""
    summary: str
    """One line."""
    read: Reader
    """From a path and options to a clip."""
    write: Writer | None
    """From a clip to a file, as a whole or not at all; None if it is only read."""
    recognise: Callable[[Path], bool] | None = None
    """Whether an existing file is of this format, where the ending alone does not say it."""


_REGISTRY: Registry[FormatSpec] = Registry("motion format", group="posegraph.formats", package=__name__)


def register(
    name: str,
    *,
    suffixes: tuple[str, ...],
    summary: str = "",
    write: Writer | None = None,
    recognise: Callable[[Path], bool] | None = None,
) -> Callable[[R], R]:
    """Decorator that adds a reader, and with it a format.

    Args:
        name: Name of the format, in lower case with hyphens.
        suffixes: Endings of its files, as in ``(".bvh",)``. Several formats may share one: see ``recognise``.
        summary: One line for listings; by default the first of the reader's docstring.
        write: Writer, if there is one.
        recognise: Whether an existing file is of this format, by its content. Of formats that share an ending, the one
            that recognises the file is taken, else the first by name that has no such function.

    Raises:
        ConfigError: The name is taken.

    Examples:
        >>> from posegraph.data import formats
        >>> @formats.register("numbers", suffixes=(".num",))
        ... def read_numbers(path, options):
        ...     '''A format of your own.'''
        >>> formats.of("walk.num.gz").summary
        'A format of your own.'
        >>> formats.unregister("numbers")
    """

    def decorate(reader: R) -> R:
        line = summary or (reader.__doc__ or "").strip().partition("\n")[0]
        _REGISTRY.add(name, FormatSpec(name, suffixes, line, reader, write, recognise), owner=reader.__module__)
        return reader

    return decorate


def unregister(name: str) -> None:
    """Remove a format; raises `UnknownNameError` if there is none of this name."""
    _REGISTRY.remove(name)


def names() -> list[str]:
    """Names of all formats, sorted."""
    return _REGISTRY.names()


def info(name: str) -> FormatSpec:
    """What is known about a format; raises `UnknownNameError` if there is none of this name."""
    return _REGISTRY.get(name)


def of(path: str | Path) -> FormatSpec:
    """The format of a file by its ending; where formats share one, also by its content.

    Raises:
        DataError: No format has files of this ending; the message lists the endings.

    Examples:
        >>> from posegraph.data import formats
        >>> formats.of("walking_1.txt.gz").name
        'expmap'
    """
    file_name = Path(path).name.lower().removesuffix(".gz")
    specs = [info(name) for name in names()]
    fitting = [spec for spec in specs if file_name.endswith(spec.suffixes)]
    # Those that recognise their files come first; a format that would have to, but does not, comes last.
    certain = (spec for spec in fitting if spec.recognise is not None and spec.recognise(Path(path)))
    found = next(certain, None) or min(fitting, key=lambda spec: spec.recognise is not None, default=None)
    if found is None:
        endings = ", ".join(dict.fromkeys(suffix for spec in specs for suffix in spec.suffixes))
        raise DataError(
            f"{path}: expected a motion file that ends in one of {endings} (or these with .gz), got "
            f"{Path(path).name!r}. Name the format, or convert the file."
        )
    return found


def read(
    path: str | Path,
    *,
    format: str | None = None,
    fps: float | None = None,
    unit: str | None = None,
    up: Literal["x", "y", "z"] | None = None,
    skeleton: str | Skeleton | None = None,
    gaps: Gaps = "refuse",
) -> Clip:
    """Read a motion file.

    Args:
        path: File, plain or gzip-compressed (``.gz``).
        format: One of `names`; by default that of the file's ending.
        fps: Frames a second, where the file does not say it or is wrong.
        unit: Unit of its lengths, likewise.
        up: Axis that points up, likewise.
        skeleton: Name of a built-in skeleton, or any `Skeleton`, where the file does not say what its joints are.
        gaps: What becomes of joints that were not seen in a frame.

    Returns:
        A clip in millimetres; its ``notes`` say what was assumed or filled.

    Raises:
        DataError: The file cannot be read or used; the message names file, line and remedy.
        UnknownNameError: There is no such format or skeleton.

    Examples:
        >>> from posegraph import data
        >>> from posegraph.data import formats
        >>> file = data.samples() / "test/walking/walking_1.txt.gz"
        >>> clip = formats.read(file, skeleton="cmu", fps=120)
        >>> clip.num_frames, clip.name
        (359, 'walking_1')
    """
    check_choice("gaps", gaps, RULES)
    spec = of(path) if format is None else info(format)
    body = None if skeleton is None else presets.get(skeleton)
    return spec.read(Path(path), ReadOptions(fps=fps, unit=unit, up=up, skeleton=body, gaps=gaps))


def write(clip: Clip, path: str | Path, *, format: str | None = None) -> Path:
    """Write a clip to a file, as a whole or not at all.

    Args:
        clip: What to write.
        path: File to create or replace; missing folders are made.
        format: One of `names`; by default that of the file's ending.

    Returns:
        The path.

    Raises:
        ConfigError: The format is only read.
        DataError: The ending is unknown, or the format cannot hold the clip.
        UnknownNameError: There is no such format.
    """
    spec = of(path) if format is None else info(format)
    if spec.write is None:
        able = ", ".join(name for name in names() if info(name).write is not None)
        raise ConfigError(
            f"format: expected one that can be written ({able}), got {spec.name!r}. Choose another ending."
        )
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    spec.write(clip, path)
    return path
