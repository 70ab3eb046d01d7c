from __future__ import annotations

import dataclasses

import pytest

from posegraph import data
from posegraph.data.benchmarks import cmu as cmu_reader
from posegraph.data.benchmarks import h36m as h36m_reader
from posegraph.data.benchmarks.cmu import ACTIONS as CMU_ACTIONS
from posegraph.errors import ConfigError, UnknownNameError
from posegraph.evaluation.protocol import Protocol
from tests.evaluation.arms import arms


def test_protocol_describes_itself():
    protocol = Protocol("cmu", "val", "8", "used", "mpjpe_up_to", observed_frames=50, actions=("walking", "running"))
    assert protocol.describe() == (
        "cmu val, windows: 8, 50 -> 25 frames, mpjpe_up_to, used joints, actions: walking, running"
    )


@pytest.mark.parametrize(("future", "frames"), [(25, (1, 3, 7, 9, 13, 24)), (10, (1, 3, 7, 9)), (1, (0,))])
def test_default_frames_are_the_published_ones_that_exist(future, frames):
    assert Protocol("cmu", future_frames=future).frames == frames


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"joints": "all"}, "joints: expected one of 'full', 'used'; got 'all'"),
        ({"metric": "mse"}, "metric: expected one of 'mpjpe_at', 'mpjpe_up_to', 'euler_at'; got 'mse'"),
        ({"frames": (1, 25)}, r"frames: expected forecast frames in 0\.\.24, got \(1, 25\)\. Frame 0 is the first"),
        ({"frames": (-1,)}, r"frames: expected forecast frames in 0\.\.24, got \(-1,\)"),
        ({"observed_frames": 0}, "observed_frames: expected an integer of at least 1, got 0"),
        ({"future_frames": 2.5}, "future_frames: expected an integer of at least 1, got 2.5"),
        ({"label_fps": 0.0}, "label_fps: expected frames a second above 0, got 0.0"),
    ],
)
def test_protocol_refuses_what_cannot_work(fields, message):
    with pytest.raises(ConfigError, match=message):
        Protocol("cmu", **fields)


def test_named_protocols_are_those_of_the_data_set(cmu):
    pgbig = Protocol.named(cmu, "pgbig")
    assert pgbig.windows == "all"
    assert set(CMU_ACTIONS) - set(pgbig.actions) == {"running"}
    assert Protocol.named(cmu) == Protocol.named(cmu, "all") == Protocol("cmu")
    assert Protocol.named(cmu, "8", metric="mpjpe_up_to", future_frames=10).frames == (1, 3, 7, 9)
    with pytest.raises(UnknownNameError, match=r"unknown protocol 'pbgig'\. Did you mean 'pgbig'"):
        Protocol.named(cmu, "pbgig")


def test_named_protocols_keep_to_the_actions_of_the_data_set():
    some = data.load("cmu", "samples", split="test", actions=["running", "walking"])
    assert Protocol.named(some, "pgbig").actions == ("walking",)


def test_named_protocols_are_valid_and_their_rules_and_actions_exist():
    for reader in (cmu_reader, h36m_reader):
        for rotations, kind in ((False, "positions"), (True, "angles")):
            benchmark = reader.benchmark(rotations)
            assert benchmark.protocols == reader.PROTOCOLS[kind]
            for changes in benchmark.protocols.values():
                protocol = Protocol(benchmark.name, **changes)
                assert protocol.windows in benchmark.start_rules
                assert set(protocol.actions) <= set(benchmark.actions)


def test_frames_that_a_model_does_not_forecast_are_left_out():
    motion = dataclasses.replace(arms(), protocols={"late": {"frames": (0, 1, 5)}})
    assert Protocol.named(motion, "late", future_frames=2).frames == (0, 1)
    with pytest.raises(ConfigError, match=r"frames: expected forecast frames in 0\.\.1, got \(5,\)"):
        Protocol.named(motion, "late", future_frames=2, frames=(5,))
