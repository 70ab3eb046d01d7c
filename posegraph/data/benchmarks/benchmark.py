"""Reading a folder of a published benchmark: which files belong to it, which are there, which are missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from posegraph._support.checks import check_positive
from posegraph.data.clip import Clip
from posegraph.data.dataset import MotionDataset
from posegraph.data.formats.expmap import read_poses
from posegraph.data.windows import StartRule
from posegraph.errors import DataError, UnknownNameError
from posegraph.skeleton.skeleton import Skeleton

__all__ = ["Benchmark", "BenchmarkFile", "Selection", "locate", "read_benchmark"]


@dataclass(frozen=True)
class BenchmarkFile:
    """One file that belongs to a benchmark.

    Args:
        split: Split that it is in.
        action: What the subject does.
        name: Name of its clip, unique within the split.
        path: Where it is below the benchmark's folder, without ``.gz``.
        subject: Who moves; may be empty.
    """

    split: str
    action: str
    name: str
    path: str
    subject: str = ""


@dataclass(frozen=True)
class Benchmark:
    """What a benchmark consists of.

    Args:
        name: Its name.
        skeleton: Skeleton of its files.
        native_fps: Frame rate of its files.
        assumed_fps: Frame rate that the published tables assume for its files when they name milliseconds.
        actions: Actions in the order of published tables.
        files: Every file, in the order of published loaders.
        layout: How the files lie in the folder, for messages.
        start_rules: Test rules by name.
        protocols: Published evaluation protocols by name, each as changes of `posegraph.evaluation.Protocol`.
        source: Where the motions come from and on which terms, in sentences; what is made of them has to say it too.
        licence: Licence of weights that were trained on them, as the head of a model card names it.
        bundled: Folder of the files that come with the library; None if none do.
        root_scale: Unit of the files' root translations in that of the skeleton.
    """

    name: str
    skeleton: Skeleton
    native_fps: float
    assumed_fps: float
    actions: tuple[str, ...]
    files: tuple[BenchmarkFile, ...]
    layout: str
    start_rules: Mapping[str, StartRule]
    protocols: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    source: str = ""
    licence: str = "other"
    bundled: Path | None = None
    root_scale: float = 1.0

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits."""
        return tuple(dict.fromkeys(file.split for file in self.files))


@dataclass(frozen=True)
class Selection:
    """What to read of a data set.

    Args:
        folder: Where its files are.
        splits: Only these splits; None for all.
        actions: Only these actions; None for all.
        frame_step: Keep every so many frames, from the first on. Published results use 2.
    """

    folder: Path
    splits: tuple[str, ...] | None = None
    actions: tuple[str, ...] | None = None
    frame_step: int = 2


def read_benchmark(benchmark: Benchmark, wanted: Selection) -> MotionDataset:
    """Read the files of a benchmark that a folder has.

    A partial folder is read as far as it goes; the result lists what is missing.

    Args:
        benchmark: What to look for.
        wanted: Where to look, and for which part.

    Raises:
        UnknownNameError: The benchmark has no such split or action.
        ConfigError: ``frame_step`` is not a positive integer.
        DataError: There is no such folder, none of the files is in it, or a file cannot be used.
    """
    folder, splits, actions, frame_step = wanted.folder, wanted.splits, wanted.actions, wanted.frame_step
    check_positive(frame_step=frame_step)
    for split in splits or ():
        if split not in benchmark.splits:
            raise UnknownNameError("split", split, benchmark.splits)
    for action in actions or ():
        if action not in benchmark.actions:
            raise UnknownNameError("action", action, benchmark.actions)
    wanted_splits = tuple(s for s in benchmark.splits if splits is None or s in splits)
    wanted_actions = tuple(a for a in benchmark.actions if actions is None or a in actions)
    files = [f for f in benchmark.files if f.split in wanted_splits and f.action in wanted_actions]
    paths = {file: locate(folder, file) for file in files}
    found = {file: path for file, path in paths.items() if path is not None}
    if not found and any(locate(folder, file) is not None for file in benchmark.files):
        asked = ", ".join(sorted({f"{file.split} {file.action}" for file in files}))
        raise DataError(
            f"{folder}: expected files of {asked}, such as {files[0].path}, got none of {len(files)}, but other "
            f"files of the {benchmark.name} benchmark. Ask for splits and actions that the folder has, or complete it."
        )
    if not found:
        state = f"none of {len(files)}" if folder.is_dir() else "no folder of this name"
        example = f" such as {files[0].path}" if files else ""
        raise DataError(
            f"{folder}: expected files of the {benchmark.name} benchmark{example}, got {state}. Pass the folder that "
            f"holds {benchmark.layout}."
        )
    clips: dict[str, list[Clip]] = {split: [] for split in wanted_splits}
    for file, path in found.items():
        poses, root = read_poses(path, benchmark.skeleton, root_scale=benchmark.root_scale)
        clips[file.split].append(
            Clip(
                poses=poses[::frame_step].clone(),
                skeleton=benchmark.skeleton,
                fps=benchmark.native_fps / frame_step,
                action=file.action,
                name=file.name,
                source=str(path),
                subject=file.subject,
                root=root[::frame_step],
            )
        )
    return MotionDataset(
        name=benchmark.name,
        skeleton=benchmark.skeleton,
        clips={split: tuple(own) for split, own in clips.items()},
        actions=wanted_actions,
        label_fps=benchmark.assumed_fps / frame_step,
        start_rules=benchmark.start_rules,
        protocols=benchmark.protocols,
        found=tuple(path.relative_to(folder).as_posix() for path in found.values()),
        missing=tuple(file.path for file, path in paths.items() if path is None),
    )


def locate(folder: Path, file: BenchmarkFile) -> Path | None:
    """Where a file of a benchmark is, plain or gzip-compressed; ``None`` if it is missing."""
    plain = folder / file.path
    candidates = (plain, plain.with_name(plain.name + ".gz"))
    return next((path for path in candidates if path.is_file()), None)
