"""Latency, throughput and training step of every registered model, in eager PyTorch."""

from __future__ import annotations

import pytest
import torch

from benchmarks.compare import compare, trained
from posegraph import registry
from posegraph.inference.backends import BACKENDS

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))]


def finish(device: str) -> None:
    """Wait for what the device still has to do."""
    if device == "cuda":
        torch.cuda.synchronize()


def observed_poses(model, batch: int, device: str) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    poses = 300 * torch.randn(batch, model.observed_frames, model.num_joints, 3, generator=generator)
    return poses.to(device)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("batch", [1, 128])
@pytest.mark.parametrize("name", registry.names())
def test_predict(benchmark, name, batch, device):
    model = registry.build(name, skeleton="cmu").eval().to(device)
    poses = observed_poses(model, batch, device)

    def run() -> torch.Tensor:
        with torch.inference_mode():
            forecast = model.predict(poses)
        finish(device)
        return forecast

    forecast = benchmark.pedantic(run, rounds=10 if batch == 1 else 5, warmup_rounds=2)
    assert forecast.shape == (batch, model.future_frames, model.num_joints, 3)
    benchmark.extra_info["windows_per_second"] = batch / benchmark.stats.stats.min


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", [name for name in registry.names() if name != "zero-velocity"])
def test_training_step(benchmark, name, device):
    batch = 16
    model = registry.build(name, skeleton="cmu").train().to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=registry.info(name).recipe.learning_rate)
    observed = observed_poses(model, batch, device)
    window = torch.cat([observed, observed[:, -1:].expand(-1, model.future_frames, -1, -1)], dim=1)

    def run() -> torch.Tensor:
        optimizer.zero_grad(set_to_none=True)
        loss = model.loss(model(observed), window)
        loss.backward()
        optimizer.step()
        finish(device)
        return loss.detach()

    loss = benchmark.pedantic(run, rounds=5, warmup_rounds=1)
    assert bool(loss.isfinite())
    benchmark.extra_info["windows_per_second"] = batch / benchmark.stats.stats.min


@pytest.mark.parametrize("backend", [name for name, backend in BACKENDS.items() if not backend.missing()])
@pytest.mark.parametrize("batch", [1, 128])
@pytest.mark.parametrize("name", ["msrgcn-released", "traj-gcn", "msrgcn"])
def test_optimized_predict(benchmark, name, batch, backend):
    """Plain and optimised forecasts take turns; the benchmark's own time is that of the whole comparison."""
    model = trained(name, "cmu")
    _, row = benchmark.pedantic(compare, (model, batch, [(backend, "fp32")], 2.0), rounds=1)
    assert row["error"] < 1e-6
    benchmark.extra_info.update(row)
