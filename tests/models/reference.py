"""Second implementations of MSR-GCN and Traj-GCN, to compare ours with.

Plain functions over the authors' parameters, in their names and layouts, written from the architecture alone: no
modules, no dropout, every transpose spelled out. ``training`` takes the statistics of batch norms from the batch.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import scipy.fft
import torch

from posegraph.models.base import ForecastModel
from tests.authors import relative_error

State = Mapping[str, torch.Tensor]


def trainable(state: State) -> dict[str, torch.Tensor]:
    """The state in float64, all but the running statistics with gradients."""
    doubles = {key: value.double() for key, value in state.items() if value.is_floating_point()}
    return {key: value.requires_grad_(".running_" not in key) for key, value in doubles.items()}


def gradients(state: State) -> dict[str, torch.Tensor]:
    """The gradients of a `trainable` state, by the authors' names."""
    return {key: value.grad for key, value in state.items() if value.grad is not None}


def is_cancelled(key: str) -> bool:
    """Whether a batch norm follows the layer of this bias; it removes any constant, so the gradient is zero."""
    followed = ("gc1.bias", "gc2.bias", "linear.bias", "enhance.gcn.bias")
    return key.endswith(followed)


def cosines(num_frames: int) -> torch.Tensor:
    """The DCT matrix, rounded to float32 as the authors' is."""
    matrix = scipy.fft.dct(np.eye(num_frames), axis=0, norm="ortho")
    return torch.from_numpy(matrix.astype(np.float32)).double()


def to_poses(coefficients: torch.Tensor) -> torch.Tensor:
    """DCT coefficients ``(batch, 3 * joints, frames)`` to poses ``(batch, frames, joints, 3)``."""
    batch, nodes, frames = coefficients.shape
    trajectories = coefficients @ cosines(frames)
    return trajectories.permute(0, 2, 1).reshape(batch, frames, nodes // 3, 3)


def mean_joint_distance(poses: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Mean over batch, frames and joints of the Euclidean distance."""
    return ((poses - truth) ** 2).sum(-1).sqrt().mean()


def graph_convolution(state: State, name: str, x: torch.Tensor) -> torch.Tensor:
    mixed_channels = torch.einsum("bnc,cd->bnd", x, state[f"{name}.weight"])
    mixed_nodes = torch.einsum("mn,bnd->bmd", state[f"{name}.att"], mixed_channels)
    return mixed_nodes + state[f"{name}.bias"]


def batch_norm(state: State, name: str, x: torch.Tensor, training: bool) -> torch.Tensor:
    """Normalise over the batch alone; all other axes, flattened in the order they have, are channels."""
    flat = x.reshape(len(x), -1)
    mean = flat.mean(0) if training else state[f"{name}.running_mean"]
    variance = flat.var(0, unbiased=False) if training else state[f"{name}.running_var"]
    normal = (flat - mean) / (variance + 1e-5).sqrt()
    return (normal * state[f"{name}.weight"] + state[f"{name}.bias"]).reshape(x.shape)


def leaky_relu(x: torch.Tensor) -> torch.Tensor:
    return torch.where(x > 0, x, 0.2 * x)


# --- Traj-GCN -------------------------------------------------------------------------------------------------------


def traj_gcn(state: State, coefficients: torch.Tensor, training: bool) -> torch.Tensor:
    """Coefficients ``(batch, nodes, coefficients)`` in and out."""

    def layer(convolution: str, norm: str, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(batch_norm(state, norm, graph_convolution(state, convolution, x), training))

    x = layer("gc1", "bn1", coefficients)
    for block in range(12):
        y = layer(f"gcbs.{block}.gc1", f"gcbs.{block}.bn1", x)
        x = layer(f"gcbs.{block}.gc2", f"gcbs.{block}.bn2", y) + x
    return graph_convolution(state, "gc7", x) + coefficients


# --- MSR-GCN, as released -------------------------------------------------------------------------------------------


def msrgcn(state: State, inputs: list[torch.Tensor], training: bool, *, e3_input: str = "a3") -> list[torch.Tensor]:
    """Normalised coefficients ``(batch, nodes, coefficients)`` of the four scales in and out, finest first."""

    def enhance(name: str, x: torch.Tensor) -> torch.Tensor:
        return leaky_relu(batch_norm(state, f"{name}.bn1d", graph_convolution(state, f"{name}.gcn", x), training))

    def residual_gcns(name: str, count: int, x: torch.Tensor) -> torch.Tensor:
        start = x
        for block in range(count):
            y = x
            for i in (1, 2):
                y = graph_convolution(state, f"{name}.{block}.gc{i}", y)
                y = leaky_relu(batch_norm(state, f"{name}.{block}.bn{i}", y, training))
            x = x + y
        return x + start

    def node_linear(name: str, x: torch.Tensor) -> torch.Tensor:
        features_first = x.permute(0, 2, 1)
        y = features_first @ state[f"{name}.linear.weight"].T + state[f"{name}.linear.bias"]
        return leaky_relu(batch_norm(state, f"{name}.bn", y, training)).permute(0, 2, 1)

    def feature_linear(name: str, x: torch.Tensor) -> torch.Tensor:
        y = x @ state[f"{name}.linear.weight"].T + state[f"{name}.linear.bias"]
        return leaky_relu(batch_norm(state, f"{name}.bn", y, training))

    def up(name: str, x: torch.Tensor) -> torch.Tensor:
        return feature_linear(f"{name}.1", node_linear(f"{name}.0", x))

    def head(name: str, count: int, x: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        return graph_convolution(state, f"{name}_out.gcn", residual_gcns(f"{name}_extra", count, x)) + skip

    d0 = residual_gcns("first_left", 3, enhance("first_enhance", inputs[0]))
    d1 = residual_gcns("second_left", 3, enhance("second_enhance", node_linear("first_down.0", d0)))
    d2 = residual_gcns("third_left", 3, enhance("third_enhance", node_linear("second_down.0", d1)))
    d3 = residual_gcns("fourth_left", 3, enhance("fourth_enhance", node_linear("third_down.0", d2)))

    a3 = residual_gcns("fourth_right", 3, d3)
    c2 = node_linear("third_right_crop.0", torch.cat([d2, up("fourth_up", a3)], dim=1))
    a2 = residual_gcns("third_right", 3, c2)
    c1 = node_linear("second_right_crop.0", torch.cat([d1, up("third_up", a2)], dim=1))
    a1 = residual_gcns("second_right", 3, c1)
    c0 = node_linear("first_right_crop.0", torch.cat([d0, up("second_up", a1)], dim=1))
    a0 = residual_gcns("first_right", 3, c0)

    return [
        head("first", 6, a0, inputs[0]),
        head("second", 1, a1, inputs[1]),
        head("third", 1, a2, inputs[2]),
        head("fourth", 1, a3 if e3_input == "a3" else d3, inputs[3]),
    ]


def assert_same_gradients(
    model: ForecastModel, state: dict[str, torch.Tensor], *, tolerance: float, partner: str = "weight"
) -> None:
    """Require every gradient of a model to be that of the reference's parameters, after both went backwards.

    That of a bias before a batch norm is zero: it is compared with the gradient of its ``partner`` in the same layer.
    """
    theirs = gradients(state)
    converted = model.convert_authors_state(theirs)
    ours = {name: parameter.grad for name, parameter in model.named_parameters()}
    assert set(converted) == set(ours)
    for key, name in zip(theirs, converted, strict=True):
        own = ours[name]
        assert own is not None, key
        if is_cancelled(key):
            assert float(own.norm()) < 1e-10 * float(theirs[key.replace("bias", partner)].norm()), key
        else:
            assert relative_error(own, converted[name]) < tolerance, key
