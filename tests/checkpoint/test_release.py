from __future__ import annotations

import dataclasses
import json
import shutil

import pytest
import torch

from posegraph import checkpoint, data, registry, training
from posegraph.checkpoint import release
from posegraph.data import MotionDataset
from posegraph.errors import CheckpointError, ConfigError, UnknownNameError
from posegraph.evaluation.evaluate import evaluate
from posegraph.evaluation.protocol import Protocol
from posegraph.evaluation.result import Result
from posegraph.recipe import Recipe
from tests.weights import standin
from tests.weights.standin import COMMANDS, REFERENCE


@pytest.fixture(scope="module")
def clips() -> MotionDataset:
    return data.load("cmu", "samples")


@pytest.fixture
def packed(stand_in):
    return checkpoint.read_config(stand_in / REFERENCE)["record"]["packed"]


def test_the_run_with_the_lowest_validation_error_is_kept(stand_in, stand_in_runs, packed):
    errors = {run: checkpoint.read_config(run)["record"]["validation"]["mean"]["mean_mm"] for run in stand_in_runs}
    best = min(errors, key=errors.__getitem__)
    kept = checkpoint.load(stand_in / REFERENCE)
    assert kept.record["training"] == checkpoint.load(best).record["training"]
    assert [run["kept"] for run in packed["runs"]] == [run == best for run in stand_in_runs]
    assert [run["validation"] for run in packed["runs"]] == pytest.approx([errors[run] for run in stand_in_runs])
    expected = checkpoint.rounded_state(checkpoint.load(best), "fp16")
    assert all(torch.equal(value, expected[key].float()) for key, value in kept.named_parameters())


def test_what_is_written_was_measured_with_the_rounded_weights(stand_in, clips, packed):
    model = checkpoint.load(stand_in / REFERENCE)
    (own,) = packed["evaluation"]
    assert Result.from_json(own["result"]).errors == pytest.approx(evaluate(model, clips).errors)
    still = registry.build("zero-velocity", skeleton="cmu")
    assert Result.from_json(own["zero_velocity"]).errors == pytest.approx(evaluate(still, clips).errors)
    assert packed["unseen"] == ["basketball"]
    assert packed["missing"] == list(clips.missing)
    assert packed["commands"] == COMMANDS


def test_every_seed_is_measured_on_the_actions_trained_on(stand_in_runs, clips, packed):
    for run, own in zip(stand_in_runs, packed["runs"], strict=True):
        model = checkpoint.load(run)
        model.load_state_dict(checkpoint.rounded_state(model, "fp16"))
        expected = evaluate(model, clips, Protocol("cmu", actions=("running", "walking"))).mean
        assert own["test"] == pytest.approx(expected, abs=1e-3)


def test_the_bundled_clips_tell_how_far_rounding_went(stand_in, stand_in_runs, packed):
    rounded = release.measure_bundled(checkpoint.load(stand_in / REFERENCE))
    stored = Result.from_json(packed["bundled"]["result"])
    assert stored.protocol == rounded.protocol
    assert list(stored.actions) == ["basketball", "running", "walking"]
    assert stored.errors == pytest.approx(rounded.errors)
    assert 0 < packed["bundled"]["rounding"] < 0.1


def test_options_are_followed(stand_in_runs, clips, tmp_path):
    lines: list[str] = []
    folder = release.pack(
        stand_in_runs[1:],
        clips,
        tmp_path,
        release.Release(name="other-one", commands=["a", "b"], dtype=torch.bfloat16, protocols=("8", "msrgcn")),
        device="cpu",
        report=lines.append,
    )
    assert folder == tmp_path / "traj-gcn" / "other-one"
    config = checkpoint.read_config(folder)
    own = config["record"]["packed"]
    assert config["weights"]["dtype"] == "bfloat16"
    assert (own["reference"], own["commands"]) == ("traj-gcn/other-one", ["a", "b"])
    assert [one["result"]["protocol"]["windows"] for one in own["evaluation"]] == ["8", "all"]
    assert [(run["seed"], run["kept"]) for run in own["runs"]] == [(1, True)]
    assert lines[0].startswith("cmu test, windows: 8, ")
    assert lines[1].endswith("other-one: 0.1 MB, seed 1 of 1 run(s)")


def test_what_only_training_needs_can_be_left_out(clips, tmp_path):
    settings = {"channels": 8, "num_blocks": 1, "num_scales": 2}
    training.seed_everything(0)
    model = registry.build("msrgcn", skeleton="cmu", **settings)
    recipe = Recipe.of(epochs=1, steps_per_epoch=3)
    options = training.Options(device="cpu", report=lambda line: None)
    training.train(model, clips, tmp_path / "run", recipe=recipe, options=options)
    sizes = []
    for slim in (False, True):
        folder = release.pack(
            [tmp_path / "run"],
            clips,
            tmp_path,
            release.Release(name=f"x-{slim}".lower(), commands=["a"], finest_only=slim),
            report=len,
        )
        sizes.append((folder / "model.safetensors").stat().st_size)
        packed = checkpoint.load(folder)
        assert packed.config.intermediate_supervision is not slim
        assert packed.record["packed"]["commands"] == ["a"]
    assert sizes[1] < sizes[0]


def test_a_large_file_is_reported(stand_in_runs, clips, tmp_path, monkeypatch):
    monkeypatch.setattr(release, "MAX_BYTES", 50_000)
    lines: list[str] = []
    release.pack(stand_in_runs[:1], clips, tmp_path, release.Release("x", ["a"]), report=lines.append)
    assert lines[-1] == "larger than the 0.05 MB that weights in the library may have"


def test_packed_weights_can_be_packed_again(stand_in, clips, tmp_path):
    again = release.pack(
        [stand_in / REFERENCE], clips, tmp_path, release.Release("tiny", COMMANDS), report=lambda line: None
    )
    assert (again / "model.safetensors").read_bytes() == (stand_in / REFERENCE / "model.safetensors").read_bytes()


def test_one_run_without_validation_can_be_packed(clips, tmp_path, stand_in_runs):
    run = standin.train(tmp_path / "run", 2, validation=[])
    folder = standin.pack([run], tmp_path / "out")
    assert checkpoint.read_config(folder)["record"]["packed"]["runs"][0]["validation"] is None
    assert "last epoch" in (folder / "README.md").read_text()
    other = standin.train(tmp_path / "other", 3, validation=[])
    with pytest.raises(
        ConfigError, match="runs: expected runs with validation, to choose one of them, got some without"
    ):
        standin.pack([run, other], tmp_path / "out")


def changed(run, folder, **changes):
    """A copy of a run with another record of its training."""
    shutil.copytree(run, folder)
    file = folder / "best" / "config.json"
    config = json.loads(file.read_text())
    config["record"]["training"] |= changes
    file.write_text(json.dumps(config))
    return folder


def test_runs_must_differ_by_their_seed_alone(stand_in_runs, clips, tmp_path):
    other = changed(stand_in_runs[1], tmp_path / "other", precision="bf16")
    with pytest.raises(
        ConfigError, match=r"runs that differ by their seed alone, but .* and .*other differ in precision"
    ):
        standin.pack([stand_in_runs[0], other], tmp_path / "out")
    with pytest.raises(ConfigError, match=r"runs: expected runs of different seeds, got seeds \[0, 0\]"):
        standin.pack([stand_in_runs[0], stand_in_runs[0]], tmp_path / "out")


def test_the_data_set_must_be_that_of_the_runs(stand_in_runs, clips, tmp_path):
    options = release.Release("x", ["a"])
    part = data.load("cmu", "samples", actions=["running"])
    message = (
        r"data set: expected 'cmu' with the clips that the run was trained on, got 'cmu' without 4 of them: walking_"
    )
    with pytest.raises(ConfigError, match=message):
        release.pack(stand_in_runs, part, tmp_path / "out", options)
    angles = dataclasses.replace(clips, name="mine")
    with pytest.raises(ConfigError, match=r"data set: expected 'cmu' with .*, got 'mine' without 0 of them\. Pass"):
        release.pack(stand_in_runs, angles, tmp_path / "out", options)
    unseen = dataclasses.replace(
        clips, clips={**clips.clips, "test": [clip for clip in clips.clips["test"] if clip.action == "basketball"]}
    )
    with pytest.raises(
        ConfigError, match=r"expected a test clip of an action that the run .*, got only basketball\. Com"
    ):
        release.pack(stand_in_runs, unseen, tmp_path / "out", options)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"name": "CMU"},
            ConfigError,
            r"name: expected lower-case letters, digits and hyphens, as in 'cmu', got 'CMU'",
        ),
        ({"name": "a/b"}, ConfigError, r"name: expected lower-case letters"),
        ({"commands": []}, ConfigError, r"commands: expected the commands that made the weights, got none\. The card"),
        ({"protocols": ["9"]}, UnknownNameError, "unknown protocol '9'"),
        ({"dtype": "int8"}, ConfigError, "dtype: expected one of 'fp32', 'bf16', 'fp16'; got 'int8'"),
    ],
)
def test_other_options_are_refused(stand_in_runs, clips, tmp_path, options, error, message):
    with pytest.raises(error, match=message):
        release.pack(
            stand_in_runs, clips, tmp_path / "out", release.Release(**{"name": "x", "commands": ["a"]} | options)
        )
    assert not (tmp_path / "out").exists()


def test_only_what_training_wrote_is_packed(clips, tmp_path):
    with pytest.raises(ConfigError, match="runs: expected at least one folder of a training run, got none"):
        standin.pack([], tmp_path / "out")
    folder = checkpoint.save_checkpoint(registry.build("zero-velocity", skeleton="cmu"), tmp_path / "zero")
    with pytest.raises(
        CheckpointError, match=r"zero: expected a checkpoint that training wrote, got one without a rec"
    ):
        standin.pack([folder], tmp_path / "out")


def test_bundled_clips_fit_two_skeletons():
    assert release.measure_bundled(registry.build("zero-velocity", skeleton="cmu-angles")).protocol.metric == "euler_at"
    with pytest.raises(ConfigError, match="skeleton: expected one of the bundled clips, got 'h36m'"):
        release.measure_bundled(registry.build("zero-velocity", skeleton="h36m"))
