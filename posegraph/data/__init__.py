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

import importlib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from types import ModuleType

from posegraph._support.cache import cache_folder
from posegraph.data.benchmarks.benchmark import Benchmark
from posegraph.data.clip import Clip
from posegraph.data.dataset import MotionDataset
from posegraph.data.windows import StartRule, Windows, cut, every_start
from posegraph.errors import UnknownNameError

__all__ = [
    "Clip",
    "MotionDataset",
    "StartRule",
    "Windows",
    "cache_folder",
    "cut",
    "every_start",
    "info",
    "load",
    "names",
    "samples",
]

# Data set to the module that reads it, imported when it is asked for; with "-angles", its rotations.
_READERS = {"cmu": "posegraph.data.benchmarks.cmu", "h36m": "posegraph.data.benchmarks.h36m"}
_ANGLES = "-angles"


def names() -> list[str]:
    """Names of the data sets that `load` reads."""
    return sorted([*_READERS, *(name + _ANGLES for name in _READERS)])


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
    return _reader(name).benchmark(name.endswith(_ANGLES))


def _reader(name: str) -> ModuleType:
    if name not in names():
        raise UnknownNameError("data set", name, names())
    return importlib.import_module(_READERS[name.removesuffix(_ANGLES)])


def samples() -> Path:
    """Folder of the bundled CMU clips, in the layout of the CMU benchmark; its README has source and terms."""
    return Path(str(resources.files(__name__) / "samples"))


def load(
    name: str,
    folder: str | Path,
    *,
    split: str | Sequence[str] | None = None,
    actions: Sequence[str] | None = None,
    frame_step: int = 2,
) -> MotionDataset:
    """Read a published benchmark.

    Files are parsed once and cached (`cache_folder`). A folder need not be complete.

    Args:
        name: One of `names`.
        folder: Where its files are; ``"samples"`` stands for the CMU clips that come with the library.
        split: A split or several; all of them by default.
        actions: Only these actions.
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
    reader = _reader(name)
    splits = (split,) if isinstance(split, str) else split
    where = samples() if folder == "samples" else folder
    rotations = name.endswith(_ANGLES)
    return reader.read(where, splits=splits, actions=actions, frame_step=frame_step, rotations=rotations)
