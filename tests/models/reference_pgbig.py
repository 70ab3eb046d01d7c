"""A second implementation of PGBIG, to compare ours with; in the manner of `reference`."""

from __future__ import annotations

import torch

from tests.models.reference import State, batch_norm, cosines, mean_joint_distance


def graph_convolution(state: State, name: str, x: torch.Tensor) -> torch.Tensor:
    """All sums at once, over ``(batch, channels, joints, coefficients)``."""
    att, weight_c, weight_seq = (state[f"{name}.{leaf}"] for leaf in ("att", "weight_c", "weight_seq"))
    return torch.einsum("nm,bcml,co,lk->bonk", att, x, weight_c, weight_seq) + state[f"{name}.bias"]


def coder(state: State, name: str, num_blocks: int, x: torch.Tensor, training: bool) -> torch.Tensor:
    """An encoder or a decoder."""

    def layer(path: str, number: int, y: torch.Tensor) -> torch.Tensor:
        y = graph_convolution(state, f"{path}.gc{number}", y)
        return torch.tanh(batch_norm(state, f"{path}.bn{number}", y, training))

    y = layer(name, 1, x)
    for block in range(num_blocks):
        path = f"{name}.gcbs.{block}"
        y = layer(path, 2, layer(path, 1, y)) + y
    kernel = state[f"{name}.reshape_conv.weight"][:, :, 0, 0]
    mapped = torch.einsum("oc,bcnl->bonl", kernel, x) + state[f"{name}.reshape_conv.bias"].reshape(1, -1, 1, 1)
    return graph_convolution(state, f"{name}.gc7", y) + mapped


def pgbig(state: State, observed: torch.Tensor, future_frames: int, training: bool) -> list[torch.Tensor]:
    """Observed poses ``(batch, frames, joints, 3)`` to all poses of stage 1, 2, 3 and 4."""
    last = observed[:, -1:]
    padded = torch.cat([observed, *[last] * future_frames], dim=1)
    frames = padded.shape[1]
    x = torch.einsum("kt,btja->bajk", cosines(frames), padded)
    stages = []
    for stage in (1, 2, 3, 4):
        encoded = coder(state, f"gcn_encoder{stage}", 1, x, training)
        doubled = torch.cat([encoded, encoded], dim=-1)
        x = coder(state, f"gcn_decoder{stage}", 2, doubled, training)[:, :, :, :frames]
        stages.append(torch.einsum("kt,bajk->btja", cosines(frames), x))
    return stages


def smoothed(poses: torch.Tensor, observed_frames: int) -> torch.Tensor:
    """Each future pose is the mean of the future poses up to it."""
    frames = [poses[:, frame] for frame in range(observed_frames)]
    for frame in range(observed_frames, poses.shape[1]):
        frames.append(poses[:, observed_frames : frame + 1].mean(1))
    return torch.stack(frames, dim=1)


def loss(stages: list[torch.Tensor], truth: torch.Tensor, observed_frames: int) -> torch.Tensor:
    """Mean of the joint distances of the four stages."""
    once = smoothed(truth, observed_frames)
    twice = smoothed(once, observed_frames)
    thrice = smoothed(twice, observed_frames)
    distances = [mean_joint_distance(*pair) for pair in zip(stages, (thrice, twice, once, truth), strict=True)]
    return sum(distances, torch.zeros(())) / 4
