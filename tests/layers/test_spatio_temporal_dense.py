from __future__ import annotations

import pytest
import torch

from posegraph.errors import ConfigError, ShapeError
from posegraph.layers import SpatioTemporalDenseBlock, SpatioTemporalDenseConv


def naive(conv: SpatioTemporalDenseConv, x: torch.Tensor) -> torch.Tensor:
    """Sum over channels, joints and frames, one number at a time."""
    batch, channels, joints, frames = x.shape
    y = torch.zeros(batch, conv.out_channels, joints, frames, dtype=x.dtype)
    for b, o, n, k in torch.cartesian_prod(*map(torch.arange, y.shape)):
        y[b, o, n, k] = conv.bias[k]
        for c in range(channels):
            for m in range(joints):
                for frame in range(frames):
                    link = conv.adjacency[n, m] * conv.weight[c, o] * conv.time[frame, k]
                    y[b, o, n, k] += link * x[b, c, m, frame]
    return y


@pytest.mark.parametrize("widths", [(2, 3), (3, 2), (2, 2)])
def test_forward_matches_naive_sums(widths):
    conv = SpatioTemporalDenseConv(*widths, num_joints=3, num_frames=4).double()
    x = torch.randn(2, widths[0], 3, 4, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(conv(x), naive(conv, x))


@pytest.mark.parametrize("widths", [(1, 2), (2, 1)])
def test_gradients(widths):
    conv = SpatioTemporalDenseConv(*widths, num_joints=3, num_frames=2).double()
    x = torch.randn(2, widths[0], 3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, *_: conv(x), (x, *conv.parameters()))


def test_joints_can_be_permuted():
    conv, x, order = SpatioTemporalDenseConv(3, 5, 6, 4), torch.randn(2, 3, 6, 4), torch.randperm(6)
    permuted = SpatioTemporalDenseConv(3, 5, 6, 4)
    permuted.load_state_dict(conv.state_dict() | {"adjacency": conv.adjacency[order][:, order]})
    torch.testing.assert_close(permuted(x[:, :, order]), conv(x)[:, :, order])


def test_any_memory_layout_is_read():
    conv, poses = SpatioTemporalDenseConv(3, 5, num_joints=6, num_frames=4), torch.randn(2, 4, 6, 3)
    x = poses.permute(0, 3, 2, 1)
    assert not x.is_contiguous()
    torch.testing.assert_close(conv(x), conv(x.contiguous()))


def test_all_parameters_start_within_the_number_of_joints():
    torch.manual_seed(0)
    conv = SpatioTemporalDenseConv(100, 40, num_joints=25, num_frames=100)
    for parameter in conv.parameters():
        assert 0.9 / 5 < float(parameter.detach().abs().max()) <= 1 / 5
    assert float(conv.time.detach().std()) == pytest.approx(1 / 5 / 3**0.5, rel=0.02)
    before = {name: value.clone() for name, value in conv.state_dict().items()}
    conv.reset_parameters()
    assert not any(torch.equal(value, before[name]) for name, value in conv.state_dict().items())


def test_printed_form():
    text = str(SpatioTemporalDenseConv(3, 16, num_joints=22, num_frames=35))
    assert text == "SpatioTemporalDenseConv(3, 16, num_joints=22, num_frames=35)"


@pytest.mark.parametrize("name", ["in_channels", "out_channels", "num_joints", "num_frames"])
def test_sizes_are_positive(name):
    sizes = {"in_channels": 2, "out_channels": 2, "num_joints": 2, "num_frames": 2, name: 0}
    with pytest.raises(ConfigError, match=f"{name}: expected an integer of at least 1, got 0"):
        SpatioTemporalDenseConv(**sizes)


@pytest.mark.parametrize("shape", [(2, 3, 4), (1, 3, 3, 4), (1, 2, 4, 4), (1, 2, 3, 5)])
def test_inputs_fit_the_layer(shape):
    message = (
        r"spatio-temporal convolution input: expected \(batch, 2 channels, 3 joints, 4 frames\), got \(.*Rearrange"
    )
    with pytest.raises(ShapeError, match=message):
        SpatioTemporalDenseConv(2, 2, num_joints=3, num_frames=4)(torch.zeros(shape))


def test_block_normalises_each_element_and_bends():
    block = SpatioTemporalDenseBlock(2, 3, num_joints=4, num_frames=5, dropout=0.0)
    x = torch.randn(16, 2, 4, 5)
    y = block.operator(x)
    expected = torch.tanh((y - y.mean(0)) / (y.var(0, unbiased=False) + 1e-5).sqrt())
    torch.testing.assert_close(block(x), expected, rtol=1e-4, atol=1e-5)
    relu = SpatioTemporalDenseBlock(2, 3, num_joints=4, num_frames=5, dropout=0.0, activation="relu")
    relu.load_state_dict(block.state_dict())
    torch.testing.assert_close(torch.tanh(relu(x)), expected.relu(), rtol=1e-4, atol=1e-5)


def test_block_drops_in_training_alone():
    torch.manual_seed(0)
    block = SpatioTemporalDenseBlock(2, 10, num_joints=10, num_frames=10, dropout=0.3)
    x = torch.randn(8, 2, 10, 10)
    assert float((block(x) == 0).float().mean()) == pytest.approx(0.3, abs=0.02)
    assert not (block.eval()(x) == 0).any()


def test_block_needs_two_samples_in_training():
    with pytest.raises(ShapeError, match="at least two samples in training mode"):
        SpatioTemporalDenseBlock(2, 3, num_joints=4, num_frames=5)(torch.zeros(1, 2, 4, 5))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"dropout": 1.0}, r"dropout: expected a number in \[0, 1\), got 1.0"),
        ({"activation": "sine"}, "activation: expected one of 'leaky_relu', 'tanh', 'relu'; got 'sine'"),
    ],
)
def test_block_settings_are_checked(setting, message):
    with pytest.raises(ConfigError, match=message):
        SpatioTemporalDenseBlock(2, 3, num_joints=4, num_frames=5, **setting)
