from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from posegraph.folding.layers import Affine, FoldedLayer
from posegraph.folding.network import FoldedNetwork
from posegraph.inference.backends import BACKENDS, aot
from posegraph.inference.backends.aot import is_kept, load_or_compile
from tests.inference.models import one_layer, relative_error

pytestmark = [
    # PyTorch's compilers call what PyTorch deprecates.
    pytest.mark.filterwarnings("ignore:.*is deprecated:DeprecationWarning", "ignore:.*is deprecated:FutureWarning"),
    pytest.mark.skipif(BACKENDS["aot"].missing() is not None, reason=f"aot: {BACKENDS['aot'].missing()}"),
]
EXAMPLE = torch.zeros(10, 66)


@pytest.fixture
def compiled() -> Path:
    """The one network that the tests compile, in the cache of all tests."""
    load_or_compile(one_layer(), EXAMPLE)
    path = aot._file(one_layer(), EXAMPLE)
    assert path is not None
    return path


@pytest.fixture
def compilations(compiled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """An empty cache, and a compiler that copies what was compiled; the files that it wrote."""
    written: list[Path] = []

    def copy(network: nn.Module, example: torch.Tensor, path: Path) -> Path:
        path.write_bytes(compiled.read_bytes())
        written.append(path)
        return path

    monkeypatch.setattr(aot, "_compile", copy)
    monkeypatch.setenv("POSEGRAPH_CACHE", str(tmp_path / "cache"))
    return written


def check(network: nn.Module) -> None:
    frames = torch.randn(10, 66)
    assert relative_error(load_or_compile(network, EXAMPLE)(frames), network(frames)) < 1e-6


@pytest.mark.usefixtures("compiled")
def test_a_network_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aot, "_compile", None)
    assert is_kept(one_layer(), EXAMPLE)
    check(one_layer())


def test_damaged_files_are_compiled_again(compilations: list[Path], tmp_path: Path) -> None:
    assert not is_kept(one_layer(), EXAMPLE)
    check(one_layer())
    (file,) = (tmp_path / "cache").iterdir()
    whole = file.read_bytes()
    middle = len(whole) // 2
    for damaged in (b"", b"nonsense", whole[:middle], whole[:middle] + bytes(64) + whole[middle + 64 :]):
        file.write_bytes(damaged)
        assert not is_kept(one_layer(), EXAMPLE)
        check(one_layer())
        assert file.read_bytes() == whole
    assert len(compilations) == 5
    assert not any(path.exists() for path in compilations)


def test_without_a_cache_nothing_is_kept(
    compilations: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    for place in ("off", str(tmp_path / "file")):
        monkeypatch.setenv("POSEGRAPH_CACHE", place)
        check(one_layer())
        assert not is_kept(one_layer(), EXAMPLE)
    assert len(compilations) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_files_differ_where_networks_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def network(weight: float = 1.0, slope: float = 0.2, **settings: Any) -> FoldedNetwork:
        right = torch.full((10, 4), weight)
        return FoldedNetwork(FoldedLayer([Affine(right=right)], activation=nn.LeakyReLU(slope), **settings))

    files = {
        aot._file(network(), EXAMPLE),
        aot._file(network(), torch.zeros(2, 10, 66)),
        aot._file(network(weight=2.0), EXAMPLE),
        aot._file(network(slope=0.3), EXAMPLE),
        aot._file(network(shift=torch.zeros(66, 4)), EXAMPLE),
        aot._file(network().bfloat16(), EXAMPLE),
    }
    assert len(files) == 6
    assert aot._file(network(), EXAMPLE) in files
    monkeypatch.setattr(torch, "get_num_threads", lambda: 64)
    assert aot._file(network(), EXAMPLE) not in files
