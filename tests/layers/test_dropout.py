from __future__ import annotations

import pytest
import torch

from posegraph.layers import Dropout


def drop(p: float, shape: tuple[int, ...] = (1000, 75, 7), seed: int = 0) -> torch.Tensor:
    torch.manual_seed(seed)
    return Dropout(p)(torch.ones(shape))


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_elements_are_dropped_with_their_probability(p):
    y = drop(p)
    count = y.numel()
    spread = (p * (1 - p) / count) ** 0.5
    assert abs(float((y == 0).double().mean()) - p) < 5 * spread
    assert abs(float(y.double().mean()) - 1) < 5 * spread / (1 - p)
    (scale,) = y[y != 0].unique().tolist()
    assert scale == pytest.approx(1 / (1 - p), rel=1e-4 / (1 - p))


def test_neighbours_that_share_a_draw_are_independent():
    kept = (drop(0.5, (4, 250_000)).view(-1, 4) != 0).double()
    correlation = torch.corrcoef(kept.T) - torch.eye(4)
    assert correlation.abs().max() < 5 / 250_000**0.5


def test_seeds_decide():
    assert torch.equal(drop(0.3), drop(0.3))
    assert not torch.equal(drop(0.3), drop(0.3, seed=1))


@pytest.mark.parametrize("shape", [(), (1,), (3,), (5, 7), (0, 4), (2, 3, 4)])
def test_any_shape_is_taken(shape):
    x = torch.ones(shape)
    y = Dropout(0.5)(x)
    assert y.shape == x.shape
    assert set(y.flatten().tolist()) <= {0.0, 2.0}


def test_the_gradient_is_that_of_the_mask():
    x = torch.randn(64, 8, requires_grad=True)
    y = Dropout(0.25)(x)
    y.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, (y / x).detach().where(y != 0, torch.tensor(0.0))) or torch.allclose(x.grad * x, y)


@pytest.mark.parametrize("p", [0.0, 1.0, 1e-6])
def test_the_ends_are_exact(p):
    assert torch.equal(drop(p), torch.zeros(1000, 75, 7) if p == 1 else torch.ones(1000, 75, 7) / (1 - p))


def test_evaluation_changes_nothing():
    x = torch.randn(3, 4)
    assert Dropout(0.5).eval()(x) is x


def test_a_draw_serves_four_elements():
    """The generator of the CPU advances by 64 bits for each draw."""

    def next_number(draws: int) -> int:
        torch.manual_seed(3)
        torch.empty(draws, dtype=torch.int64).random_(torch.iinfo(torch.int64).min, None)
        return int(torch.randint(2**31, ()))

    torch.manual_seed(3)
    Dropout(0.5)(torch.ones(401))
    assert int(torch.randint(2**31, ())) == next_number(101)


def test_half_precision_keeps_its_type():
    y = Dropout(0.5)(torch.ones(100, dtype=torch.bfloat16))
    assert y.dtype == torch.bfloat16
    assert set(y.tolist()) == {0.0, 2.0}


def test_without_shared_draws_it_works_under_vmap():
    layer = Dropout(0.5)
    layer.shared_draws = False
    y = torch.func.vmap(layer, randomness="different")(torch.ones(2, 1000))
    assert not torch.equal(y[0], y[1])
    assert abs(float(y.mean()) - 1) < 0.1
