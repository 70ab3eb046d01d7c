from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from posegraph import checkpoint, registry
from posegraph.errors import CheckpointError, ConfigError, UnknownNameError
from posegraph.models import MSRGCN, ForecastModel, MSRGCNConfig
from posegraph.recipe import Recipe
from posegraph.skeleton.skeleton import Skeleton

ROOT = Path(__file__).parents[1]
BUILT_IN = ["msrgcn", "msrgcn-1l", "msrgcn-2l", "msrgcn-3l", "msrgcn-released", "msrgcn-released-short"]
BUILT_IN += ["traj-gcn", "zero-velocity"]


@dataclass(frozen=True)
class StillConfig:
    frames_back: int = 1


@dataclass
class LooseConfig:
    frames_back: int = 1


class Still(ForecastModel):
    """Repeats an earlier pose.

    And more about it.
    """

    default_config = StillConfig()


@pytest.fixture
def still() -> Iterator[str]:
    registry.register("still")(Still)
    yield "still"
    registry.unregister("still")


# --- names and specs ------------------------------------------------------------------------------------------------


def test_names():
    assert set(BUILT_IN) <= set(registry.names())
    assert registry.names() == sorted(registry.names())
    assert registry.names("msrgcn-?l") == ["msrgcn-1l", "msrgcn-2l", "msrgcn-3l"]
    assert registry.names("nothing*") == []


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_model_is_described(name):
    spec = registry.info(name)
    assert spec.name == name
    assert issubclass(spec.cls, ForecastModel)
    assert isinstance(spec.recipe, Recipe)
    assert isinstance(spec.config, type(spec.cls.default_config))
    assert spec.summary.endswith(".")
    assert len(spec.summary) < 120


def test_a_registered_class_is_described_by_itself(still):
    spec = registry.info(still)
    assert (spec.cls, spec.config, spec.summary) == (Still, StillConfig(), "Repeats an earlier pose.")
    assert (spec.recipe, spec.observed_frames, spec.future_frames) == (Recipe(), 10, 25)
    assert still in registry.names()


def test_a_class_can_have_several_names():
    recipe = Recipe.of(epochs=3)
    try:
        assert registry.register("still-1", config=StillConfig(1), recipe=recipe, future_frames=5)(Still) is Still
        registry.register("still-2", config=StillConfig(2), summary="Twice.")(Still)
        assert [registry.config(name).frames_back for name in registry.names("still-*")] == [1, 2]
        assert registry.info("still-1").recipe is recipe
        assert registry.build("still-1").future_frames == 5
        assert registry.build("still-1", future_frames=7).future_frames == 7
        assert registry.info("still-2").summary == "Twice."
    finally:
        for name in registry.names("still-*"):
            registry.unregister(name)


def test_duplicates_are_refused(still):
    message = r"model 'still' is registered already, by .*test_registry\. Choose another name"
    with pytest.raises(ConfigError, match=message):
        registry.register(still)(Still)


@pytest.mark.parametrize("config", [LooseConfig(), StillConfig, {"frames_back": 1}])
def test_settings_must_be_frozen(config):
    message = "model 'loose': expected its settings to be an instance of a frozen dataclass, got .*Set default_config"
    with pytest.raises(ConfigError, match=message):
        registry.register("loose", config=config)(Still)
    assert "loose" not in registry.names()


def test_a_class_without_settings_is_refused():
    class Bare(ForecastModel):
        pass

    with pytest.raises(ConfigError, match=r"model 'bare': expected its settings to be .* got None"):
        registry.register("bare")(Bare)


def test_unregister(still):
    registry.unregister(still)
    with pytest.raises(UnknownNameError, match="unknown model 'still'"):
        registry.unregister(still)
    registry.register(still)(Still)


@pytest.mark.parametrize("function", [registry.info, registry.config, registry.build])
def test_unknown_models_are_refused_with_the_nearest_name(function):
    with pytest.raises(UnknownNameError, match=r"unknown model 'msr-gcn'\. Did you mean 'msrgcn'\? Known: dmgnn, "):
        function("msr-gcn")


# --- config and build -----------------------------------------------------------------------------------------------


def test_config_changes_fields():
    assert registry.config("msrgcn-2l") == MSRGCNConfig(num_scales=2)
    assert registry.config("msrgcn-2l", channels=7) == MSRGCNConfig(num_scales=2, channels=7)
    with pytest.raises(
        UnknownNameError, match=r"unknown setting of model 'msrgcn' 'chanels'\. Did you mean 'channels'"
    ):
        registry.config("msrgcn", chanels=7)
    with pytest.raises(ConfigError, match="channels: expected an integer of at least 1, got 0"):
        registry.config("msrgcn", channels=0)


def test_build_passes_everything_on():
    arm = Skeleton("arm", ("shoulder", "elbow", "hand"), (-1, 0, 1))
    model = registry.build("msrgcn-1l", skeleton=arm, observed_frames=4, future_frames=6, channels=8, num_blocks=1)
    assert isinstance(model, MSRGCN)
    assert model.config == MSRGCNConfig(num_scales=1, channels=8, num_blocks=1)
    assert (model.skeleton, model.observed_frames, model.future_frames) == (arm, 4, 6)
    assert model.registry_name == "msrgcn-1l"
    assert model.training
    assert {p.device.type for p in model.parameters()} == {"cpu"}


def test_build_refuses_unknown_skeletons_and_settings():
    with pytest.raises(UnknownNameError, match=r"unknown skeleton 'cmo'\. Did you mean 'cmu'"):
        registry.build("zero-velocity", skeleton="cmo")
    with pytest.raises(UnknownNameError, match=r"unknown setting of model 'zero-velocity' 'channels'\. Known: none"):
        registry.build("zero-velocity", channels=3)


# --- weights --------------------------------------------------------------------------------------------------------

NARROW = {"channels": 4, "num_blocks": 1}


def test_weights_come_from_a_folder_or_a_file(tmp_path):
    model = registry.build("traj-gcn", **NARROW).eval()
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    observed = torch.randn(1, 10, 22, 3)
    for weights in (tmp_path, str(tmp_path), tmp_path / "model.safetensors"):
        loaded = registry.build("traj-gcn", **NARROW, weights=weights).eval()
        torch.testing.assert_close(loaded.predict(observed), model.predict(observed))


def test_missing_weights_are_refused(tmp_path):
    message = r"expected a trained model, found a folder without config\.json and model\.safetensors"
    with pytest.raises(CheckpointError, match=message):
        registry.build("traj-gcn", **NARROW, weights=tmp_path)
    with pytest.raises(CheckpointError, match=r"nowhere: expected a trained model, found no such folder, file or"):
        registry.build("traj-gcn", **NARROW, weights=tmp_path / "nowhere")


def test_weights_of_other_settings_are_refused(tmp_path):
    save_file(registry.build("traj-gcn", **NARROW).state_dict(), tmp_path / "model.safetensors")
    message = r"weights in .* do not fit TrajGCN with these settings: [\s\S]*posegraph.checkpoint.load builds the model"
    with pytest.raises(CheckpointError, match=message):
        registry.build("traj-gcn", channels=5, num_blocks=1, weights=tmp_path)


@pytest.fixture
def run(tmp_path):
    """A checkpoint in a run's folder, of settings and skeleton that are not the defaults."""
    torch.manual_seed(0)
    model = registry.build("msrgcn-1l", skeleton="cmu", observed_frames=4, future_frames=6, channels=8, num_blocks=1)
    checkpoint.save_checkpoint(model, tmp_path / "run" / "best", record={"seed": 3})
    return tmp_path / "run"


def test_a_checkpoint_brings_its_settings(run):
    for folder in (run, str(run), run / "best"):
        model = registry.build("msrgcn-1l", weights=folder)
        assert model.config == MSRGCNConfig(num_scales=1, channels=8, num_blocks=1)
        assert (model.skeleton.name, model.observed_frames, model.future_frames) == ("cmu", 4, 6)
        assert (model.registry_name, model.record) == ("msrgcn-1l", {"seed": 3})
        assert not model.training
    agreeing = {"skeleton": "cmu", "observed_frames": 4, "future_frames": 6, "channels": 8}
    same = registry.build("msrgcn-1l", weights=run, **agreeing)
    assert all(torch.equal(a, b) for a, b in zip(same.parameters(), model.parameters(), strict=True))


def test_lists_are_the_tuples_of_a_checkpoint(tmp_path):
    settings = {"channels": (8, 6), "num_blocks": 1, "finest_end_blocks": 1}
    checkpoint.save_checkpoint(registry.build("msrgcn-released", **settings), tmp_path)
    assert registry.build("msrgcn-released", weights=tmp_path, channels=[8, 6]).config.channels == (8, 6)


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"skeleton": "h36m"}, r"skeleton: expected 'cmu' \(38 joints, 25 used\), which .* got 'h36m' \(32 joints, 22"),
        ({"observed_frames": 10}, r"observed_frames: expected 4, which the weights in .*run were trained with, got 10"),
        ({"dropout": 0.5}, r"dropout: expected 0\.\d+, which .*, got 0\.5\. Leave it out, or build without weights"),
    ],
)
def test_arguments_that_contradict_a_checkpoint_are_refused(run, wishes, message):
    with pytest.raises(ConfigError, match=message):
        registry.build("msrgcn-1l", weights=run, **wishes)


def test_unknown_settings_and_other_models_are_refused(run):
    with pytest.raises(UnknownNameError, match=r"unknown setting of model 'msrgcn-1l' 'chanels'\. Did you mean"):
        registry.build("msrgcn-1l", weights=run, chanels=8)
    message = r"weights: expected those of model 'traj-gcn', got those of 'msrgcn-1l' in .*run\. Build that model"
    with pytest.raises(CheckpointError, match=message):
        registry.build("traj-gcn", weights=run)


def test_a_bare_file_goes_into_other_settings(run):
    """For instance to train on with another dropout."""
    sizes = {"skeleton": "cmu", "observed_frames": 4, "future_frames": 6, "channels": 8, "num_blocks": 1}
    model = registry.build("msrgcn-1l", weights=run / "best" / "model.safetensors", dropout=0.5, **sizes)
    assert (model.config.dropout, model.training) == (0.5, False)


@pytest.mark.usefixtures("shipped")
def test_a_folder_is_meant_before_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert registry.build("traj-gcn", weights="tiny").config.channels == 8
    checkpoint.save_checkpoint(registry.build("traj-gcn", channels=4, num_blocks=1), "tiny")
    assert registry.build("traj-gcn", weights="tiny").config.channels == 4


@pytest.mark.usefixtures("shipped")
def test_unknown_weights_are_answered_with_the_list():
    with pytest.raises(CheckpointError, match=r"tinny: .*Did you mean 'traj-gcn/tiny'\?.*tiny of traj-gcn\)"):
        registry.build("traj-gcn", weights="tinny")
    with pytest.raises(CheckpointError, match=r"weights of the library \(none of msrgcn\)"):
        registry.build("msrgcn", weights="tiny")
    with pytest.raises(CheckpointError, match=r"expected those of model 'msrgcn', got those of 'traj-gcn' in traj-"):
        registry.build("msrgcn", weights="traj-gcn/tiny")


@pytest.mark.parametrize("wrapper", ["module.", "_orig_mod."])
def test_a_file_of_a_wrapped_model_is_read(tmp_path, wrapper):
    state = registry.build("traj-gcn", **NARROW).state_dict()
    save_file({wrapper + key: value for key, value in state.items()}, tmp_path / "wrapped.safetensors")
    loaded = registry.build("traj-gcn", **NARROW, weights=tmp_path / "wrapped.safetensors")
    assert all(torch.equal(value, state[key]) for key, value in loaded.state_dict().items())


def test_damaged_weights_are_refused(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"not safetensors")
    with pytest.raises(CheckpointError, match="do not fit TrajGCN with these settings: Error while deserializing"):
        registry.build("traj-gcn", **NARROW, weights=tmp_path)


# --- plugins --------------------------------------------------------------------------------------------------------

GOOD = """
from dataclasses import dataclass
from posegraph import registry
from posegraph.models import ForecastModel
from posegraph.layers import pad_last_pose

@dataclass(frozen=True)
class GoodConfig:
    size: int = 1

@registry.register("good", config=GoodConfig())
class Good(ForecastModel):
    '''From a plugin.'''

    def forward(self, observed):
        self.check_observed(observed)
        return (pad_last_pose(observed, self.future_frames),)
"""
TAKEN = GOOD.replace('"good"', '"msrgcn"')
BROKEN = GOOD.replace('"good"', '"half-done"') + "raise ZeroDivisionError('by nothing')\n"


def install(folder: Path, distribution: str, module: str, source: str) -> None:
    """What an installer leaves behind: a module and the distribution's metadata."""
    (folder / f"{module}.py").write_text(source)
    info = folder / f"{distribution.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[posegraph.models]\n{module} = {module}\n")


def run_python(code: str, folder: Path) -> list[str]:
    """Lines that a new interpreter prints, with the folder's distributions installed."""
    path = os.pathsep.join([str(folder), str(ROOT)])
    environment = {**os.environ, "PYTHONPATH": path}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


def test_plugins_are_listed_and_built_by_name(tmp_path):
    install(tmp_path, "good-models", "good_plugin", GOOD)
    code = (
        "import sys, torch, posegraph\n"
        "from posegraph import registry\n"
        "print('good_plugin' in sys.modules)\n"
        "print(registry.build('good', size=3).predict(torch.zeros(1, 10, 22, 3)).shape)\n"
        "print(registry.info('good').summary, 'good' in registry.names(), registry.config('good').size)\n"
        "import posegraph.testing\n"
        "posegraph.testing.check_model('good')\n"
    )
    assert run_python(code, tmp_path) == ["False", "torch.Size([1, 25, 22, 3])", "From a plugin. True 1"]


def test_a_broken_plugin_is_one_warning(tmp_path):
    install(tmp_path, "broken-models", "broken_plugin", BROKEN)
    install(tmp_path, "good-models", "good_plugin", GOOD)
    install(tmp_path, "taken-models", "taken_plugin", TAKEN)
    code = (
        "import warnings, posegraph\n"
        "from posegraph import registry\n"
        "with warnings.catch_warnings(record=True) as caught:\n"
        "    warnings.simplefilter('always')\n"
        "    names = registry.names()\n"
        "    registry.names()\n"
        "print(*names)\n"
        "for w in sorted(str(w.message) for w in caught if w.category.__name__ == 'PluginWarning'): print(w)\n"
    )
    names, broken, taken = run_python(code, tmp_path)
    assert {*BUILT_IN, "good"} <= set(names.split())
    assert "half-done" not in names
    assert broken == (
        "the model plugin 'broken_plugin' of broken-models could not be loaded and is left out: "
        "ZeroDivisionError: by nothing. Update or remove broken-models."
    )
    assert taken.startswith("the model plugin 'taken_plugin' of taken-models could not be loaded and is left out: ")
    assert "model 'msrgcn' is registered already, by posegraph.models.msrgcn." in taken
