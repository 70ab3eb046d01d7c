"""Motion data: clips, the published benchmarks, and windows.

Examples:
    >>> from posegraph import data
    >>> cmu = data.load("cmu", "samples")
    >>> cmu.describe()
    'cmu: 12 train, 3 test clips at 60 frames a second; 33 of 48 files missing'
    >>> cmu.train_windows(observed_frames=10, future_frames=25).batch([0, 1]).shape
    torch.Size([2, 35, 25, 3])
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from posegraph._support.cache import cache_folder
from posegraph.data.benchmarks import get, names, register, unregister
from posegraph.data.benchmarks.benchmark import Benchmark, BenchmarkFile, Selection, read_benchmark
from posegraph.data.clip import Clip
from posegraph.data.dataset import MotionDataset
from posegraph.data.windows import StartRule, Windows, cut, every_start
from posegraph.errors import DataError

__all__ = [
    "Benchmark",
    "BenchmarkFile",
    "Clip",
    "MotionDataset",
    "Selection",
    "StartRule",
    "Windows",
    "cache_folder",
    "cut",
    "every_start",
    "info",
    "load",
    "names",
    "read_benchmark",
    "register",
    "samples",
    "unregister",
]


def info(name: str) -> Benchmark:
    """What a benchmark consists of: its files, actions, frame rates, protocols and source.

    Args:
        name: One of `names`.

    Raises:
        UnknownNameError: There is no such data set.

    Examples:
        >>> from posegraph import data
        >>> cmu = data.info("cmu")
        >>> len(cmu.actions), len(cmu.files), cmu.native_fps
        (8, 48, 120.0)
    """
    return get(name).benchmark()


def samples() -> Path:
    """Folder of the bundled CMU clips, in the layout of the CMU benchmark; its README has source and terms."""
    return _bundled("cmu")


def load(
    name: str,
    folder: str | Path,
    *,
    split: str | Sequence[str] | None = None,
    actions: str | Sequence[str] | None = None,
    frame_step: int = 2,
) -> MotionDataset:
    """Read a published benchmark.

    Files are parsed once and cached (`cache_folder`). A folder need not be complete.

    Args:
        name: One of `names`.
        folder: Where its files are; ``"samples"`` stands for the clips that come with the library.
        split: A split or several; all of them by default.
        actions: Only this action, or these.
        frame_step: Keep every so many frames; published results use 2.

    Returns:
        The data set; its ``found`` and ``missing`` say which files of the benchmark were there.

    Raises:
        UnknownNameError: There is no such data set, split or action.
        ConfigError: ``frame_step`` is not a positive integer.
        DataError: No file of the benchmark is in the folder, or one cannot be used; the message names file and line.

    Examples:
        >>> from posegraph import data
        >>> running = data.load("cmu", "samples", split="test", actions=["running"])
        >>> {action: len(windows) for action, windows in running.test_windows("all", 10, 25).items()}
        {'running': 48}
    """
    spec = get(name)
    where = _bundled(name) if folder == "samples" else Path(folder)
    return spec.read(spec.benchmark(), Selection(where, _names(split), _names(actions), frame_step))


def _names(wanted: str | Sequence[str] | None) -> tuple[str, ...] | None:
    return (wanted,) if isinstance(wanted, str) else None if wanted is None else tuple(wanted)


def _bundled(name: str) -> Path:
    folder = info(name).bundled
    if folder is None:
        others = ", ".join(own for own in names() if info(own).bundled is not None)
        raise DataError(
            f"samples: expected a data set with clips in the library ({others}), got {name!r}. Pass a folder."
        )
    return folder
