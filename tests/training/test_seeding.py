from __future__ import annotations

from posegraph import registry
from posegraph.training import seed_everything
from posegraph.training.seeding import mix
from tests.training.runs import (
    identical,
)


def test_seed_everything_draws_the_same_weights_again():
    models = []
    for seed in (3, 3, 4):
        seed_everything(seed)
        models.append(registry.build("traj-gcn", channels=8, num_blocks=1).state_dict())
    assert identical(models[0], models[1])
    assert not identical(models[0], models[2])


def test_mixed_seeds_are_fixed_and_unrelated():
    assert mix(1, 2) == mix(1, 2)
    seeds = {mix(*numbers) for numbers in ((1,), (2,), (0, 1), (1, 1), (1, 2), (-1,))}
    assert len(seeds) == 6
    assert all(0 <= seed < 2**63 for seed in seeds)
