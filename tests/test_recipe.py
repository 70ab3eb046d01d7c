from __future__ import annotations

import dataclasses
import json
import math
import re

import pytest
import torch

from posegraph.errors import ConfigError, UnknownNameError
from posegraph.recipe import Augmentation, Optimizer, Recipe, Sampling, Schedule


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe.of(learning_rate=2e-4, decay=0.98, decay_every=2),
        Recipe.of(learning_rate=5e-4, decay=0.96, decay_every=3),
    ],
)
def test_learning_rates_match_a_decay_at_the_start_of_every_such_epoch(recipe):
    rate = recipe.optimizer.learning_rate
    for epoch in range(1, 60):
        if epoch % recipe.schedule.decay_every == 0:
            rate *= recipe.schedule.decay
        assert recipe.learning_rate_at(epoch) == pytest.approx(rate, rel=1e-12)


def test_learning_rates_match_a_scheduler_of_pytorch():
    """With a decay every epoch, the first epoch is decayed already."""
    recipe = Recipe.of(learning_rate=1e-3, decay=0.9)
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=recipe.optimizer.learning_rate)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, recipe.schedule.decay)
    for epoch in range(1, 10):
        optimizer.step()
        scheduler.step()
        assert recipe.learning_rate_at(epoch) == pytest.approx(scheduler.get_last_lr()[0])


def test_the_first_decay_can_come_at_another_time():
    recipe = Recipe.of(learning_rate=1.0, decay=0.5, decay_every=10, first_decay=4)
    assert [recipe.learning_rate_at(epoch) for epoch in (1, 3, 4, 13, 14, 24)] == [1, 1, 0.5, 0.5, 0.25, 0.125]
    every = Recipe.of(
        learning_rate=1.0, decay=0.5, first_decay=2
    )  # of milestones at 1000, 2000, ... steps, a thousand steps an epoch
    assert [every.learning_rate_at(epoch) for epoch in (1, 2, 3)] == [1, 0.5, 0.25]


def test_a_cosine_falls_to_zero_after_a_warm_up():
    recipe = Recipe.of(learning_rate=2.0, schedule="cosine", warm_up=1.5, epochs=5)
    assert [recipe.learning_rate_at(1, part) for part in (0, 0.5)] == [0, pytest.approx(2 / 3)]
    assert recipe.learning_rate_at(2, 0.5) == 2.0
    for epoch, part in ((2, 0.75), (3, 0.25), (4, 0.0), (5, 0.9), (6, 0.0), (9, 0.0)):
        progress = min((epoch - 1 + part - 1.5) / 3.5, 1.0)
        assert recipe.learning_rate_at(epoch, part) == pytest.approx(1 + math.cos(math.pi * progress), abs=1e-12)


def test_a_warm_up_precedes_steps_too():
    recipe = Recipe.of(learning_rate=1.0, decay=0.5, decay_every=3, warm_up=2)
    rates = [recipe.learning_rate_at(epoch, 0.5) for epoch in range(1, 7)]
    assert rates == [0.25, 0.75, 0.5, 0.5, 0.5, 0.25]
    assert Recipe.of(learning_rate=1.0, warm_up=9, epochs=3).learning_rate_at(3, 0.5) == pytest.approx(2.5 / 9)


def test_no_decay_unless_asked():
    assert {Recipe().learning_rate_at(epoch) for epoch in (1, 50)} == {5e-4}


def test_recipes_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Recipe().averaging = 0.5  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        Recipe().schedule.epochs = 3  # type: ignore[misc]


FLAT = {
    "optimizer": "sgd",
    "learning_rate": 5e-3,
    "weight_decay": 1e-4,
    "clip_norm": 5.0,
    "schedule": "cosine",
    "epochs": 28,
    "decay": 0.95,
    "decay_every": 10,
    "first_decay": 11,
    "warm_up": 1.0,
    "sampling": "clips",
    "batch_size": 64,
    "steps_per_epoch": 250,
    "mirror": 0.5,
    "reverse": 0.2,
    "turn": 0.1,
    "speed": 0.15,
    "averaging": 0.998,
}
PARTS = Recipe(
    optimizer=Optimizer(kind="sgd", learning_rate=5e-3, weight_decay=1e-4, clip_norm=5.0),
    schedule=Schedule(kind="cosine", epochs=28, decay=0.95, decay_every=10, first_decay=11, warm_up=1.0),
    sampling=Sampling(kind="clips", batch_size=64, steps_per_epoch=250),
    augmentation=Augmentation(mirror=0.5, reverse=0.2, turn=0.1, speed=0.15),
    averaging=0.998,
)


def test_settings_are_written_and_read_without_their_parts():
    assert PARTS.to_dict() == FLAT
    assert Recipe.of(**FLAT) == PARTS
    assert Recipe.of(**json.loads(json.dumps(FLAT))) == PARTS


def test_nested_dictionaries_are_read_as_well():
    assert Recipe.of(**json.loads(json.dumps(dataclasses.asdict(PARTS)))) == PARTS


def test_dotted_names_stand_for_the_same():
    dotted = {"schedule.epochs": 28, "schedule.kind": "cosine", "optimizer.kind": "sgd", "augmentation.mirror": 0.5}
    assert Recipe.of(**dotted) == Recipe.of(epochs=28, schedule="cosine", optimizer="sgd", mirror=0.5)


def test_replacing_keeps_the_other_settings():
    changed = PARTS.replace(epochs=3, sampling=Sampling(batch_size=8), averaging=0.0)
    expected = {**FLAT, "epochs": 3, "sampling": "windows", "batch_size": 8, "steps_per_epoch": None, "averaging": 0.0}
    assert changed.to_dict() == expected
    assert PARTS.to_dict() == FLAT


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"miror": 0.5}, "unknown value of the recipe 'miror'. Did you mean 'mirror'"),
        ({"schedule.epoch": 2}, "unknown value of the recipe 'schedule.epoch'. Did you mean 'schedule.epochs'"),
        ({"schedule": {"kind": "cosine", "epoch": 2}}, "unknown value of the recipe 'schedule.epoch'"),
        ({"sampling.epochs": 2}, "unknown value of the recipe 'sampling.epochs'"),
        ({"augmentation": "mirror"}, "unknown value of the recipe 'augmentation'"),
        ({"kind": "adam"}, "unknown value of the recipe 'kind'"),
    ],
)
def test_unknown_names_are_refused(settings, message):
    with pytest.raises(UnknownNameError, match=re.escape(message)):
        Recipe.of(**settings)


def test_parts_are_of_their_class():
    message = (
        r"schedule: expected a part of a recipe, Schedule\(\.\.\.\), got 'cosine'\. Build a recipe from plain values"
    )
    with pytest.raises(ConfigError, match=message):
        Recipe(schedule="cosine")  # type: ignore[arg-type]


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
        ({"learning_rate": "fast"}, "learning_rate: expected a positive number, got 'fast'"),
        ({"turn": "much"}, "turn: expected a number of at least 0, got 'much'"),
        ({"weight_decay": -1e-4}, "weight_decay: expected a number of at least 0, got -0.0001"),
    ],
)
def test_errors(settings, message):
    with pytest.raises(ConfigError, match=message):
        Recipe.of(**settings)
