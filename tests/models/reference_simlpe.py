"""A second implementation of siMLPe, to compare ours with; in the manner of `reference`."""

from __future__ import annotations

import torch

from tests.models.reference import State, cosines, mean_joint_distance


def simlpe(state: State, coefficients: torch.Tensor) -> torch.Tensor:
    """The network, from and to ``(batch, coefficients, coordinates)``."""

    def linear(name: str, x: torch.Tensor) -> torch.Tensor:
        return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]

    x = linear("motion_fc_in", coefficients).permute(0, 2, 1)
    for block in range(48):
        name = f"motion_mlp.mlps.{block}"
        y = linear(f"{name}.fc0.fc", x)
        mean, variance = y.mean(1, keepdim=True), y.var(1, keepdim=True, unbiased=False)
        normal = (y - mean) / (variance + 1e-5).sqrt()
        x = x + normal * state[f"{name}.norm0.alpha"] + state[f"{name}.norm0.beta"]
    return linear("motion_fc_out", x.permute(0, 2, 1))


def forecast(state: State, observed: torch.Tensor, passes: int) -> torch.Tensor:
    """Ten poses a pass, ``(batch, 10 * passes, joints, 3)`` in metres, from 50 observed ones in metres."""
    history = observed.reshape(len(observed), 50, -1)
    basis = cosines(50)
    forecasts = []
    for _ in range(passes):
        change = torch.einsum("kt,bkc->btc", basis, simlpe(state, torch.einsum("kt,btc->bkc", basis, history)))
        forecasts.append(change[:, :10] + history[:, 49:])
        history = torch.cat([history[:, 10:], forecasts[-1]], dim=1)
    return torch.cat(forecasts, dim=1).reshape(len(observed), -1, observed.shape[2], 3)


def loss(prediction: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Joint distance and velocity loss of ten frames."""
    steps = [poses[:, 1:10] - poses[:, 0:9] for poses in (prediction, truth)]
    return mean_joint_distance(prediction[:, :10], truth[:, :10]) + mean_joint_distance(*steps)
