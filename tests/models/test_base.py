"""What every model inherits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from posegraph import registry
from posegraph.errors import CheckpointError, ConfigError, ShapeError, UnknownNameError
from posegraph.folding.forecast import ModelForecast
from posegraph.folding.network import FoldedForecast
from posegraph.models import ForecastModel
from posegraph.skeleton import presets
from posegraph.skeleton.skeleton import Skeleton
from tests.inference.models import trained


@dataclass(frozen=True)
class Settings:
    speed: float = 1.0


class Numbering(ForecastModel):
    """Every pose holds the index of its frame."""

    default_config = Settings()

    def forward(self, observed: torch.Tensor) -> tuple[torch.Tensor, ...]:
        self.check_observed(observed)
        frames = torch.arange(self.total_frames, dtype=observed.dtype).view(1, -1, 1, 1)
        return self.coarser(frames.expand(len(observed), -1, self.num_joints, 3) * self.config.speed)


def test_a_model_is_trainable_if_a_parameter_is():
    model = Numbering()
    assert not model.is_trainable
    model.scale = torch.nn.Parameter(torch.ones(1))
    assert model.is_trainable
    model.requires_grad_(False)
    assert not model.is_trainable


def test_a_model_knows_its_task():
    model = Numbering(skeleton="cmu", observed_frames=8, future_frames=3)
    assert model.skeleton is presets.get("cmu")
    assert (model.observed_frames, model.future_frames, model.total_frames, model.num_joints) == (8, 3, 11, 25)
    assert model.config == Settings()
    assert Numbering(Settings(2.0)).config.speed == 2.0


def test_a_skeleton_of_ones_own_will_do():
    arm = Skeleton("arm", ("shoulder", "elbow", "hand"), (-1, 0, 1), constant=("shoulder",))
    assert Numbering(skeleton=arm).predict(torch.zeros(1, 10, 2, 3)).shape == (1, 25, 2, 3)


def test_predict_takes_the_future_of_the_finest_output():
    predicted = Numbering(observed_frames=4, future_frames=3).predict(torch.zeros(2, 4, 22, 3))
    assert predicted[1, :, 5, 2].tolist() == [4.0, 5.0, 6.0]


def test_coarser_poses_are_means_of_the_scale_before():
    model = Numbering()
    model.groupings = model.skeleton.scales(4)
    window = torch.randn(2, 35, 22, 3, dtype=torch.float64)
    scales, expected = model.coarser(window), window.numpy()
    assert scales[0] is window
    for poses, grouping in zip(scales[1:], model.groupings, strict=True):
        expected = np.stack([expected[:, :, list(group)].mean(2) for group in grouping.groups], axis=2)
        np.testing.assert_allclose(poses.numpy(), expected, rtol=1e-6, atol=1e-6)
        assert poses.dtype == torch.float64
    for target, poses in zip(model.targets(window), scales, strict=True):
        assert torch.equal(target, poses)


def test_the_loss_sums_the_distances_of_all_scales():
    model = Numbering(observed_frames=2, future_frames=1)
    model.groupings = model.skeleton.scales(2)
    window = torch.zeros(1, 3, 22, 3)
    # Frame i is sqrt(3) * i away from zero at both scales.
    assert model.loss(model(window[:, :2]), window).item() == pytest.approx(2 * 3**0.5 * (0 + 1 + 2) / 3)


def test_statistics_are_not_needed():
    assert Numbering().fit_statistics(iter([torch.zeros(1, 35, 22, 3)])) is None


@pytest.mark.parametrize(
    ("shape", "got"),
    [
        ((2, 10, 32, 3), r"\(2, 10, 32, 3\)"),
        ((2, 9, 22, 3), r"\(2, 9, 22, 3\)"),
        ((10, 22, 3), r"\(10, 22, 3\)"),
        ((2, 10, 22, 2), r"\(2, 10, 22, 2\)"),
    ],
)
def test_wrong_poses_are_refused(shape, got):
    expected = rf"observed poses: expected \(batch, 10 frames, 22 joints, 3\), got {got}\. .*'h36m'.*skeleton.reduce"
    with pytest.raises(ShapeError, match=expected):
        Numbering()(torch.zeros(shape))


def test_poses_of_integers_are_refused():
    with pytest.raises(
        ShapeError, match=r"observed poses: expected a floating-point tensor, got torch.int64\. Convert"
    ):
        Numbering()(torch.zeros(2, 10, 22, 3, dtype=torch.long))


@pytest.mark.parametrize("frames", [{"observed_frames": 0}, {"future_frames": -1}, {"future_frames": 2.0}])
def test_frames_are_positive(frames):
    (name,) = frames
    with pytest.raises(ConfigError, match=f"{name}: expected an integer of at least 1"):
        Numbering(**frames)


def test_unknown_skeletons_are_refused():
    with pytest.raises(UnknownNameError, match=r"unknown skeleton 'h3.6m'\. Did you mean 'h36m'"):
        Numbering(skeleton="h3.6m")


def test_forward_is_for_the_subclass():
    with pytest.raises(NotImplementedError, match=r"ForecastModel must implement forward\(observed\)"):
        ForecastModel()(torch.zeros(1, 10, 22, 3))


def test_weights_of_authors_are_for_the_subclass():
    with pytest.raises(CheckpointError, match="Numbering cannot read weights published by its authors"):
        Numbering.convert_authors_state({})


def test_a_model_knows_its_type_and_device():
    model = Numbering()
    assert (model.dtype, model.device) == (torch.float32, torch.device("cpu"))
    model.counter = torch.nn.Buffer(torch.zeros(1, dtype=torch.long))
    assert model.dtype == torch.float32, "integers say nothing about the poses"
    model.scale = torch.nn.Parameter(torch.ones(1, dtype=torch.float64, device="meta"))
    assert (model.dtype, model.device) == (torch.float64, torch.device("meta"))


@pytest.mark.parametrize(
    ("name", "settings", "scales"),
    [
        ("msrgcn", {"channels": 8, "num_blocks": 1}, 4),
        ("msrgcn-1l", {"channels": 8, "num_blocks": 1}, 1),
        ("msrgcn-released", {"channels": (8, 8, 6), "num_blocks": 1, "finest_end_blocks": 1}, 3),
        ("traj-gcn", {"channels": 8, "num_blocks": 1}, 1),
    ],
)
def test_the_finest_scale_alone_forecasts_the_same(name, settings, scales):
    model = registry.build(name, skeleton="cmu", future_frames=5, **settings).double().eval()
    model.record = {"made": "here"}
    slim, observed = model.finest_only(), 100 * torch.randn(2, 10, 25, 3, dtype=torch.float64)
    assert (len(model(observed)), len(slim(observed))) == (scales, 1)
    assert torch.equal(slim.predict(observed), model.predict(observed))
    assert (slim.registry_name, slim.record, slim.training) == (name, {"made": "here"}, False)
    counts = [sum(parameter.numel() for parameter in one.parameters()) for one in (slim, model)]
    assert counts[0] < counts[1] or scales == 1
    assert slim.finest_only().predict(observed).equal(model.predict(observed))


def test_a_class_with_a_cheaper_form_is_folded() -> None:
    model = trained("msrgcn-1l")
    assert isinstance(model.folded(), FoldedForecast)
    assert isinstance(model.fold(), FoldedForecast)


def test_a_subclass_is_not_folded_as_its_parent_unless_it_says_so() -> None:
    parent = type(trained("msrgcn-1l"))

    class Damped(parent):
        def forward(self, observed: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return tuple(0.5 * poses for poses in super().forward(observed))

    class Renamed(parent):
        fold = parent.fold

    config = trained("msrgcn-1l").config
    observed = torch.randn(2, 10, 22, 3)
    for model, folded in ((Damped(config).eval(), False), (Renamed(config).eval(), True)):
        form = model.folded()
        assert isinstance(form, FoldedForecast) is folded
        with torch.no_grad():
            torch.testing.assert_close(form.float()(observed), model.predict(observed), rtol=1e-4, atol=1e-4)


def test_other_models_are_folded_as_they_are_in_evaluation_mode() -> None:
    model = registry.build("pgbig", channels=4, num_stages=1)
    form = model.folded()
    assert isinstance(form, ModelForecast)
    assert model.training
    assert not form.network.get_submodule("model").training
    before = form(torch.ones(1, 10, 22, 3))
    with torch.no_grad():
        next(model.parameters()).add_(1)
    assert torch.equal(form(torch.ones(1, 10, 22, 3)), before), "a copy"


def test_models_without_a_cheaper_form_say_so() -> None:
    with pytest.raises(ConfigError, match=r"fold: PGBIG has no cheaper form. model.folded\(\) gives one for any model"):
        registry.build("pgbig", channels=4, num_stages=1).fold()


def test_models_with_action_labels_are_not_folded() -> None:
    model = registry.build("residual-sup", channels=8, actions=("walking",))
    with pytest.raises(ConfigError, match=r"folded: expected a model of poses alone, got ResidualSup with labels of 1"):
        model.folded()
