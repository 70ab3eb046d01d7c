"""The reset-before GRU: an independent implementation, and where PyTorch's cell differs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from posegraph.errors import ConfigError, ShapeError
from posegraph.layers import ResetBeforeGRUCell


def numpy_gru(x, state, gates_weight, gates_bias, candidate_weight, candidate_bias):
    """One step for one sample, gate by gate, with weights ``(in_channels + channels, out)``."""
    channels = len(candidate_bias)
    gates = 1 / (1 + np.exp(-(np.concatenate([x, state]) @ gates_weight + gates_bias)))
    reset, update = gates[:channels], gates[channels:]
    candidate = np.tanh(np.concatenate([x, reset * state]) @ candidate_weight + candidate_bias)
    return update * state + (1 - update) * candidate


def random_cell(in_channels: int, channels: int) -> ResetBeforeGRUCell:
    cell = ResetBeforeGRUCell(in_channels, channels).double()
    generator = torch.Generator().manual_seed(0)
    for parameter in cell.parameters():
        torch.nn.init.normal_(parameter, std=0.5, generator=generator)
    return cell


def copy_to_torch(cell: ResetBeforeGRUCell) -> torch.nn.GRUCell:
    """PyTorch's cell with the same weights: its gates are in the same order, its candidate has two biases."""
    other = torch.nn.GRUCell(cell.in_channels, cell.channels, dtype=torch.float64)
    weight = torch.cat([cell.gates.weight, cell.candidate.weight])
    with torch.no_grad():
        other.weight_ih.copy_(weight[:, : cell.in_channels])
        other.weight_hh.copy_(weight[:, cell.in_channels :])
        other.bias_ih.copy_(torch.cat([cell.gates.bias, cell.candidate.bias]))
        other.bias_hh.zero_()
    return other


X = torch.randn(5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
STATE = torch.randn(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


def test_a_step_matches_the_formula():
    cell = random_cell(3, 4)
    weights = [
        parameter.detach().numpy().T
        for parameter in (cell.gates.weight, cell.gates.bias, cell.candidate.weight, cell.candidate.bias)
    ]
    expected = [numpy_gru(x, state, *weights) for x, state in zip(X.numpy(), STATE.numpy(), strict=True)]
    np.testing.assert_allclose(cell(X, STATE).detach().numpy(), expected, rtol=1e-12, atol=1e-14)


def test_gradients():
    cell = random_cell(2, 3)
    inputs = (X[:2, :2].clone().requires_grad_(), STATE[:2, :3].clone().requires_grad_(), *cell.parameters())
    assert torch.autograd.gradcheck(lambda x, state, *_: cell(x, state), inputs)


def test_without_a_state_it_starts_from_zeros():
    cell = random_cell(3, 4)
    assert torch.equal(cell(X), cell(X, torch.zeros_like(STATE)))


def test_the_gru_of_pytorch_is_another_function():
    cell = random_cell(3, 4)
    difference = cell(X, STATE) - copy_to_torch(cell)(X, STATE)
    assert difference.detach().abs().max().item() > 0.05


def test_the_gru_of_pytorch_agrees_where_the_reset_gate_is_open():
    cell = random_cell(3, 4)
    with torch.no_grad():
        cell.gates.bias[:4] = 100.0
    torch.testing.assert_close(cell(X, STATE), copy_to_torch(cell)(X, STATE), rtol=1e-12, atol=1e-12)


def test_the_gru_of_pytorch_agrees_where_the_reset_gate_commutes():
    cell = random_cell(3, 4)
    with torch.no_grad():
        cell.candidate.weight[:, 3:] *= torch.eye(4)
    torch.testing.assert_close(cell(X, STATE), copy_to_torch(cell)(X, STATE), rtol=1e-12, atol=1e-12)


def test_initial_values():
    torch.manual_seed(0)
    cell = ResetBeforeGRUCell(60, 40)
    for linear, out in ((cell.gates, 80), (cell.candidate, 40)):
        bound = (6 / (60 + 40 + out)) ** 0.5
        assert 0.98 * bound < linear.weight.detach().abs().max().item() <= bound
        assert linear.weight.detach().var().item() == pytest.approx(bound**2 / 3, rel=0.05)
    assert torch.equal(cell.gates.bias, torch.ones(80))
    assert torch.equal(cell.candidate.bias, torch.zeros(40))


def test_reset_parameters_draws_anew():
    cell = ResetBeforeGRUCell(3, 4)
    before = [parameter.clone() for parameter in cell.parameters()]
    with torch.no_grad():
        cell.gates.bias.zero_()
    cell.reset_parameters()
    same = [torch.equal(old, new) for old, new in zip(before, cell.parameters(), strict=True)]
    assert same == [False, True, False, True]


def test_it_prints_its_sizes():
    assert repr(ResetBeforeGRUCell(3, 4)).startswith("ResetBeforeGRUCell(\n  3, 4\n")


@pytest.mark.parametrize("sizes", [(0, 4), (3, 0), (3, 1.5)])
def test_sizes_must_be_positive_integers(sizes):
    with pytest.raises(ConfigError, match="channels: expected an integer of at least 1, got"):
        ResetBeforeGRUCell(*sizes)


@pytest.mark.parametrize("shape", [(5, 4), (2, 5, 3), (3,)])
def test_another_input_is_refused(shape):
    with pytest.raises(ShapeError, match=r"GRU input: expected \(batch, 3 channels\), got .* Give one step at a time"):
        ResetBeforeGRUCell(3, 4)(torch.zeros(shape))


@pytest.mark.parametrize("shape", [(5, 3), (4, 4), (4,)])
def test_another_state_is_refused(shape):
    with pytest.raises(ShapeError, match=r"GRU state: expected \(5 samples, 4 channels\), got .* the step before"):
        ResetBeforeGRUCell(3, 4)(torch.zeros(5, 3), torch.zeros(shape))
