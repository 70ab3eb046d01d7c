"""The CMU benchmark's files from the BVH conversion of the CMU database.

The benchmark's text files were made from BVH files of the database (B. Hahne's conversion, cgspeed.com), one trial
each, all frames. A line holds the root's position, then for each joint and end site in the order of the hierarchy the
rotation that its angles compose to, as an exponential map for row vectors; end sites have zeros. One thing is odd: the
root's angles were composed in the order z, x, y, although the files say z, y, x. Poses of the benchmark leave the
root's rotation out, so it shows in the text only. Bone offsets, those of trial 02_01 times 70 for all, are in the
skeleton ``"cmu"``.

Which trial each file is, `trials` says, with the evidence:

* ``"equal"``: every number of a known copy of the file was compared with the trial;
* ``"rows"``: the length and the first row of a known copy, or single rows, were;
* ``"inferred"``: from the order of trials in the database's index;
* ``"unknown"``: no trial is known. `rebuild` looks for it among all files given, by length and fingerprint.

Known copies of 38 of the 48 files have a length and a fingerprint here. A text of the same numbers need not be the same
bytes, so the fingerprint is one of positions: eight weighted sums, equal within `TOLERANCE`.
"""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import BinaryIO, Literal, cast

import numpy as np
import torch

from posegraph._support.files import read_content, replace_file
from posegraph.data.benchmarks.cmu import benchmark
from posegraph.data.formats._bvh_parser import parse
from posegraph.data.formats._hierarchy import Turn, apply_turns
from posegraph.errors import DataError
from posegraph.skeleton import presets
from posegraph.skeleton.kinematics import forward_kinematics
from posegraph.skeleton.rotations import exponential_map_from_rotation

__all__ = ["TOLERANCE", "Rebuilt", "Trial", "fingerprint", "rebuild", "rows_from_bvh", "trials"]

Evidence = Literal["equal", "rows", "inferred", "unknown"]
Outcome = Literal["equal", "differs", "unchecked", "missing"]
TOLERANCE = 0.02
"""In mm, as a root mean square weighted at random: what rounding makes is a thousand times smaller."""
_SUMS = 8
_FRAMES = re.compile(rb"^\s*Frames\s*:?\s*(\d+)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class Trial:
    """Where a file of the benchmark comes from."""

    file: str
    """As in "train/walking/walking_1.txt"."""
    trial: str
    """Number in the database, as in "02_01"; empty if unknown."""
    evidence: Evidence
    frames: int | None
    """Frames of the known copy; None if there is none."""
    fingerprint: tuple[float, ...]
    """Of the known copy; empty if there is none."""


@dataclass(frozen=True)
class Rebuilt:
    """What became of a file of the benchmark."""

    trial: Trial
    source: Path | None
    """BVH file that it was made from; None if there was none."""
    outcome: Outcome
    """Whether its fingerprint is that of the known copy; "unchecked" without one, "missing" without a source."""
    difference: float | None = None
    """Largest difference of the eight sums, in mm."""


@cache
def trials() -> tuple[Trial, ...]:
    """Where each of the 48 files comes from, in the order of the benchmark.

    Examples:
        >>> from posegraph.data.benchmarks import cmu_source
        >>> first = next(t for t in cmu_source.trials() if t.file == "train/walking/walking_1.txt")
        >>> len(cmu_source.trials()), first.trial, first.evidence, first.frames
        (48, '02_01', 'equal', 344)
    """
    text = (resources.files("posegraph.data.benchmarks") / "cmu_trials.csv").read_text(encoding="utf-8")
    table = {row["file"]: row for row in csv.DictReader(text.splitlines())}
    return tuple(
        Trial(
            file.path,
            table[file.path]["trial"],
            cast("Evidence", table[file.path]["evidence"]),
            int(table[file.path]["frames"]) if table[file.path]["frames"] else None,
            tuple(float(number) for number in table[file.path]["fingerprint"].split()),
        )
        for file in benchmark().files
    )


def rows_from_bvh(path: Path) -> np.ndarray:
    """Lines of the benchmark's text format from a BVH file of the database.

    Returns:
        ``(frames, 117)`` float64.

    Raises:
        DataError: The file cannot be read, or its hierarchy is not the database's.
    """
    file = parse(read_content(path), path)
    skeleton = presets.get("cmu")
    parents = tuple(node.parent for node in file.nodes)
    if parents != skeleton.parents or len(file.columns(0, rotations=False)) != 3:
        raise DataError(
            f"{path}: expected the hierarchy of the CMU database's BVH conversion, {skeleton.num_joints} joints and "
            f"end sites, got another one of {len(parents)}. Use that conversion, with files named 01_01.bvh and so on."
        )
    if not len(file.values) or not np.isfinite(file.values).all():
        raise DataError(f"{path}: expected frames of finite numbers, got none or others. Fetch the file again.")
    rows = np.zeros((len(file.values), 3 + 3 * skeleton.num_joints))
    for axis, column in file.columns(0, rotations=False):
        rows[:, axis] = file.values[:, column]
    for joint in range(skeleton.num_joints):
        turns: list[Turn] = file.turns(joint)
        if joint == 0:
            turns.sort(key=lambda turn: (2, 0, 1).index(cast("int", turn[0])))
        if turns:
            matrices = apply_turns(turns, np.eye(3)[:, :, None]).transpose(2, 0, 1)
            angles = exponential_map_from_rotation(torch.from_numpy(np.ascontiguousarray(matrices)))
            rows[:, 3 + 3 * joint : 6 + 3 * joint] = angles.numpy()
    return rows + 0.0  # no "-0"


def fingerprint(rows: np.ndarray) -> tuple[float, ...]:
    """Eight sums over the positions of the used joints in all frames, weighted by cosines.

    Args:
        rows: Lines of the text format, ``(frames, 117)``.

    Returns:
        Sums in mm, divided by the root of their number of terms: differences that are independent from number to number
        show in full.
    """
    skeleton = presets.get("cmu")
    angles = torch.from_numpy(rows[:, 3:].astype(np.float32)).unflatten(1, (-1, 3))
    values = skeleton.reduce(forward_kinematics(angles, skeleton)).double().numpy().reshape(-1)
    at = np.arange(len(values)) * 2.399963229728653  # the golden angle: no two weights are alike
    sums = [float(np.cos((k + 1) * at + k) @ values) / len(values) ** 0.5 for k in range(_SUMS)]
    return tuple(sums)


def rebuild(from_bvh: Path, out: Path, *, progress: Callable[[Rebuilt], None] | None = None) -> tuple[Rebuilt, ...]:
    """Write the benchmark's files that can be made from a folder of BVH files.

    A file that differs from the known copy is written too: look at what is returned.

    Args:
        from_bvh: Folder with the BVH files of the database, at any depth, named by trial: ``02_01.bvh`` or
            ``02_01.bvh.gz``.
        out: Folder to write, in the benchmark's layout; files there are replaced.
        progress: Called after each file.

    Returns:
        What became of each of the 48 files, in the order of the benchmark.

    Raises:
        DataError: There is no such folder or no BVH file in it, or a file cannot be used.
    """
    found = {path.name.lower().split(".")[0]: path for path in sorted(from_bvh.rglob("*.[bB][vV][hH]*"))}
    if not found:
        raise DataError(
            f"{from_bvh}: expected BVH files such as 02_01.bvh, at any depth, got none. Pass the folder of the "
            "database's BVH conversion."
        )
    lengths: dict[int, list[Path]] = {}
    if any(not trial.trial and trial.fingerprint for trial in trials()):
        for path in found.values():
            claimed = _FRAMES.search(_head(path))
            if claimed:
                lengths.setdefault(int(claimed[1][:9]), []).append(path)
    results: list[Rebuilt] = []
    for trial in trials():
        candidates = lengths.get(trial.frames or 0, []) if not trial.trial else []
        sources = [found[trial.trial]] if trial.trial in found else candidates
        result = _rebuilt(trial, sources, out)
        results.append(result)
        if progress is not None:
            progress(result)
    return tuple(results)


def _head(path: Path) -> bytes:
    """The first bytes of a file, unpacked; nothing of one that cannot be read."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as file:
            return file.read(1 << 16)
    except (OSError, EOFError, zlib.error):
        return b""


def _rebuilt(trial: Trial, sources: Sequence[Path], out: Path) -> Rebuilt:
    for source in sources:
        rows = rows_from_bvh(source)
        difference = None
        if trial.fingerprint:
            pairs = zip(fingerprint(rows), trial.fingerprint, strict=True)
            difference = max(abs(a - b) for a, b in pairs) if len(rows) == trial.frames else float("inf")
        equal = difference is not None and difference <= TOLERANCE
        if not trial.trial and not equal:
            continue  # a file that only happens to be as long
        target = out / trial.file
        target.parent.mkdir(parents=True, exist_ok=True)

        def save(file: BinaryIO, rows: np.ndarray = rows) -> None:
            np.savetxt(file, rows, fmt="%.9g", delimiter=",")

        replace_file(target, save)
        return Rebuilt(
            trial, source, "unchecked" if difference is None else "equal" if equal else "differs", difference
        )
    return Rebuilt(trial, None, "missing")
