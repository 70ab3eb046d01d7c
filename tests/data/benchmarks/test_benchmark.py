from __future__ import annotations

import gzip
import re

import numpy as np
import pytest
import torch

from posegraph.data.benchmarks.benchmark import Benchmark, BenchmarkFile, Selection, locate, read_benchmark
from posegraph.data.formats.expmap import read_poses
from posegraph.data.windows import every_start
from posegraph.errors import ConfigError, DataError, UnknownNameError
from tests.data.motion import ARM, random_angles, write_angles

FILES = tuple(
    BenchmarkFile(split, action, f"{action}_{k}", f"{split}/{action}_{k}.txt")
    for split, action, k in (("train", "wave", 1), ("train", "wave", 2), ("train", "bow", 1), ("test", "wave", 1))
)
ARMS = Benchmark("arms", ARM, 100.0, 50.0, ("wave", "bow"), FILES, "train and test", {"all": every_start})


@pytest.fixture
def folder(tmp_path):
    """All files but test/wave_1."""
    for seed, file in enumerate(FILES[:3]):
        write_angles(tmp_path / file.path, random_angles(9, 3, seed))
    return tmp_path


def test_what_is_there_is_read_and_the_rest_is_listed(folder):
    data = read_benchmark(ARMS, Selection(folder))
    assert [clip.name for clip in data.clips["train"]] == ["wave_1", "wave_2", "bow_1"]
    assert data.clips["test"] == ()
    assert data.found == ("train/wave_1.txt", "train/wave_2.txt", "train/bow_1.txt")
    assert data.missing == ("test/wave_1.txt",)
    assert data.actions == ("wave", "bow")


@pytest.mark.parametrize(("step", "fps", "label_fps"), [(1, 100.0, 50.0), (2, 50.0, 25.0), (4, 25.0, 12.5)])
def test_every_nth_frame_is_kept_from_the_first_on(folder, step, fps, label_fps):
    data = read_benchmark(ARMS, Selection(folder, frame_step=step))
    clip = data.clips["train"][1]
    assert torch.equal(clip.poses, read_poses(folder / "train/wave_2.txt", ARM)[0][::step])
    assert (clip.fps, data.label_fps, clip.action) == (fps, label_fps, "wave")
    assert clip.source == str(folder / "train/wave_2.txt")


def test_only_what_was_asked_for_is_read_and_missed(folder):
    (folder / "train/wave_1.txt").write_text("nonsense")
    data = read_benchmark(ARMS, Selection(folder, splits=("train",), actions=("bow",)))
    assert (data.splits, data.actions, data.found, data.missing) == (("train",), ("bow",), ("train/bow_1.txt",), ())


def test_compressed_files_count_and_plain_ones_come_first(folder):
    plain = folder / "train/wave_1.txt"
    packed = plain.with_name("wave_1.txt.gz")
    packed.write_bytes(gzip.compress(b"nonsense"))
    assert locate(folder, FILES[0]) == plain
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()
    assert locate(folder, FILES[0]) == packed
    data = read_benchmark(ARMS, Selection(folder))
    assert data.found[0] == "train/wave_1.txt.gz"
    np.testing.assert_array_equal(data.clips["train"][0].poses, read_poses(packed, ARM)[0][::2])


def test_files_of_no_benchmark_are_ignored(folder):
    write_angles(folder / "train/wave_3.txt", random_angles(9, 3))
    (folder / "train/notes.md").write_text("mine")
    assert len(read_benchmark(ARMS, Selection(folder)).clips["train"]) == 3


def test_a_folder_without_its_files_is_answered_with_the_layout(tmp_path):
    message = re.escape(
        f"{tmp_path}: expected files of the arms benchmark such as train/wave_1.txt, got none of 4. Pass the folder "
        "that holds train and test."
    )
    with pytest.raises(DataError, match=message):
        read_benchmark(ARMS, Selection(tmp_path))
    with pytest.raises(DataError, match=r"such as train/wave_1\.txt, got no folder of this name"):
        read_benchmark(ARMS, Selection(tmp_path / "none"))
    with pytest.raises(DataError, match="expected files of the arms benchmark, got none of 0"):
        read_benchmark(ARMS, Selection(tmp_path, splits=["test"], actions=("bow",)))


def test_short_files_are_named_when_windows_are_cut(folder):
    data = read_benchmark(ARMS, Selection(folder, frame_step=2))
    path = re.escape(str(folder / "train/wave_1.txt"))
    with pytest.raises(DataError, match=rf"{path}: expected at least 6 frames at 50 a second .* got 5\. Use shorter"):
        data.train_windows(3, 3)


def test_unknown_names_and_steps_are_refused(folder):
    with pytest.raises(UnknownNameError, match=r"unknown split 'trian'\. Did you mean 'train'"):
        read_benchmark(ARMS, Selection(folder, splits=["trian"]))
    with pytest.raises(UnknownNameError, match=r"unknown action 'waves'\. Did you mean 'wave'"):
        read_benchmark(ARMS, Selection(folder, actions=["waves"]))
    with pytest.raises(ConfigError, match="frame_step: expected an integer of at least 1, got 0"):
        read_benchmark(ARMS, Selection(folder, frame_step=0))
