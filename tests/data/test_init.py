from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from posegraph import data
from posegraph.errors import DataError, UnknownNameError
from posegraph.skeleton.kinematics import to_positions
from tests.data.motion import random_angles, write_angles


def test_the_bundled_clips_are_15_files_of_the_benchmark():
    cmu = data.load("cmu", "samples")
    assert cmu.found == (
        *(f"train/basketball/basketball_{k}.txt.gz" for k in (4, 5)),
        *(f"train/running/running_{k}.txt.gz" for k in range(1, 6)),
        *(f"train/walking/walking_{k}.txt.gz" for k in range(1, 6)),
        *(f"test/{action}/{action}_1.txt.gz" for action in ("basketball", "running", "walking")),
    )
    assert len(cmu.missing) == 33


def test_the_bundled_clips_carry_their_terms():
    text = (data.samples() / "README.md").read_text()
    for words in ("mocap.cs.cmu.edu", "NSF EIA-0196217", "free for all uses", "not be resold"):
        assert words in " ".join(text.replace("\n", " ").split())
        assert words in data.info("cmu").source


@pytest.mark.parametrize("name", data.names())
def test_a_benchmark_says_what_it_is(name):
    benchmark = data.info(name)
    assert benchmark.name == name == benchmark.skeleton.name
    assert {file.action for file in benchmark.files} == set(benchmark.actions)
    assert benchmark.source.endswith(".")


def test_any_folder_of_a_benchmark_can_be_loaded(tmp_path):
    write_angles(tmp_path / "S5/walking_1.txt", random_angles(6, 32))
    h36m = data.load("h36m", tmp_path, split="test", frame_step=3)
    assert (h36m.name, h36m.found, h36m.clips["test"][0].num_frames) == ("h36m", ("S5/walking_1.txt",), 2)


def test_one_split_or_several():
    assert data.load("cmu", "samples", split="test", actions=["walking"]).splits == ("test",)
    assert data.load("cmu", "samples", split=["test", "train"], actions=["walking"]).splits == ("train", "test")


def test_unknown_names_are_answered_with_the_list():
    with pytest.raises(
        UnknownNameError, match=r"unknown data set 'h3\.6m'. Did you mean 'h36m'\? Known: cmu, cmu-angles, "
    ):
        data.load("h3.6m", "samples")
    with pytest.raises(UnknownNameError, match=r"unknown data set 'cmv'\. Did you mean 'cmu'"):
        data.info("cmv")
    with pytest.raises(UnknownNameError, match=r"unknown split 'valid'\. Known: train, test"):
        data.load("cmu", "samples", split="valid")
    with pytest.raises(UnknownNameError, match=r"unknown action 'walk'\. Did you mean 'walking'"):
        data.load("cmu", "samples", actions=["walk"])


def test_the_bundled_clips_are_no_human36m():
    message = r"samples: expected a data set with clips in the library \(cmu, cmu-angles\), got 'h36m'\. Pass a folder"
    with pytest.raises(DataError, match=message):
        data.load("h36m", "samples")


def test_readers_are_imported_when_they_are_needed():
    readers = {"posegraph.data.benchmarks.cmu", "posegraph.data.benchmarks.h36m"}
    code = f"import sys, posegraph.data; print({readers} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
    assert data.names() == ["cmu", "cmu-angles", "h36m", "h36m-angles"]


@pytest.mark.parametrize("name", ["cmu", "h36m"])
def test_the_rotations_of_a_benchmark_are_what_its_files_hold(tmp_path, name):
    joints = {"cmu": 38, "h36m": 32}[name]
    path = {"cmu": "test/walking/walking_1.txt", "h36m": "S5/walking_1.txt"}[name]
    angles = random_angles(6, joints)
    write_angles(tmp_path / path, angles)
    for _ in range(2):  # parsed, and from the cache
        rotations = data.load(f"{name}-angles", tmp_path, split="test")
        assert rotations.name == rotations.skeleton.name == f"{name}-angles"
        np.testing.assert_allclose(rotations.clips["test"][0].poses, angles[::2, 3:].reshape(3, joints, 3), rtol=1e-6)
    positions = data.load(name, tmp_path, split="test").clips["test"][0].poses
    torch.testing.assert_close(to_positions(rotations.clips["test"][0].poses, rotations.skeleton), positions)
