from __future__ import annotations

import numpy as np
import pytest
import torch

from posegraph import registry
from posegraph.errors import CheckpointError, ConfigError
from posegraph.models import MSRGCNReleased
from tests.authors import FIXTURES, fixture_input, fixture_json, fixture_state, relative_error

NODES = (75, 36, 21, 12)


def authors_model(**settings) -> MSRGCNReleased:
    model = registry.build("msrgcn-released", skeleton="cmu", **settings)
    assert isinstance(model, MSRGCNReleased)
    state = fixture_state(fixture_json("msrgcn_released_cmu")["parameters"])
    missing, unexpected = model.load_state_dict(model.convert_authors_state(state), strict=False)
    assert (sorted(missing), unexpected) == (["normalizer.maximum", "normalizer.minimum"], [])
    return model


def inputs() -> list[torch.Tensor]:
    return [fixture_input(i, (3, k, 35), 0.3) for i, k in enumerate(NODES)]


@pytest.mark.parametrize(("e3_input", "coarsest"), [("a3", "scale3"), ("d3", "scale3_d3")])
def test_evaluation_matches_the_authors(e3_input, coarsest):
    model = authors_model(e3_input=e3_input).eval()
    with torch.inference_mode():
        outputs = model.forward_coefficients(inputs())
    fixture = np.load(FIXTURES / "msrgcn_released_cmu.npz")
    for output, key in zip(outputs, ["scale0", "scale1", "scale2", coarsest], strict=True):
        assert relative_error(output, fixture[key]) < 1e-6


def test_training_matches_the_authors():
    model = authors_model(dropout=0.0).train()
    expected = fixture_json("msrgcn_released_cmu")["train"]
    model.normalizer.set_range(expected["minimum"], expected["maximum"])
    outputs = model.forward_coefficients(inputs())
    losses = []
    for i, (output, nodes) in enumerate(zip(outputs, NODES, strict=True)):
        truth = fixture_input(10 + i, (3, nodes, 35), 800).transpose(1, 2).unflatten(2, (-1, 3))
        losses.append((model.decode(output) - truth).norm(dim=-1).mean())
    total = torch.stack(losses).sum()
    assert [loss.item() for loss in losses] == pytest.approx(expected["losses"], rel=1e-5)
    assert total.item() == pytest.approx(expected["total"], rel=1e-5)

    total.backward()
    ours = {name: p.grad for name, p in model.named_parameters()}
    named = {k: torch.empty(s) for k, s in fixture_json("msrgcn_released_cmu")["parameters"]}
    rename = dict(zip(named, model.convert_authors_state(named), strict=True))
    assert set(ours) == {rename[key] for key in expected["gradient_norms"]}
    for key, norm in expected["gradient_norms"].items():
        gradient = ours[rename[key]]
        assert gradient is not None
        if is_cancelled_by_norm(rename[key], ours):  # mathematically zero, so only rounding is left to compare
            weight = ours[rename[key].removesuffix("bias") + "weight"]
            assert weight is not None
            assert max(float(gradient.norm()), norm) < 1e-4 * float(weight.norm()), key
        else:
            assert float(gradient.double().norm()) == pytest.approx(norm, rel=1e-3), key


def is_cancelled_by_norm(name: str, parameters: dict[str, object]) -> bool:
    """A bias whose layer is followed by batch norm, which removes any constant."""
    block = name.replace("operator.linear", "operator").rsplit(".", 2)[0]
    return name.endswith(("operator.bias", "linear.bias", "resample.bias")) and f"{block}.tail.0.norm.weight" in parameters


@pytest.mark.parametrize(
    ("fixture", "name", "skeleton", "published"),
    [
        ("msrgcn_released_h36m", "msrgcn-released", "h36m", 6_298_185),
        ("msrgcn_released_cmu", "msrgcn-released", "cmu", 6_367_791),
        ("msrgcn_released_short_h36m", "msrgcn-released-short", "h36m", 6_518_137),
        ("msrgcn_released_short_cmu", "msrgcn-released-short", "cmu", 6_683_359),
    ],
)
def test_published_checkpoints_fit(fixture, name, skeleton, published):
    model = registry.build(name, skeleton=skeleton)
    assert sum(p.numel() for p in model.parameters()) == published == fixture_json(fixture)["num_parameters"]
    state = model.convert_authors_state(fixture_state(fixture_json(fixture)["parameters"]))
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert (sorted(missing), unexpected) == (["normalizer.maximum", "normalizer.minimum"], [])


def test_released_settings():
    short = registry.build("msrgcn-released-short")
    assert (short.observed_frames, short.future_frames, short.config.num_coefficients) == (10, 10, 15)
    assert registry.info("msrgcn-released").recipe.learning_rate_at(10) == pytest.approx(2e-4 * 0.98**5)


def test_normalisation_covers_positions_and_coefficients():
    model = registry.build("msrgcn-released", skeleton="cmu", channels=(8, 8))
    windows = [200 * torch.randn(4, 35, 25, 3, generator=torch.Generator().manual_seed(i)) for i in range(2)]
    model.fit_statistics(windows)
    everything = []
    for window in windows:
        padded = torch.cat([window[:, :10], window[:, 9:10].expand(-1, 25, -1, -1)], 1)
        for scale in (0, 1):
            everything.append(model.coarser(window)[scale].flatten())
            frames = model.coarser(padded)[scale].transpose(1, 3)
            everything.append(torch.matmul(frames, model.dct.basis.T).flatten())
    values = torch.cat(everything)
    assert float(model.normalizer.minimum) == pytest.approx(float(values.min()), rel=1e-6)
    assert float(model.normalizer.maximum) == pytest.approx(float(values.max()), rel=1e-6)


def test_fixed_resampling_has_no_learned_step_between_scales():
    model = registry.build("msrgcn-released", skeleton="cmu", channels=(8, 8), resample="grouping")
    assert not any("resample" in name for name, _ in model.down.named_parameters())
    assert not any("resample" in name for name, _ in model.up.named_parameters())


def test_errors():
    with pytest.raises(CheckpointError, match=r"parameter 'gc1.weight': expected the authors' names"):
        MSRGCNReleased.convert_authors_state({"gc1.weight": torch.zeros(1)})
    with pytest.raises(CheckpointError, match="expected the authors' names"):
        MSRGCNReleased.convert_authors_state({"first_middle.0": torch.zeros(1)})
    with pytest.raises(ConfigError, match="channels: expected one width a scale, got none"):
        registry.build("msrgcn-released", channels=())
    with pytest.raises(ConfigError, match="e3_input: expected one of 'a3', 'd3'; got 'b3'"):
        registry.build("msrgcn-released", e3_input="b3")
