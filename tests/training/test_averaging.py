from __future__ import annotations

import copy

import torch
from torch import nn

from posegraph import checkpoint
from posegraph.training import train_seeds
from posegraph.training.averaging import WeightAverage
from tests.training.runs import (
    FUTURE,
    OBSERVED,
    RECIPE,
    assert_same_run,
    identical,
    motion,
    quiet,
    run,
    small_model,
    state,
    weights,
)

AVERAGED = RECIPE.replace(averaging=0.9, epochs=2)


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


def change(module: nn.Module) -> None:
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn(parameter.shape))
        module(torch.randn(8, 3))  # moves the running statistics


def test_the_average_is_that_of_a_loop():
    module = network()
    average = WeightAverage(module, 0.8)
    expected = copy.deepcopy(module.state_dict())
    for step in range(1, 40):
        change(module)
        average.update()
        decay = min(0.8, (1 + step) / (10 + step))
        for key, value in module.state_dict().items():
            if value.is_floating_point():
                expected[key] = decay * expected[key] + (1 - decay) * value
    found = average.state_dict()
    assert "1.num_batches_tracked" not in found
    for key in set(found) - {"steps"}:
        torch.testing.assert_close(found[key], expected[key])


def test_the_module_has_the_average_inside_only():
    module = network()
    average = WeightAverage(module, 0.5)
    change(module)
    average.update()
    before = copy.deepcopy(module.state_dict())
    with average.applied():
        inside = copy.deepcopy(module.state_dict())
    found = average.state_dict()
    assert all(torch.equal(inside[key], found[key]) for key in set(found) - {"steps"})
    assert identical(dict(module.state_dict()), before)
    assert not torch.equal(inside["0.weight"], before["0.weight"])


def test_an_average_goes_on_from_its_state():
    module, other = network(), network()
    averages = [WeightAverage(m, 0.9) for m in (module, other)]
    change(module)
    averages[0].update()
    other.load_state_dict(module.state_dict())
    averages[1].load_state_dict(copy.deepcopy(averages[0].state_dict()))
    torch.manual_seed(5)
    change(module)
    other.load_state_dict(module.state_dict())
    for average in averages:
        average.update()
    assert identical(averages[0].state_dict(), averages[1].state_dict())
    averages[0].reset()
    assert torch.equal(averages[0].state_dict()["0.weight"], module[0].weight)
    assert float(averages[0].state_dict()["steps"]) == 0


def test_the_average_is_validated_and_kept(tmp_path):
    model = small_model()
    result = run(tmp_path, model=model, recipe=AVERAGED.replace(epochs=1))
    stored = state(tmp_path)
    kept = weights(tmp_path)
    assert all(torch.equal(kept[key.removeprefix("average.")], stored[key]) for key in stored
               if key.startswith("average.") and key != "average.steps")  # fmt: skip
    assert not identical(kept, dict(model.state_dict()))
    assert identical({f"model.{k}": v for k, v in model.state_dict().items()},
                     {k: v for k, v in stored.items() if k.startswith("model.")})  # fmt: skip
    recorded = checkpoint.read_config(tmp_path)["record"]["training"]["recipe"]["averaging"]
    assert (recorded, result.best_epoch) == (0.9, 1)


def test_a_run_with_an_average_is_resumed(tmp_path):
    run(tmp_path / "whole", recipe=AVERAGED)
    run(tmp_path / "parts", recipe=AVERAGED.replace(epochs=1))
    run(tmp_path / "parts", recipe=AVERAGED, model=small_model(seed=4), resume=True)
    assert_same_run(tmp_path / "parts", tmp_path / "whole")


def test_several_seeds_have_an_average_each(tmp_path):
    recipe = AVERAGED.replace(learning_rate=1e-3)
    models = [small_model(seed=seed, dropout=0.0) for seed in range(2)]
    train_seeds(models, motion(), tmp_path, recipe=recipe, options=quiet())
    observed = motion().train_windows(OBSERVED, FUTURE).batch([0, 5, 9])[:, :OBSERVED]
    for seed in range(2):
        alone = run(tmp_path / f"alone-{seed}", model=small_model(seed=seed, dropout=0.0), recipe=recipe, seed=seed)
        one, other = (checkpoint.load(folder).predict(observed) for folder in (alone.folder, tmp_path / f"seed-{seed}"))
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-2)
