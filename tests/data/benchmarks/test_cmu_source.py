from __future__ import annotations

import csv
import gzip
from collections import Counter
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from posegraph import data
from posegraph.data.benchmarks import cmu_source
from posegraph.data.benchmarks.cmu import benchmark
from posegraph.errors import DataError
from posegraph.skeleton import presets


def known(file: str) -> np.ndarray:
    """Numbers of a bundled file of the benchmark."""
    with gzip.open(data.samples() / f"{file}.gz", "rt") as text:
        return np.loadtxt(text, delimiter=",")


def bvh_of(rows: np.ndarray) -> str:
    """The BVH that lines of the benchmark come from, found backwards with SciPy."""
    skeleton = presets.get("cmu")
    assert skeleton.offsets is not None
    lines, open_joints = ["HIERARCHY"], []
    joints = []
    for joint, (name, parent) in enumerate(zip(skeleton.joint_names, skeleton.parents, strict=True)):
        while open_joints and open_joints[-1] != parent:
            open_joints.pop()
            lines.append("}")
        site = name.endswith("_Site")
        lines += ["End Site" if site else f"{'JOINT' if joint else 'ROOT'} {name}", "{"]
        lines.append("OFFSET " + " ".join(f"{value / 70:.6f}" for value in skeleton.offsets[joint]))
        if not site:
            places = "CHANNELS 6 Xposition Yposition Zposition" if joint == 0 else "CHANNELS 3"
            lines.append(f"{places} Zrotation Yrotation Xrotation")
            joints.append(joint)
        open_joints.append(joint)
    lines += ["}"] * len(open_joints)
    angles = [rows[:, :3]]
    for joint in joints:
        turn = Rotation.from_rotvec(-rows[:, 3 + 3 * joint : 6 + 3 * joint])  # rows to columns
        # The root's angles were composed in another order than the file says.
        own = turn.as_euler("ZXY", degrees=True)[:, [0, 2, 1]] if joint == 0 else turn.as_euler("ZYX", degrees=True)
        angles.append(own)
    lines += ["MOTION", f"Frames: {len(rows)}", "Frame Time: .0083333"]
    lines += [" ".join(f"{value:.7f}" for value in row) for row in np.concatenate(angles, axis=1)]
    return "\n".join(lines)


def write(folder: Path, trial: str, rows: np.ndarray) -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{trial}.bvh.gz").write_bytes(gzip.compress(bvh_of(rows).encode()))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trials of a file that is known, one that is inferred, one whose trial is not known, and one that is another."""
    folder = tmp_path_factory.mktemp("database")
    write(folder / "02", "02_01", known("train/walking/walking_1.txt"))
    write(folder / "35", "35_18", known("train/running/running_2.txt"))
    write(folder / "xx", "99_01", known("test/walking/walking_1.txt"))
    write(folder / "xx", "99_02", known("test/walking/walking_1.txt")[::-1])
    write(folder / "35", "35_19", known("train/running/running_2.txt"))
    return folder


@pytest.mark.parametrize("file", ["train/walking/walking_1.txt", "train/running/running_2.txt"])
def test_lines_are_those_of_the_known_copy(tmp_path, file):
    rows = known(file)
    (tmp_path / "a.bvh").write_text(bvh_of(rows))
    np.testing.assert_allclose(cmu_source.rows_from_bvh(tmp_path / "a.bvh"), rows, atol=2e-7)


def test_every_file_has_an_entry():
    trials = cmu_source.trials()
    assert [trial.file for trial in trials] == [file.path for file in benchmark().files]
    assert Counter(trial.evidence for trial in trials) == {"inferred": 21, "unknown": 12, "equal": 10, "rows": 5}
    assert all(bool(trial.trial) == (trial.evidence != "unknown") for trial in trials)
    assert sum(bool(trial.fingerprint) for trial in trials) == 38
    named = [trial.trial for trial in trials if trial.trial]
    assert len(set(named)) == len(named)
    text = resources.files("posegraph.data.benchmarks").joinpath("cmu_trials.csv").read_text(encoding="utf-8")
    assert len(list(csv.reader(text.splitlines()))) == 49


def test_fingerprints_are_those_of_bundled_files():
    for file in sorted(data.samples().rglob("*.txt.gz")):
        name = file.relative_to(data.samples()).as_posix().removesuffix(".gz")
        trial = next(trial for trial in cmu_source.trials() if trial.file == name)
        rows = known(name)
        assert len(rows) == trial.frames
        np.testing.assert_allclose(cmu_source.fingerprint(rows), trial.fingerprint, atol=1e-3)


def test_fingerprints_see_a_single_joint_in_a_single_frame():
    rows = known("train/running/running_2.txt")
    moved = rows.copy()
    moved[50, 3 + 3 * 3] += 0.2  # a knee
    apart = np.abs(np.subtract(cmu_source.fingerprint(rows), cmu_source.fingerprint(moved))).max()
    assert apart > cmu_source.TOLERANCE


def test_files_are_rebuilt_searched_and_checked(folder, tmp_path):
    seen = []
    results = cmu_source.rebuild(folder, tmp_path, progress=seen.append)
    assert list(results) == seen
    by_file = {result.trial.file: result for result in results}
    assert Counter(result.outcome for result in results) == {"missing": 44, "equal": 3, "differs": 1}
    assert by_file["train/walking/walking_1.txt"].outcome == "equal"
    assert by_file["train/running/running_3.txt"].outcome == "differs"
    searched = by_file["test/walking/walking_1.txt"]
    assert searched.source is not None
    assert (searched.source.name, searched.outcome) == ("99_01.bvh.gz", "equal")
    found = data.load("cmu", tmp_path)
    assert len(found.found) == 4
    ours = found.clips["test"][0].poses
    theirs = data.load("cmu", "samples", split="test", actions=["walking"]).clips["test"][0].poses
    np.testing.assert_allclose(ours, theirs, atol=1e-3)


def test_other_folders_and_files_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"expected BVH files such as 02_01\.bvh, at any depth, got none"):
        cmu_source.rebuild(tmp_path, tmp_path / "out")
    other = "HIERARCHY\nROOT a { OFFSET 0 0 0 CHANNELS 1 Xrotation }\nMOTION\nFrames: 1\nFrame Time: 1\n0\n"
    (tmp_path / "02_01.bvh").write_text(other)
    with pytest.raises(DataError, match=r"expected the hierarchy of the CMU database's BVH conversion, 38 joints"):
        cmu_source.rebuild(tmp_path, tmp_path / "out")
    text = bvh_of(known("train/running/running_2.txt")[:2])
    (tmp_path / "02_01.bvh").write_text(text[: text.rindex(" ")] + " nan")
    with pytest.raises(DataError, match=r"expected frames of finite numbers, got none or others"):
        cmu_source.rebuild(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
