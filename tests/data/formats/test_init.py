from __future__ import annotations

from pathlib import Path

import pytest
import torch

from posegraph import data
from posegraph.data import Clip, formats
from posegraph.errors import ConfigError, DataError, UnknownNameError
from tests.data.motion import ARM


@pytest.fixture
def own_format():
    @formats.register("numbers", suffixes=(".num",), summary="Numbers.")
    def read(path: Path, options: formats.ReadOptions) -> Clip:
        assert options.skeleton is not None
        return Clip(torch.zeros(4, 3, 3), options.skeleton, options.fps or 10.0, name=path.name)

    yield read
    formats.unregister("numbers")


def test_formats_are_found_by_the_end_of_the_name(own_format):
    assert formats.of("a/b.NUM.gz").name == formats.of("b.num").name == "numbers"
    assert formats.read("b.num", skeleton=ARM, fps=5).fps == 5.0
    assert formats.read("b.x", format="numbers", skeleton=ARM).name == "b.x"
    assert {"expmap", "npz", "numbers"} <= set(formats.names())
    assert formats.info("numbers").read is own_format


def test_names_are_given_once(own_format):
    with pytest.raises(ConfigError, match=r"motion format 'numbers' is registered already, by tests\.data\.formats"):
        formats.register("numbers", suffixes=(".x",))(own_format)


def test_what_cannot_be_read_or_written_is_said(own_format, tmp_path):
    with pytest.raises(DataError, match=r"expected a motion file that ends in one of .*\.num.*, got 'walk\.xyz'"):
        formats.read("walk.xyz")
    with pytest.raises(UnknownNameError, match=r"unknown motion format 'number'\. Did you mean 'numbers'"):
        formats.read("walk.num", format="number")
    with pytest.raises(ConfigError, match="gaps: expected one of"):
        formats.read("walk.num", gaps="guess")
    clip = data.load("cmu", "samples", split="test", actions="running").clips["test"][0]
    with pytest.raises(ConfigError, match=r"format: expected one that can be written \(.*npz.*\), got 'numbers'"):
        formats.write(clip, tmp_path / "a.num")
    assert list(tmp_path.iterdir()) == []


def test_text_needs_a_skeleton_and_a_rate():
    file = data.samples() / "test/walking/walking_1.txt.gz"
    with pytest.raises(DataError, match="expected skeleton and fps beside the file, which does not say it, got none"):
        formats.read(file)
    clip = formats.read(file, skeleton="cmu", fps=120)
    assert clip.root is None
    assert "does not say its unit" in clip.notes[0]
    loaded = data.load("cmu", "samples", split="test", actions="walking").clips["test"][0]
    assert torch.equal(clip.poses[::2], loaded.poses)
    metres = formats.read(file, skeleton="cmu", fps=120, unit="m").root
    assert metres is not None
    assert loaded.root is not None
    torch.testing.assert_close(metres.positions[::2], loaded.root.positions * 1000 / 70)
