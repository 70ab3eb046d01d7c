from __future__ import annotations

import pytest

from posegraph import data
from posegraph.data import Benchmark, BenchmarkFile, benchmarks, every_start
from posegraph.errors import ConfigError, UnknownNameError
from tests.data.motion import ARM, random_angles, write_angles

FILES = (BenchmarkFile("train", "wave", "wave_1", "wave_1.txt", "me"),)
ARMS = Benchmark("arms", ARM, 100.0, 50.0, ("wave",), FILES, "wave_1.txt", {"all": every_start}, root_scale=2.0)


def test_a_data_set_of_ones_own_is_loaded_like_the_others(tmp_path):
    angles = random_angles(9, 3)
    write_angles(tmp_path / "wave_1.txt", angles)
    data.register("arms", lambda: ARMS)
    try:
        clip = data.load("arms", tmp_path, split="train").clips["train"][0]
        assert (clip.name, clip.subject, clip.fps) == ("wave_1", "me", 50.0)
        assert clip.root is not None
        assert clip.root.positions.tolist() == (2 * angles[::2, :3]).tolist()
        assert "arms" in data.names()
        assert data.info("arms") is ARMS
        with pytest.raises(ConfigError, match="data set 'arms' is registered already, by posegraph"):
            data.register("arms", lambda: ARMS)
    finally:
        data.unregister("arms")
    with pytest.raises(UnknownNameError, match="unknown data set 'arms'"):
        benchmarks.get("arms")
