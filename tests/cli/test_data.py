from __future__ import annotations

import gzip
import re

import numpy as np
import pytest
import torch

from posegraph.cli.data import describe, suspicions
from posegraph.data import formats
from posegraph.data.resample import convert
from tests.data.benchmarks.test_cmu_source import bvh_of, known
from tests.data.formats.files import bvh_text, random_values

VALUES = random_values(60)


@pytest.fixture
def walk(tmp_path):
    smooth = np.cumsum(VALUES - VALUES.mean(0), axis=0) / 30
    values = VALUES[:1] + smooth - smooth[:1]
    path = tmp_path / "walk.bvh"
    path.write_text(bvh_text(values))
    return path


def test_info_says_what_is_in_a_file(command, walk):
    answer = command("data", "info", walk)
    assert answer.status == 0
    assert answer.out.startswith(f"{walk}\nformat    bvh\nlength    60 frames, 0.50 s at 120 frames a second\n")
    assert re.search(r"joints    15, 1\d of them used: LeftLeg, LeftFoot, ", answer.out)
    assert "mirrored  4 pairs, as LeftUpLeg and RightUpLeg" in answer.out
    assert re.search(r"root      moves \d\.\d\d m, with rotations", answer.out)
    assert "note      The file does not say its unit: cm" in answer.out
    assert "look at" not in answer.out


def test_info_says_what_looks_wrong(command, walk):
    answer = command("data", "info", walk, "--unit", "m", "--fps", "4")
    assert re.search(r"look at   The longest way along the bones is \d+\.?\d* m, where an adult has", answer.out)
    assert "look at   4 frames a second are unusual: is the rate right?" in answer.out
    answer = command("data", "info")
    assert (answer.status, answer.err) == (
        2,
        "posegraph: error: files: expected at least one motion file, got none.\n",
    )


def test_suspicions_name_frames_and_joints(walk):
    clip = formats.read(walk)
    assert suspicions(clip) == []
    poses = clip.poses.clone()
    poses[30:] += 2000
    poses[:, 3] = poses[0, 3]
    poses[0, 4:] += 400
    broken = formats.read(walk).__class__(poses, clip.skeleton, clip.fps)
    found = suspicions(broken)
    assert any("Frame 0 is another pose than the rest" in line for line in found)
    assert "The body jumps between 1 pairs of frames, first from frame 29 on." in found
    assert "Joints that are used never move: LeftFoot." in found
    empty = clip.__class__(torch.zeros(0, *poses.shape[1:]), clip.skeleton, 30.0)
    assert suspicions(empty) == ["There is no frame."]
    assert "root      not known" in describe(broken, "npz")


def test_convert_changes_format_rate_unit_and_axis(command, walk, tmp_path):
    answer = command("data", "convert", walk, tmp_path / "a.npz", "--fps", "50", "--unit", "m", "--up", "z")
    assert answer.status == 0
    assert answer.out.endswith(f"written to {tmp_path / 'a.npz'}: 25 frames at 50 a second\n")
    clip, expected = formats.read(tmp_path / "a.npz"), convert(formats.read(walk), fps=50, unit="m", up="z")
    assert torch.equal(clip.poses, expected.poses)
    assert (clip.unit, clip.up) == ("m", "z")
    answer = command("data", "convert", tmp_path / "a.npz", tmp_path / "b.bvh")
    assert re.search(r"positions in the file differ by \S+ mm on average, \S+ mm at most", answer.out)
    assert formats.read(tmp_path / "b.bvh").fps == 50
    answer = command("data", "convert", walk, tmp_path / "a.csv")
    assert (answer.status, answer.out.splitlines()[-1:]) == (2, [answer.out.splitlines()[-1]])
    assert "format: expected one that can be written (bvh, npz), got 'csv'" in answer.err


def test_cmu_rebuilds_files(command, tmp_path):
    (tmp_path / "in").mkdir()
    text = bvh_of(known("train/walking/walking_1.txt"))
    (tmp_path / "in" / "02_01.bvh.gz").write_bytes(gzip.compress(text.encode()))
    (tmp_path / "in" / "35_18.bvh").write_text(text)
    answer = command("data", "cmu", "--from-bvh", tmp_path / "in", "--out", tmp_path / "out")
    assert answer.status == 0
    lines = answer.out.splitlines()
    assert len(lines) == 50
    assert re.search(r"walking_1\.txt +02_01 +verified, every number +equal to the known copy", answer.out)
    assert re.search(r"running_2\.txt +35_18 +inferred +DIFFERS from the known copy", answer.out)
    assert re.search(r"basketball_signal_1\.txt +\? +unknown +not written: no such trial in the folder", answer.out)
    assert lines[-2].startswith(f"2 of 48 files written to {tmp_path / 'out'}: 1 equal to known copies, 1 different, 0")
    assert lines[-1] == "files that differ are not the benchmark's: leave them out, or say so beside results"
