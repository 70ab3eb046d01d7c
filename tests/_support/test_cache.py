from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from posegraph._support.cache import cache_folder, load_array, store_array


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("POSEGRAPH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_arrays_come_back_unchanged(folder):
    array = np.random.default_rng(0).normal(size=(4, 3, 3)).astype(np.float32)
    store_array("key", array)
    np.testing.assert_array_equal(load_array("key"), array)
    assert [path.name for path in folder.iterdir()] == ["key.npy"]


def test_unknown_keys_give_nothing(folder):
    assert load_array("key") is None


def test_damaged_files_give_nothing(folder):
    store_array("key", np.zeros((100, 3)))
    whole = (folder / "key.npy").read_bytes()
    for damaged in (b"", b"rubbish", whole[:50], whole[:-8]):
        (folder / "key.npy").write_bytes(damaged)
        assert load_array("key") is None


def test_folder_follows_the_environment(monkeypatch):
    monkeypatch.setenv("POSEGRAPH_CACHE", "/somewhere")
    assert cache_folder() == Path("/somewhere")
    monkeypatch.setenv("POSEGRAPH_CACHE", "")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert cache_folder() == Path("/caches/posegraph")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/me")
    assert cache_folder() == Path("/home/me/.cache/posegraph")


def test_without_a_home_there_is_no_cache(monkeypatch):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("POSEGRAPH_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    assert cache_folder() is None


@pytest.mark.parametrize("value", ["off", "OFF"])
def test_off_stores_and_finds_nothing(monkeypatch, value):
    monkeypatch.setenv("POSEGRAPH_CACHE", value)
    assert cache_folder() is None
    store_array("key", np.zeros(3))
    assert load_array("key") is None


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("POSEGRAPH_CACHE", str(tmp_path / "file" / "cache"))
    store_array("key", np.zeros(3))
    assert load_array("key") is None
