from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from posegraph import checkpoint, data, registry
from posegraph.data import MotionDataset
from posegraph.errors import ConfigError, DataError, UnknownNameError
from posegraph.evaluation.evaluate import evaluate
from posegraph.evaluation.protocol import Protocol
from posegraph.recipe import Recipe
from posegraph.training import TrainingResult, seed_everything
from tests.data.motion import ARM
from tests.training.runs import (
    FUTURE,
    OBSERVED,
    RECIPE,
    STEPS,
    LinearForecast,
    assert_same_run,
    clip_names,
    identical,
    motion,
    read_log,
    run,
    small_model,
    state,
    waving_clip,
    weights,
)


def test_learning_rates_are_those_of_the_authors(tmp_path, each_step):
    """Their code multiplies the rate at the start of every epoch whose number the period divides."""
    recipe = Recipe.of(learning_rate=2e-4, decay=0.98, decay_every=2, batch_size=8, epochs=5)
    used: list[float] = []
    each_step(lambda number, step, _: used.append(step.optimizer.param_groups[0]["lr"]))
    run(tmp_path, recipe=recipe)
    rate, expected = 2e-4, []
    for epoch in range(1, 6):
        if epoch % 2 == 0:
            rate *= 0.98
        expected.append(rate)
    assert used == pytest.approx([rate for rate in expected for _ in range(len(used) // 5)], rel=1e-12)
    assert [float(row["learning_rate"]) for row in read_log(tmp_path)] == pytest.approx(expected, rel=1e-5)


def test_the_recipe_defaults_to_that_of_the_model(tmp_path):
    run(tmp_path, recipe=None, time_limit=0)
    recorded = checkpoint.read_config(tmp_path)["record"]["training"]["recipe"]
    authors = registry.info("traj-gcn").recipe.to_dict()
    assert recorded == {key: value for key, value in authors.items() if key != "epochs"}


def one_step(folder: Path, linear: str, **recipe: Any) -> tuple[dict[str, torch.Tensor], LinearForecast]:
    """Parameters before, and the model after, a single step on all windows."""
    model = small_model(linear)
    assert isinstance(model, LinearForecast)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    run(folder, model=model, recipe=Recipe.of(batch_size=99, epochs=1, learning_rate=0.1, **recipe), validation=[])
    return before, model


def gradient(model: torch.nn.Module) -> torch.Tensor:
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


def test_a_step_follows_the_gradient_of_the_loss(tmp_path, linear):
    """Against the loss written out, and the first step of Adam by hand."""
    before, model = one_step(tmp_path, linear)
    windows = motion().train_windows(OBSERVED, FUTURE).batch(list(range(26)))
    own = {name: value.clone().requires_grad_() for name, value in before.items()}
    observed = windows[:, :OBSERVED]
    padded = torch.cat([observed, observed[:, -1:].repeat(1, FUTURE, 1, 1)], 1)
    change = torch.einsum("btjc,ot->bojc", observed, own["linear.weight"]) + own["linear.bias"].view(1, -1, 1, 1)
    (padded + change - windows).square().sum(-1).sqrt().mean().backward()
    for name, parameter in model.named_parameters():
        expected = own[name].grad
        assert parameter.grad is not None
        assert expected is not None
        torch.testing.assert_close(parameter.grad, expected, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(parameter, before[name] - 0.1 * parameter.grad / (parameter.grad.abs() + 1e-8))


def test_the_logged_loss_is_the_mean_over_windows(tmp_path, linear):
    """With batches of eight, eight and five, and steps too small to matter."""
    model = small_model(linear)
    run(tmp_path, model=model, recipe=Recipe.of(learning_rate=1e-12, batch_size=8, epochs=1))
    windows = motion((18, 15)).train_windows(OBSERVED, FUTURE).batch(list(range(21)))
    loss = model.loss(model(windows[:, :OBSERVED]), windows)
    assert float(read_log(tmp_path)[0]["train_loss"]) == pytest.approx(loss.item(), rel=1e-5)


def test_a_model_in_evaluation_mode_is_trained_all_the_same(uninterrupted, tmp_path):
    run(tmp_path, model=small_model().eval())
    assert_same_run(tmp_path, uninterrupted)


def test_gradients_are_scaled_down_to_the_largest_norm(tmp_path, linear):
    free = gradient(one_step(tmp_path / "free", linear)[1])
    norm = float(free.norm())
    clipped = gradient(one_step(tmp_path / "clipped", linear, clip_norm=norm / 4)[1])
    torch.testing.assert_close(clipped, free / 4)
    assert torch.equal(gradient(one_step(tmp_path / "loose", linear, clip_norm=4 * norm)[1]), free)


def test_weight_decay_is_an_l2_penalty(tmp_path, linear):
    before, model = one_step(tmp_path, linear, weight_decay=1e4)
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None
        total = parameter.grad + 1e4 * before[name]
        torch.testing.assert_close(parameter, before[name] - 0.1 * total / (total.abs() + 1e-8))


@pytest.mark.parametrize(("batch_size", "sizes"), [(4, [4] * STEPS), (19, [19, 2]), (20, [20]), (21, [21]), (64, [21])])
def test_a_last_batch_of_one_is_left_out(tmp_path, each_step, batch_size, sizes):
    seen: list[int] = []
    each_step(lambda step, run, window: seen.append(len(window)))
    run(tmp_path, recipe=Recipe.of(batch_size=batch_size, epochs=1))
    assert seen == sizes


def test_every_window_comes_once_an_epoch_in_another_order(tmp_path, each_step):
    seen: list[torch.Tensor] = []
    each_step(lambda step, run, window: seen.append(window))
    run(tmp_path, recipe=Recipe.of(batch_size=7, epochs=2))
    first, second = torch.cat(seen[:3]), torch.cat(seen[3:])
    windows = motion((18, 15)).train_windows(OBSERVED, FUTURE).batch(list(range(21)))
    for epoch in (first, second):
        found = [[torch.equal(window, other) for other in windows].index(True) for window in epoch]
        assert sorted(found) == list(range(21))
    assert not torch.equal(first, second)


def numbers_of(batches: list[torch.Tensor], data: MotionDataset) -> list[int]:
    """Numbers of the training windows that batches hold."""
    windows = data.train_windows(OBSERVED, FUTURE)
    every = windows.batch(range(len(windows)))
    return [[torch.equal(window, other) for other in every].index(True) for batch in batches for window in batch]


def test_an_epoch_of_steps_takes_every_window_once_a_pass(tmp_path, each_step):
    seen: list[torch.Tensor] = []
    each_step(lambda step, run, window: seen.append(window))
    run(tmp_path, recipe=Recipe.of(batch_size=7, steps_per_epoch=6, epochs=1))  # 21 windows: twice
    found = numbers_of(seen, motion((18, 15)))
    assert sorted(found[:21]) == sorted(found[21:]) == list(range(21))
    assert found[:21] != found[21:]


def test_sampling_clips_draws_each_clip_as_often(tmp_path, each_step):
    seen: list[torch.Tensor] = []
    each_step(lambda step, run, window: seen.append(window))
    data = motion((27, 9, 8))  # 21 windows, 3, and the shortest clip held out
    run(tmp_path, data=data, recipe=Recipe.of(batch_size=40, steps_per_epoch=10, epochs=1, sampling="clips"))
    assert [len(batch) for batch in seen] == [40] * 10
    found = numbers_of(seen, motion((27, 9)))
    assert set(found) == set(range(24))
    assert sum(number >= 21 for number in found) / len(found) == pytest.approx(0.5, abs=0.1)


def test_windows_are_played_backwards_as_often_as_the_recipe_says(tmp_path, each_step):
    seen: list[torch.Tensor] = []
    each_step(lambda step, run, window: seen.append(window))
    run(tmp_path, recipe=Recipe.of(batch_size=21, steps_per_epoch=10, epochs=1, reverse=0.3))
    forwards = motion((18, 15)).train_windows(OBSERVED, FUTURE).batch(range(21))
    backwards = 0
    for window in torch.cat(seen):
        forward = any(torch.equal(window, other) for other in forwards)
        backward = any(torch.equal(window, other.flip(0)) for other in forwards)
        assert forward != backward
        backwards += backward
    assert backwards / 210 == pytest.approx(0.3, abs=0.1)


def test_gradient_descent_is_without_momentum(tmp_path, each_step):
    model = small_model("traj-gcn", dropout=0.0)
    before = [p.detach().clone() for p in model.parameters()]

    def compare(step, run, window):
        if step == 1:
            for old, parameter in zip(before, run.model.parameters(), strict=True):
                torch.testing.assert_close(parameter, old - 0.1 * (parameter.grad + 0.5 * old))

    each_step(compare)
    recipe = Recipe.of(learning_rate=0.1, optimizer="sgd", weight_decay=0.5, batch_size=4, epochs=1)
    run(tmp_path, model=model, recipe=recipe)


def test_models_with_labels_are_told_the_action(tmp_path):
    seen: dict[int, set[int]] = {}

    class Labelled(LinearForecast):
        actions = ("bow", "wave")

        def forward(self, observed: torch.Tensor, action: torch.Tensor | None = None) -> tuple[torch.Tensor, ...]:
            if self.training:
                for pose, label in zip(observed, action.tolist(), strict=True):
                    seen.setdefault(label, set()).add(round(float(pose[0, 0, 0]), 3))
            return super().forward(observed)

        def predict(self, observed: torch.Tensor, action: torch.Tensor | None = None) -> torch.Tensor:
            return self(observed, action)[0][:, self.observed_frames :]

    registry.register("labelled-test", summary="x")(Labelled)
    try:
        clips = [waving_clip(12, "a"), waving_clip(14, "b"), waving_clip(12, "c", "bow"), waving_clip(13, "d", "bow")]
        data = MotionDataset("arms", ARM, {"train": clips})
        model = registry.build("labelled-test", skeleton=ARM, observed_frames=OBSERVED, future_frames=FUTURE)
        run(tmp_path, model=model, data=data, recipe=Recipe.of(batch_size=3, epochs=1))
    finally:
        registry.unregister("labelled-test")
    for label, clip in ((0, clips[3]), (1, clips[1])):  # the others are held out
        first = ARM.reduce(clip.poses)[: clip.num_frames - FUTURE - OBSERVED + 1, 0, 0]
        assert seen[label] <= {round(float(x), 3) for x in first}


def test_statistics_are_fitted_to_training_windows_alone(tmp_path):
    model = small_model("msrgcn-1l")
    high = waving_clip(12, "high")
    high.poses.mul_(3)
    run(tmp_path, model=model, data=motion(val=[high]), recipe=Recipe.of(epochs=1))
    windows = motion().train_windows(OBSERVED, FUTURE)
    assert float(model.normalizer.maximum) == float(windows.frames.max())
    assert float(model.normalizer.minimum) == float(windows.frames.min())


def test_training_learns_a_motion(tmp_path):
    """A swing is a linear recurrence, which a network overfits and zero velocity cannot follow."""
    data = motion((40, 40), val=[waving_clip(40, "wave_1")])
    recipe = Recipe.of(learning_rate=1e-2, decay=0.95, batch_size=16, epochs=40)
    model = small_model("msrgcn-1l", channels=16, dropout=0.0)
    result = run(tmp_path, model=model, data=data, recipe=recipe)
    still = evaluate(
        small_model("zero-velocity"),
        data,
        Protocol("arms", split="val", observed_frames=OBSERVED, future_frames=FUTURE),
    )
    assert result.best_error is not None
    assert result.best_error < still.mean / 2
    losses = [float(row["train_loss"]) for row in read_log(tmp_path)]
    assert losses[-1] < losses[0] / 3


def test_real_motion_is_learned_from(tmp_path):
    running = data.load("cmu", "samples", actions=["running"])
    seed_everything(0)
    model = registry.build("msrgcn-1l", skeleton="cmu", channels=8, num_blocks=1)
    run(tmp_path, model=model, data=running, recipe=Recipe.of(learning_rate=1e-3, epochs=2))
    first, second = read_log(tmp_path)
    assert float(second["val_mm"]) < float(first["val_mm"])
    assert clip_names(tmp_path)[1] == [min(running.clips["train"], key=lambda clip: clip.num_frames).name]


def test_bf16_trains_on_the_cpu(uninterrupted, tmp_path):
    run(tmp_path, precision="bf16", recipe=RECIPE.replace(epochs=6))
    losses = [float(row["train_loss"]) for row in read_log(tmp_path)]
    assert losses[-1] < losses[0]
    found = weights(tmp_path)
    assert all(value.dtype == weights(uninterrupted)[key].dtype for key, value in found.items())
    assert all(bool(value.isfinite().all()) for value in found.values())
    first = read_log(uninterrupted)[0]["train_loss"]
    assert f"{losses[0]:.6g}" != first
    assert losses[0] == pytest.approx(float(first), rel=0.1)


def test_the_model_keeps_the_last_epoch_and_its_device(tmp_path):
    model = small_model()
    result = run(tmp_path, model=model, device="cpu")
    assert isinstance(result, TrainingResult)
    assert result.folder == tmp_path
    last = {key: value for key, value in state(tmp_path).items() if key.startswith("model.")}
    assert identical({f"model.{key}": value for key, value in model.state_dict().items()}, last)


def test_a_model_without_parameters_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"ZeroVelocity has no parameters to train\. Evaluate it as it is"):
        run(tmp_path, model=small_model("zero-velocity"))


def test_fp16_needs_a_gpu(tmp_path):
    with pytest.raises(ConfigError, match=r"precision 'fp16' needs a GPU, but the device is cpu\. Use 'bf16'"):
        run(tmp_path, precision="fp16", device="cpu")


def test_unknown_precisions_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="precision: expected one of 'fp32', 'tf32', 'bf16', 'fp16'; got 'fp8'"):
        run(tmp_path, precision="fp8")


def test_another_skeleton_is_refused(tmp_path):
    model = registry.build("traj-gcn", skeleton="cmu", channels=8, num_blocks=1)
    with pytest.raises(
        ConfigError, match=r"skeleton: expected a model of 'arm' \(.*\) as in data set 'arms', got one of 'cmu'"
    ):
        run(tmp_path, model=model)
    assert list(tmp_path.iterdir()) == []


def test_a_single_window_is_not_enough(tmp_path):
    with pytest.raises(ConfigError, match=r"batch: expected at least two training windows a process, got 1 windows"):
        run(tmp_path, data=motion((7,)), validation=[])


def test_clips_must_hold_a_window(tmp_path):
    with pytest.raises(DataError, match="expected at least 7 frames at 25 a second for a window of 4 observed"):
        run(tmp_path, data=motion((12, 6)), validation=[])


def test_a_single_clip_needs_validation_to_be_chosen(tmp_path):
    with pytest.raises(ConfigError, match="clips: expected some of the 1 training clips to hold out"):
        run(tmp_path, data=motion((12,)))


def test_unknown_clips_cannot_be_held_out(tmp_path):
    with pytest.raises(UnknownNameError, match=r"unknown training clip 'wave_9'\. Did you mean 'wave_"):
        run(tmp_path, validation=["wave_9"])


def test_a_data_set_without_training_clips_is_refused(tmp_path):
    clip = waving_clip(12, "wave_1")
    with pytest.raises(UnknownNameError, match=r"unknown split 'train'\. Known: test"):
        run(tmp_path, data=MotionDataset("arms", ARM, {"test": [clip]}))
