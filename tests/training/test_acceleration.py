"""The fast paths of training follow the plain loop."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import pytest
import torch

from posegraph.data import MotionDataset
from posegraph.errors import ConfigError
from posegraph.recipe import Recipe
from posegraph.training import loop, train, train_seeds
from posegraph.training import run as training_run
from posegraph.training.graphs import RecordedStep
from tests.training.runs import identical, motion, quiet, small_model, state, weights
from tests.training.test_graphs import Rerun

# 46 windows, six batches of eight an epoch, the last smaller: 204 steps.
LENGTHS = (30, 28, 11)
RECIPE = Recipe.of(learning_rate=1e-3, batch_size=8, epochs=34, clip_norm=1.0)


def data() -> MotionDataset:
    return motion(LENGTHS)


def losses(folder: Path) -> list[float]:
    with (folder / "log.csv").open(newline="") as file:
        return [float(row["train_loss"]) for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    """A run of the plain loop, dropout and all."""
    folder = tmp_path_factory.mktemp("plain")
    train(small_model(), data(), folder, recipe=RECIPE, options=quiet(acceleration="none"))
    assert len(losses(folder)) == RECIPE.schedule.epochs
    return folder


def assert_follows(folder: Path, plain: Path) -> None:
    assert losses(folder) == pytest.approx(losses(plain), rel=1e-3)


def test_the_default_follows_the_plain_loop(plain, tmp_path):
    train(small_model(), data(), tmp_path, recipe=RECIPE, options=quiet())
    assert_follows(tmp_path, plain)
    assert not identical(state(tmp_path), state(plain))  # it is another path


def test_recorded_steps_follow_the_plain_loop(plain, tmp_path, monkeypatch):
    recorder = Rerun()
    made = training_run.assemble

    def recorded(models, windows, recipe, *rest):
        plain = made(models, windows, recipe, *rest)
        return dataclasses.replace(plain, step=RecordedStep(plain.step, recorder, recipe.sampling.batch_size))

    monkeypatch.setattr(training_run, "assemble", recorded)
    train(small_model(), data(), tmp_path, recipe=RECIPE, options=quiet())
    assert_follows(tmp_path, plain)
    assert recorder.replayed == 5 * RECIPE.schedule.epochs - 3  # all but the warm-up and the last batches


# PyTorch's compilers call what PyTorch deprecates.
@pytest.mark.filterwarnings("ignore:.*is deprecated:DeprecationWarning", "ignore:.*is deprecated:FutureWarning")
def test_a_compiled_network_follows_the_plain_loop(tmp_path):
    for acceleration in ("none", "compile"):  # without dropout, since compiled code draws numbers of its own
        model, folder = small_model(dropout=0.0), tmp_path / acceleration
        recipe = RECIPE.replace(batch_size=23, epochs=100)  # one size of batch: it compiles once
        train(model, data(), folder, recipe=recipe, options=quiet(acceleration=acceleration))
    assert_follows(tmp_path / "compile", tmp_path / "none")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("acceleration", ["auto", "compile"])
def test_training_on_a_gpu_follows_the_plain_loop(tmp_path, acceleration):
    for name, kind in (("plain", "none"), ("fast", acceleration)):
        model = small_model(dropout=0.0)
        train(model, data(), tmp_path / name, recipe=RECIPE, options=quiet(device="cuda", acceleration=kind))
    assert_follows(tmp_path / "fast", tmp_path / "plain")


# Several seeds at once


def trio():
    return [small_model("traj-gcn", seed=seed, dropout=0.0) for seed in range(3)]


def test_several_seeds_follow_the_plain_loop_each(tmp_path):
    lines: list[str] = []
    results = train_seeds(trio(), data(), tmp_path, seeds=[5, 6, 7], recipe=RECIPE, options=quiet(report=lines.append))
    assert len(lines) == RECIPE.schedule.epochs
    assert "validation error" in lines[0]
    assert " ± " in lines[0]
    for result, model, seed in zip(results, trio(), (5, 6, 7), strict=True):
        alone = train(
            model,
            data(),
            tmp_path / f"alone-{seed}",
            recipe=RECIPE,
            options=quiet(seed=seed, acceleration="none"),
        )
        assert result.folder == tmp_path / f"seed-{seed}"
        assert_follows(result.folder, alone.folder)
        assert result.best_error == pytest.approx(alone.best_error, rel=1e-3)
        assert (result.epochs, result.finished) == (alone.epochs, alone.finished)


def test_several_seeds_are_resumed(tmp_path):
    whole, parts = Recipe.of(batch_size=8, epochs=3), Recipe.of(batch_size=8, epochs=2)
    models = [small_model(seed=seed, dropout=0.3) for seed in range(2)]
    train_seeds(models, data(), tmp_path / "whole", recipe=whole, options=quiet())
    for recipe in (parts, whole):
        models = [small_model(seed=seed, dropout=0.3) for seed in range(2)]
        train_seeds(models, data(), tmp_path / "parts", recipe=recipe, options=quiet(resume=True))
    for seed in range(2):
        own, same = (tmp_path / name / f"seed-{seed}" for name in ("parts", "whole"))
        assert losses(own) == losses(same)
        assert identical(weights(own), weights(same))
    assert identical(*(state(tmp_path / name) for name in ("parts", "whole")))


def test_one_seed_is_a_run_like_any_other(plain, tmp_path):
    train_seeds([small_model()], data(), tmp_path, recipe=RECIPE, options=quiet(acceleration="none"))
    assert losses(tmp_path / "seed-0") == losses(plain)
    assert identical(weights(tmp_path / "seed-0"), weights(plain))


# What is refused


def refuse(match: str, models=None, seeds=None, **options) -> None:
    models = trio() if models is None else models
    with pytest.raises(ConfigError, match=match):
        train_seeds(models, data(), "unused", seeds=seeds, recipe=RECIPE, options=quiet(**options))
    assert not Path("unused").exists()


def test_seeds_must_fit_the_models(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refuse(r"expected at least one model and a different seed for each, got 3 models and seeds \[1, 2\]", seeds=[1, 2])
    refuse(r"a different seed for each, got 3 models and seeds \[1, 1, 2\]", seeds=[1, 1, 2])
    refuse(r"got 0 models", models=[])


def test_models_must_be_alike(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    others = [small_model(), small_model(channels=16)]
    refuse(r"differ in nothing but their weights, but model 1 is TrajGCN with .*channels=16", models=others)


def test_fp16_takes_one_seed_at_a_time(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refuse(r"precision: expected 'fp32' or 'bf16' for several seeds, got 'fp16'", precision="fp16")


def test_several_seeds_train_in_one_process(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check = loop._check_processes
    monkeypatch.setattr(
        loop, "_check_processes", lambda processes, count: check(type(processes)(rank=0, world_size=2), count)
    )
    refuse(r"seeds: expected one process for 3 models, got 2\. Start one process")


def test_unknown_accelerations_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refuse(r"acceleration: expected one of 'auto', 'none', 'compile'; got 'warp'", acceleration="warp")
