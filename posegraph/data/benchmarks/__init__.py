"""Data sets by name: built-in ones, those that a program registers, and those of installed plugins.

A data set is one file that registers what belongs to it, and its reader if the general one will not do. Plugins use the
entry-point group ``posegraph.datasets``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from posegraph._support.registry import Registry
from posegraph.data.benchmarks.benchmark import Benchmark, Selection, read_benchmark
from posegraph.data.dataset import MotionDataset

__all__ = ["DatasetSpec", "get", "names", "register", "unregister"]

Reader = Callable[[Benchmark, Selection], MotionDataset]


@dataclass(frozen=True)
class DatasetSpec:
    """What is known about a data set."""

    name: str
    """Its name."""
    benchmark: Callable[[], Benchmark]
    """What belongs to it; the same at every call."""
    read: Reader = read_benchmark
    """From what belongs to it and what is wanted to clips."""
    summary: str = ""
    """One line."""


_REGISTRY: Registry[DatasetSpec] = Registry("data set", group="posegraph.datasets", package=__name__)


def register(
    name: str, benchmark: Callable[[], Benchmark], *, read: Reader = read_benchmark, summary: str = ""
) -> None:
    """Add a data set.

    Args:
        name: Name of the data set, in lower case with hyphens.
        benchmark: Says what belongs to it.
        read: Reads it; by default `read_benchmark`, which reads exponential-map files.
        summary: One line for listings.

    Raises:
        ConfigError: The name is taken.
    """
    _REGISTRY.add(name, DatasetSpec(name, benchmark, read, summary), owner=__name__)


def unregister(name: str) -> None:
    """Remove a data set; raises `UnknownNameError` if there is none of this name."""
    _REGISTRY.remove(name)


def names() -> list[str]:
    """Names of all data sets, sorted."""
    return _REGISTRY.names()


def get(name: str) -> DatasetSpec:
    """What is known about a data set; raises `UnknownNameError` if there is none of this name."""
    return _REGISTRY.get(name)
