"""The CMU Mocap benchmark: eight actions, five training files and one test file each.

The motions come from the CMU Graphics Lab Motion Capture Database (mocap.cs.cmu.edu); the choice of files and their
conversion to exponential maps from Li et al., "Convolutional Sequence to Sequence Model for Human Dynamics", CVPR 2018.

The files are ``{train,test}/{action}/{action}_{k}.txt`` (or ``.txt.gz``), k = 1 to 5 for training and 1 for testing;
other files and folders, such as ``walking_extra``, are ignored.

Three things to know about the files:

* They are recorded at 120 frames a second, and every second frame is kept: models see **60** frames a second. Published
  tables label frames as if they were 25 a second, so their "1000 ms" is 417 ms. `MotionDataset.fps` is the true rate,
  `MotionDataset.label_fps` the tables'.
* Offsets are 24 % too long for real millimetres (`posegraph.skeleton.presets`); published errors share that factor.
* Frame 0 of every file is one and the same T-pose, put there by the conversion. Published windows include it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, partial
from importlib import resources
from pathlib import Path
from typing import Any

from posegraph.data.benchmarks import register
from posegraph.data.benchmarks.benchmark import Benchmark, BenchmarkFile
from posegraph.data.clip import Clip
from posegraph.data.windows import every_start, sampled_starts
from posegraph.skeleton import presets

__all__ = ["ACTIONS", "PROTOCOLS", "benchmark", "starts_8", "starts_256"]

ACTIONS = (
    "basketball",
    "basketball_signal",
    "directing_traffic",
    "jumping",
    "running",
    "soccer",
    "walking",
    "washwindow",
)
"""Actions in the order of published tables."""
PROTOCOLS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "positions": {
        "msrgcn": {"windows": "all"},
        "msrgcn-8": {"windows": "8"},
        "pgbig": {"windows": "all", "actions": tuple(action for action in ACTIONS if action != "running")},
    },
    "angles": {"traj-gcn": {"windows": "8", "metric": "euler_at"}},
}
"""Published protocols. PGBIG's averages leave out one action, so they compare with no other published average:

* ``msrgcn``: every window, all eight actions (MSR-GCN's tables);
* ``msrgcn-8``: eight windows an action (MSR-GCN's supplement, Table 4, and Traj-GCN);
* ``pgbig``: every window, seven actions, without running (PGBIG's tables).

For angles, ``traj-gcn``: eight windows an action, Euler angles (Traj-GCN and the systems before it)."""
_SOURCE = (
    "The motions come from the CMU Graphics Lab Motion Capture Database. The data used in this project was obtained "
    "from mocap.cs.cmu.edu. The database was created with funding from NSF EIA-0196217. It is free for all uses and "
    "may be included in products; it may not be resold as data, not even in converted form. The choice of files and "
    "their conversion are those of Li et al., "
    '"Convolutional Sequence to Sequence Model for Human Dynamics" (CVPR 2018).'
)
_FILES_PER_SPLIT = {"train": 5, "test": 1}


def starts_8(clips: Sequence[Clip], observed_frames: int, future_frames: int) -> list[list[int]]:
    """Eight windows a file, drawn for each file by itself; at least 76 frames are needed."""
    return [sampled_starts([clip], observed_frames, future_frames, draws=8, lowest=0, reserve=75)[0] for clip in clips]


def starts_256(clips: Sequence[Clip], observed_frames: int, future_frames: int) -> list[list[int]]:
    """256 windows a file, as in the code of PGBIG (Ma et al., CVPR 2022): draws end 50 + future frames before the end.

    Other systems published no 256-window result on CMU.
    """
    reserve = 50 + future_frames
    return [
        sampled_starts([clip], observed_frames, future_frames, draws=256, lowest=0, reserve=reserve)[0]
        for clip in clips
    ]


@cache
def benchmark(rotations: bool = False) -> Benchmark:
    """What the benchmark consists of.

    Args:
        rotations: That of ``"cmu-angles"``.
    """
    files = tuple(
        BenchmarkFile(split, action, f"{action}_{k}", f"{split}/{action}/{action}_{k}.txt")
        for split, count in _FILES_PER_SPLIT.items()
        for action in ACTIONS
        for k in range(1, count + 1)
    )
    skeleton = presets.get("cmu-angles" if rotations else "cmu")
    return Benchmark(
        name=skeleton.name,
        skeleton=skeleton,
        native_fps=120.0,
        assumed_fps=50.0,
        actions=ACTIONS,
        files=files,
        layout="train/{action}/{action}_1.txt to _5.txt and test/{action}/{action}_1.txt",
        start_rules={"all": every_start, "8": starts_8, "256": starts_256},
        protocols=PROTOCOLS["angles" if rotations else "positions"],
        source=_SOURCE,
        licence="mit",
        bundled=Path(str(resources.files("posegraph.data") / "samples")),
        root_scale=70.0,
    )


register("cmu", benchmark, summary="CMU Mocap: eight actions, 48 files, 15 of them in the library.")
register("cmu-angles", partial(benchmark, rotations=True), summary="The rotations of the same files.")
