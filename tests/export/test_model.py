from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from typing import Any

import numpy as np
import pytest
import torch

from posegraph import registry
from posegraph.errors import ConfigError, UnknownNameError
from posegraph.export import TARGETS, export, model, targets
from tests.forecast.toys import BODY, Drift, Labelled
from tests.inference.models import NARROW, relative_error, trained

SMALL: dict[str, dict[str, Any]] = {
    **NARROW,
    "graph-mixer": {"channels": 12, "num_blocks": 1},
    "pgbig": {"num_stages": 2, "channels": 4},
    "simlpe": {"num_blocks": 2},
    "residual-sup": {"hidden_size": 16},
    "residual-sup-untied": {"hidden_size": 16},
}
BATCHES = (1, 2, 7, 128)
CLASSES = {registry.info(name).cls: name for name in reversed(registry.names())}
del CLASSES[registry.info("dmgnn").cls]  # takes a minute to export


def small(name: str):
    if name in NARROW:
        return trained(name)
    settings = {key: value for key, value in SMALL.get(name, {}).items() if hasattr(registry.info(name).config, key)}
    torch.manual_seed(0)
    return registry.build(name, **settings).eval()


def windows(own, batch: int) -> torch.Tensor:
    rest, swing = 300 * torch.randn(2, batch, 1, own.num_joints, 3, generator=torch.Generator().manual_seed(batch))
    return rest + swing * torch.sin(torch.arange(own.observed_frames) / 9).view(1, -1, 1, 1)


def described(path) -> dict[str, Any]:
    return json.loads(path.with_name(f"{path.name}.json").read_text())


@pytest.mark.parametrize("name", sorted(CLASSES.values()))
def test_onnx_runtime_forecasts_the_same_for_every_batch(name, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime", reason="runs the files")
    own = small(name)
    path = export(own, tmp_path / "new" / "model.onnx")
    facts = described(path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for batch in BATCHES:
        observed = windows(own, batch)
        with torch.inference_mode():
            expected = own.predict(observed)
        (got,) = session.run([facts["output"]["name"]], {facts["input"]["name"]: observed.numpy()})
        assert relative_error(torch.from_numpy(got), expected) < 1e-5
    assert (facts["opset"], facts["input"]["name"], facts["output"]["name"]) == (20, "poses", "future")


@pytest.mark.parametrize("name", ["graph-mixer", "traj-gcn", "zero-velocity"])
def test_programs_forecast_the_same_for_every_batch(name, tmp_path):
    own = small(name)
    path = export(own, tmp_path / "model.pt2", to="pt2")
    run = torch.export.load(path).module()
    for batch in BATCHES:
        observed = windows(own, batch)
        with torch.inference_mode():
            assert relative_error(run(observed), own.predict(observed)) < 1e-5
    assert described(path)["opset"] is None


@pytest.mark.skipif(shutil.which("g++") is None, reason="compiles")
@pytest.mark.filterwarnings("ignore:.*is deprecated:DeprecationWarning", "ignore:.*is deprecated:FutureWarning")
def test_compiled_libraries_forecast_the_same_for_every_batch(tmp_path):
    own = Drift().eval()
    path = export(own, tmp_path / "model.pt2", to="aot")
    run = targets.find("aot").open(path).run
    for batch in BATCHES:
        observed = windows(own, batch)
        with torch.inference_mode():
            assert relative_error(run(observed), own.predict(observed)) < 1e-5
    assert described(path)["target"] == "aot"


def test_the_description_says_what_a_program_needs(tmp_path):
    own = Drift().eval()
    facts = described(export(own, tmp_path / "drift.pt2", to="pt2"))
    digest = hashlib.sha256(b"step torch.float32 (3,)" + own.step.detach().numpy().tobytes()).hexdigest()
    assert facts.pop("versions").keys() == {"posegraph", "torch"}
    parity = facts.pop("parity")
    assert parity["tolerance"] == 1e-5
    assert parity["errors"].keys() == {"1", "7"}
    assert facts == {
        "format": "posegraph-export",
        "format_version": 1,
        "file": "drift.pt2",
        "target": "pt2",
        "model": "Drift",
        "weights_sha256": digest,
        "input": {"name": "poses", "type": "float32", "shape": ["batch", 3, 2, 3]},
        "output": {"name": "future", "type": "float32", "shape": ["batch", 2, 2, 3]},
        "largest_batch": 4096,
        "observed_frames": 3,
        "future_frames": 2,
        "fps": None,
        "holds": "positions",
        "unit": "mm",
        "up": "y",
        "skeleton": "body",
        "joints": {
            "names": ["root", "a", "b", "copy"],
            "parents": [-1, 0, 1, 2],
            "used": [1, 2],
            "copies": {"copy": "b"},
        },
        "opset": None,
    }


def test_other_weights_have_another_digest(tmp_path):
    first, second = Drift().eval(), Drift().eval()
    with torch.no_grad():
        second.step.add_(1e-3)
    digests = {described(export(own, tmp_path / "m.pt2", to="pt2"))["weights_sha256"] for own in (first, second)}
    assert len(digests) == 2


def test_the_model_is_left_as_it_is(tmp_path):
    own = Drift().double().train()
    export(own, tmp_path / "drift.pt2", to="pt2")
    assert own.training
    assert own.step.dtype == torch.float64


def test_a_file_that_forecasts_something_else_is_refused(tmp_path, monkeypatch):
    found = TARGETS["pt2"]

    def wrong(path):
        opened = found.open(path)
        return dataclasses.replace(opened, run=lambda poses: opened.run(poses) * (1 + 1e-4))

    monkeypatch.setitem(TARGETS, "pt2", dataclasses.replace(found, open=wrong))
    with pytest.raises(ConfigError, match=r"'pt2' to differ from those of Drift by at most 1e-05 .*got 0\.0001 with 1"):
        export(Drift().eval(), tmp_path / "new" / "drift.pt2", to="pt2")
    assert list(tmp_path.iterdir()) == []


def test_a_forecast_that_is_no_number_is_refused(tmp_path, monkeypatch):
    found = TARGETS["pt2"]
    opened = targets.Opened(lambda poses: torch.full((len(poses), 2, 2, 3), torch.nan), "poses", "future")
    monkeypatch.setitem(TARGETS, "pt2", dataclasses.replace(found, open=lambda path: opened))
    with pytest.raises(ConfigError, match="got nan with 1 windows"):
        export(Drift().eval(), tmp_path / "drift.pt2", to="pt2")
    monkeypatch.setitem(
        TARGETS, "pt2", dataclasses.replace(found, open=lambda path: dataclasses.replace(opened, run=lambda x: x))
    )
    with pytest.raises(ConfigError, match=r"expected forecasts \(1, 2, 2, 3\) of target 'pt2', got \(1, 3, 2, 3\)"):
        export(Drift().eval(), tmp_path / "drift.pt2", to="pt2")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_exported_says_why(tmp_path):
    class ByValue(Drift):
        def predict(self, observed):
            future = super().predict(observed)
            return future if observed.sum() > 0 else -future

    with pytest.raises(ConfigError, match=r"ByValue cannot be written for target 'pt2': \w+: .*data-dependent"):
        export(ByValue(), tmp_path / "model.pt2", to="pt2")
    with pytest.raises(ConfigError, match=r"expected a model of poses alone, got Labelled with labels of 2 actions"):
        export(Labelled(), tmp_path / "model.pt2", to="pt2")
    assert list(tmp_path.iterdir()) == []


def test_bad_arguments_are_refused(tmp_path):
    with pytest.raises(UnknownNameError, match=r"unknown export target 'onx'\. Did you mean 'onnx'"):
        export(Drift(), tmp_path / "model.onnx", to="onx")
    with pytest.raises(ConfigError, match=r"ends in \.onnx for target 'onnx', got 'model\.pt2'"):
        export(Drift(), tmp_path / "model.pt2")
    with pytest.raises(ConfigError, match="expected a ForecastModel or a reference to a trained one, got Linear"):
        export(torch.nn.Linear(2, 2), tmp_path / "model.onnx")  # type: ignore[arg-type]


def test_references_are_opened(tmp_path):
    path = export("graph-mixer/cmu", tmp_path / "model.pt2", to="pt2")
    facts = described(path)
    assert (facts["model"], facts["skeleton"], facts["fps"]) == ("graph-mixer", "cmu", 60.0)
    assert np.array(facts["joints"]["names"])[facts["joints"]["used"]].tolist()[0] == "LeftLeg"
    assert facts["joints"]["copies"].keys() <= set(facts["joints"]["names"])


def test_an_older_file_is_replaced_as_a_whole(tmp_path):
    (tmp_path / "model.pt2").write_text("old")
    (tmp_path / "model.pt2.json").write_text("old")
    export(Drift(), tmp_path / "model.pt2", to="pt2")
    assert described(tmp_path / "model.pt2")["skeleton"] == BODY.name
    assert sorted(file.name for file in tmp_path.iterdir()) == ["model.pt2", "model.pt2.json"]
    assert model.TOLERANCE == 1e-5
