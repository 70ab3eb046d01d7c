from __future__ import annotations

import torch

from posegraph.inference.backends import BACKENDS
from posegraph.inference.backends.eager import in_type, with_tf32
from tests.inference.models import relative_error, trained

CPU = torch.device("cpu")


def test_bfloat16_runs_between_float32() -> None:
    network = trained("msrgcn-1l", channels=4, num_blocks=1).folded().float().network
    frames = 300 * torch.randn(10, 66)
    with torch.no_grad():
        output = in_type(network, "bf16")(frames)
        assert relative_error(output, network(frames)) < 3e-2
        assert torch.equal(output, BACKENDS["eager"].prepare(network, (10, 66), "bf16", CPU)(frames))


def test_other_networks_keep_their_input_in_float32() -> None:
    class Shift(torch.nn.Module):
        def forward(self, poses: torch.Tensor) -> torch.Tensor:
            return poses[:, -1:] + torch.matmul(poses - poses[:, -1:], torch.eye(3))

    poses = 1000 + torch.randn(2, 4, 5, 3)
    narrowed, network = in_type(Shift(), "bf16"), Shift()
    assert 0 < float((narrowed(poses) - network(poses)).abs().max()) < 0.02
    assert in_type(network, "fp32") is network


def test_tf32_is_allowed_for_the_network_alone() -> None:
    seen = []

    class Look(torch.nn.Module):
        def forward(self, frames: torch.Tensor) -> torch.Tensor:
            seen.append(torch.backends.cuda.matmul.allow_tf32)
            return frames

    for precision in ("fp32", "tf32"):
        BACKENDS["graph"].prepare(Look(), (10, 66), precision, CPU)(torch.zeros(10, 66))
    assert seen == [False, True]
    assert not torch.backends.cuda.matmul.allow_tf32


def test_other_precisions_leave_the_setting_alone() -> None:
    run = torch.nn.Identity()
    assert with_tf32(run, "fp32") is run
