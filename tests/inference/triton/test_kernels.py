from __future__ import annotations

import pytest
import torch

from tests.inference.triton.triton_compile import SHARED_LIMIT, compile_launch, launches, taken_by
from tests.inference.triton.triton_fixtures import MARKS, device, for_the_compiler

__all__ = ["device", "for_the_compiler"]
pytestmark = MARKS


# A few layers each; `python -m tests.inference.triton.triton_compile` compiles everything.
@pytest.mark.parametrize(
    ("precision", "windows", "cores"),
    [("fp32", 1, ""), ("bf16", 1, "mma"), ("tf32", 1024, "wgmma"), ("bf16", 1024, "wgmma")],
)
def test_layers_compile_and_fit(for_the_compiler: None, precision: str, windows: int, cores: str) -> None:
    of_layers = launches("msrgcn-released", windows, precision, whole=False)  # type: ignore[arg-type]
    coarsest = next(one for one in of_layers if one.arguments["nodes"] == 12 and one.arguments["RIGHT"])
    taken = taken_by(compile_launch(coarsest))
    assert taken.shared <= SHARED_LIMIT
    assert taken.stack == 0
    assert taken.tensor_cores == cores


def test_a_whole_network_compiles_and_fits(for_the_compiler: None) -> None:
    (launch,) = launches("traj-gcn", 1, "bf16", whole=True)
    taken = taken_by(compile_launch(launch))
    assert taken.shared <= SHARED_LIMIT
    assert taken.stack == 0


def test_layers_of_equal_sizes_share_a_kernel(for_the_compiler: None) -> None:
    all_launches = launches("traj-gcn", 1, "bf16", whole=False)
    kernels = {id(compile_launch(launch)) for launch in all_launches}
    assert (len(all_launches), len(kernels)) == (26, 4), "first, last, and both of a block"


@pytest.mark.parametrize("slow", [False, True])
def test_tanh_is_accurate_everywhere(device: torch.device, slow: bool) -> None:
    from posegraph.folding.layers import Affine, FoldedLayer
    from posegraph.folding.network import FoldedNetwork
    from posegraph.inference.triton import kernels
    from posegraph.inference.triton.network import LayerByLayer

    x = torch.linspace(-0.2, 0.2, 64) if slow else torch.linspace(-30, 30, 64)
    layer = FoldedLayer([Affine(right=torch.eye(16))], activation=torch.nn.Tanh())
    tanh = torch.nn.Sequential(layer)
    frames = x.view(16, 4)
    run = LayerByLayer(kernels, FoldedNetwork(*tanh), (16, 4), "fp32", device)
    expected = frames.double().tanh()
    assert ((run(frames.to(device)).cpu() - expected).abs() <= 3e-7 * expected.abs()).all()
