"""The Human3.6M benchmark: fifteen actions, seven subjects, two files for each action of a subject.

Ionescu et al., "Human3.6M" (TPAMI 2014), as exponential maps at 50 frames a second in the selection of Jain et al.,
"Structural-RNN" (CVPR 2016). The licence does not allow handing the files on: get them from the authors. Every second
frame is kept, so models see 25 frames a second. The files are ``{subject}/{action}_{1,2}.txt`` (or ``.txt.gz``).

One copy in circulation holds eight files under a wrong name that are really files of the test subject, S5, among the
training and validation subjects. `read` compares the files and warns.
"""

from __future__ import annotations

import filecmp
import itertools
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from posegraph.data.benchmarks import register
from posegraph.data.benchmarks.benchmark import Benchmark, BenchmarkFile, Selection, locate, read_benchmark
from posegraph.data.clip import Clip
from posegraph.data.dataset import MotionDataset
from posegraph.data.windows import every_start, require_frames, sampled_starts
from posegraph.errors import IncompleteDataError, InputWarning
from posegraph.skeleton import presets

__all__ = [
    "ACTIONS",
    "PROTOCOLS",
    "SUBJECTS",
    "benchmark",
    "find_test_copies",
    "read",
    "starts_8",
    "starts_256",
    "starts_all",
]

ACTIONS = (
    "walking",
    "eating",
    "smoking",
    "discussion",
    "directions",
    "greeting",
    "phoning",
    "posing",
    "purchases",
    "sitting",
    "sittingdown",
    "takingphoto",
    "waiting",
    "walkingdog",
    "walkingtogether",
)
"""Actions in the order of published tables."""
SUBJECTS = {"train": ("S1", "S6", "S7", "S8", "S9"), "val": ("S11",), "test": ("S5",)}
"""Subjects of each split."""

PROTOCOLS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "positions": {
        "msrgcn": {"windows": "all"},
        "msrgcn-five": {
            "windows": "all",
            "actions": ("walking", "eating", "smoking", "discussion", "directions"),
        },
        "msrgcn-8": {"windows": "8"},
        "pgbig": {"windows": "every"},
        "simlpe": {"windows": "256", "frames": (1, 3, 7, 9, 13, 17, 21, 24)},
        "motionmixer": {"windows": "256", "metric": "mpjpe_up_to"},
    },
    "angles": {"traj-gcn": {"windows": "8", "metric": "euler_at"}},
}
"""Published protocols. Numbers of one compare with those of no other:

* ``msrgcn``: all windows but the last 66 of a file, 15 actions (MSR-GCN's tables);
* ``msrgcn-five``: the same, the five actions behind the averages of its Table 2;
* ``msrgcn-8``: eight windows an action (MSR-GCN's supplement, Table 4, and Traj-GCN);
* ``pgbig``: every window (PGBIG's tables);
* ``simlpe``: 256 windows an action, more frames (siMLPe, HisRep);
* ``motionmixer``: 256 windows, mean of all frames up to a horizon (MotionMixer, a table in MSR-GCN's README).

For angles, ``traj-gcn``: eight windows an action, Euler angles (Traj-GCN and the systems before it)."""

_SOURCE = (
    'The motions come from Human3.6M (Ionescu et al., "Human3.6M: Large Scale Datasets and Predictive Methods for 3D '
    'Human Sensing in Natural Environments", TPAMI 2014), in the selection of Jain et al., "Structural-RNN" (CVPR '
    "2016). Its licence, at vision.imar.ro/human3.6m, is for academic use and does not allow handing the data on. Mind "
    "it before you hand on or use what was made of the data."
)


def read(benchmark: Benchmark, wanted: Selection) -> MotionDataset:
    """Read the files, directly in the folder or in ``dataset`` below it, and compare them.

    Raises:
        UnknownNameError: There is no such split or action.
        ConfigError: ``frame_step`` is not a positive integer.
        DataError: No file of the benchmark is in the folder, or one cannot be used.

    Warns:
        InputWarning: A training or validation file is a copy of a test file, and such files are asked for.
    """
    folder = wanted.folder / "dataset" if (wanted.folder / "dataset").is_dir() else wanted.folder
    data = read_benchmark(benchmark, replace(wanted, folder=folder))
    others = [split for split in data.splits if split != "test"]
    copies = find_test_copies(folder) if others else []
    if copies:
        listed = ", ".join(f"{other} = {test}" for other, test in copies)
        warnings.warn(
            f"{folder}: {len(copies)} files of training or validation subjects are copies of files of the test subject "
            f"({listed}). Results would be too good: replace them by the right ones, or leave these actions out.",
            InputWarning,
            stacklevel=2,
        )
    return data


def find_test_copies(folder: str | Path) -> list[tuple[str, str]]:
    """Files of training and validation subjects that are byte for byte a file of the test subject.

    Args:
        folder: Folder that holds the subjects' folders.

    Returns:
        Pairs (copy, test file), relative to the folder.
    """
    folder = Path(folder)
    located = [(file.split, locate(folder, file)) for file in benchmark().files]
    tests = [path for split, path in located if path is not None and split == "test"]
    others = [path for split, path in located if path is not None and split != "test"]
    sizes = {path: path.stat().st_size for path in (*tests, *others)}
    return [
        (other.relative_to(folder).as_posix(), test.relative_to(folder).as_posix())
        for other, test in itertools.product(others, tests)
        if sizes[other] == sizes[test] and filecmp.cmp(other, test, shallow=False)
    ]


def starts_all(clips: Sequence[Clip], observed_frames: int, future_frames: int) -> list[range]:
    """Starts 0 to frames - 101 of each file, as in the code of MSR-GCN (Dang et al., ICCV 2021).

    The bound does not depend on the length of a window; for 35 frames it leaves out the last 66 possible starts. The
    rule ``"every"`` leaves out none, as PGBIG (Ma et al., CVPR 2022) does; results differ by up to several millimetres.
    """
    length = observed_frames + future_frames
    for clip in clips:
        require_frames(clip, max(101, length), "the rule 'all'")
    return [range(min(clip.num_frames - 100, clip.num_frames - length + 1)) for clip in clips]


def starts_8(clips: Sequence[Clip], observed_frames: int, future_frames: int) -> list[list[int]]:
    """Eight windows an action, four in each of its two files, both drawn in turn from one generator."""
    return _drawn_from_both(clips, observed_frames, future_frames, draws=4)


def starts_256(clips: Sequence[Clip], observed_frames: int, future_frames: int) -> list[list[int]]:
    """256 windows an action, 128 in each of its two files; the first four are those of `starts_8`."""
    return _drawn_from_both(clips, observed_frames, future_frames, draws=128)


def _drawn_from_both(clips: Sequence[Clip], observed_frames: int, future_frames: int, *, draws: int) -> list[list[int]]:
    if len(clips) != 2:
        raise IncompleteDataError(
            f"rules '8' and '256': expected the two files of one subject's action, got {len(clips)} "
            f"({', '.join(clip.label for clip in clips)}). Draws in one file depend on the length of the other: "
            "complete the folder, leave the action out, or use the rule 'all'."
        )
    return sampled_starts(clips, observed_frames, future_frames, draws=draws, lowest=16, reserve=150)


@cache
def benchmark(rotations: bool = False) -> Benchmark:
    """What the benchmark consists of.

    Args:
        rotations: That of ``"h36m-angles"``.
    """
    files = tuple(
        BenchmarkFile(split, action, f"{subject}/{action}_{k}", f"{subject}/{action}_{k}.txt", subject)
        for split, subjects in SUBJECTS.items()
        for subject in subjects
        for action in ACTIONS
        for k in (1, 2)
    )
    skeleton = presets.get("h36m-angles" if rotations else "h36m")
    return Benchmark(
        name=skeleton.name,
        skeleton=skeleton,
        native_fps=50.0,
        assumed_fps=50.0,
        actions=ACTIONS,
        files=files,
        layout="S1, S5, S6, S7, S8, S9, S11 with {action}_1.txt and {action}_2.txt in each",
        start_rules={"all": starts_all, "every": every_start, "8": starts_8, "256": starts_256},
        protocols=PROTOCOLS["angles" if rotations else "positions"],
        source=_SOURCE,
    )


register("h36m", benchmark, read=read, summary="Human3.6M: fifteen actions, seven subjects; get the files yourself.")
register("h36m-angles", partial(benchmark, rotations=True), read=read, summary="The rotations of the same files.")
