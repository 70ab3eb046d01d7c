from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from posegraph.errors import ConfigError
from posegraph.recipe import Recipe


@pytest.mark.parametrize("recipe", [Recipe(2e-4, decay=0.98, decay_every=2), Recipe(5e-4, decay=0.96, decay_every=3)])
def test_learning_rates_match_a_decay_at_the_start_of_every_such_epoch(recipe):
    rate = recipe.learning_rate
    for epoch in range(1, 60):
        if epoch % recipe.decay_every == 0:
            rate *= recipe.decay
        assert recipe.learning_rate_at(epoch) == pytest.approx(rate, rel=1e-12)


def test_learning_rates_match_a_scheduler_of_pytorch():
    """With a decay every epoch, the first epoch is decayed already."""
    recipe = Recipe(1e-3, decay=0.9)
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=recipe.learning_rate)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, recipe.decay)
    for epoch in range(1, 10):
        optimizer.step()
        scheduler.step()
        assert recipe.learning_rate_at(epoch) == pytest.approx(scheduler.get_last_lr()[0])


def test_the_first_decay_can_come_at_another_time():
    recipe = Recipe(1.0, decay=0.5, decay_every=10, first_decay=4)
    assert [recipe.learning_rate_at(epoch) for epoch in (1, 3, 4, 13, 14, 24)] == [1, 1, 0.5, 0.5, 0.25, 0.125]
    every = Recipe(1.0, decay=0.5, first_decay=2)  # of milestones at 1000, 2000, ... steps, a thousand steps an epoch
    assert [every.learning_rate_at(epoch) for epoch in (1, 2, 3)] == [1, 0.5, 0.25]


def test_a_cosine_falls_to_zero_after_a_warm_up():
    recipe = Recipe(2.0, schedule="cosine", warm_up=1.5, epochs=5)
    assert [recipe.learning_rate_at(1, part) for part in (0, 0.5)] == [0, pytest.approx(2 / 3)]
    assert recipe.learning_rate_at(2, 0.5) == 2.0
    for epoch, part in ((2, 0.75), (3, 0.25), (4, 0.0), (5, 0.9), (6, 0.0), (9, 0.0)):
        progress = min((epoch - 1 + part - 1.5) / 3.5, 1.0)
        assert recipe.learning_rate_at(epoch, part) == pytest.approx(1 + math.cos(math.pi * progress), abs=1e-12)


def test_a_warm_up_precedes_steps_too():
    recipe = Recipe(1.0, decay=0.5, decay_every=3, warm_up=2)
    rates = [recipe.learning_rate_at(epoch, 0.5) for epoch in range(1, 7)]
    assert rates == [0.25, 0.75, 0.5, 0.5, 0.5, 0.25]
    assert Recipe(1.0, warm_up=9, epochs=3).learning_rate_at(3, 0.5) == pytest.approx(2.5 / 9)


def test_no_decay_unless_asked():
    assert {Recipe().learning_rate_at(epoch) for epoch in (1, 50)} == {5e-4}


def test_recipes_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Recipe().epochs = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"first_decay": 0}, "first_decay: expected an integer of at least 1, got 0"),
        ({"steps_per_epoch": 0}, "steps_per_epoch: expected an integer of at least 1, got 0"),
        ({"optimizer": "lion"}, "optimizer: expected one of 'adam', 'sgd'; got 'lion'"),
        ({"sampling": "frames"}, "sampling: expected one of 'windows', 'clips'; got 'frames'"),
        ({"reverse": 1.5}, r"reverse: expected a number in \[0, 1\), got 1.5"),
        ({"mirror": 1.0}, r"mirror: expected a number in \[0, 1\), got 1.0"),
        ({"averaging": 1.0}, r"averaging: expected a number in \[0, 1\), got 1.0"),
        ({"schedule": "plateau"}, "schedule: expected one of 'steps', 'cosine'; got 'plateau'"),
        ({"warm_up": -1.0}, "warm_up: expected a number of at least 0, got -1.0"),
        ({"decay_every": 0}, "decay_every: expected an integer of at least 1, got 0"),
        ({"batch_size": 2.5}, "batch_size: expected an integer of at least 1, got 2.5"),
        ({"epochs": -1}, "epochs: expected an integer of at least 1, got -1"),
        ({"learning_rate": 0.0}, "learning_rate: expected a positive number, got 0.0"),
        ({"decay": -0.5}, "decay: expected a positive number, got -0.5"),
        ({"learning_rate": float("nan")}, "learning_rate: expected a positive number, got nan"),
        ({"clip_norm": 0.0}, "clip_norm: expected a positive number or None, got 0.0"),
        ({"weight_decay": -1e-4}, "weight_decay: expected a number of at least 0, got -0.0001"),
    ],
)
def test_errors(settings, message):
    with pytest.raises(ConfigError, match=message):
        Recipe(**settings)
