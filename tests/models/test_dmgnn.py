"""DMGNN: the authors' outputs, and what each setting changes."""

from __future__ import annotations

import dataclasses
import json
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from posegraph import registry
from posegraph.errors import CheckpointError, ConfigError
from posegraph.models import DMGNN, DMGNNConfig
from posegraph.skeleton import presets
from posegraph.skeleton.grouping import JointGrouping
from posegraph.skeleton.skeleton import Skeleton
from tests.authors import FIXTURES, fixture_input, fixture_json, fixture_state, relative_error

NARROW: dict[str, Any] = {"channels": (4, 6), "embedding_channels": 8, "decoder_channels": 10, "fusion_levels": 1}
PAPER_EDGES = {
    10: {(0, 1), (2, 3), (0, 4), (2, 4), (4, 5), (4, 6), (6, 7), (4, 8), (8, 9)},
    5: {(0, 2), (1, 2), (2, 3), (2, 4)},
}


def build(name: str = "dmgnn", **settings: Any) -> DMGNN:
    """A narrow model whose parameters the seed fixes, in evaluation mode."""
    torch.manual_seed(0)
    model = registry.build(name, **{"future_frames": 4, **NARROW, **settings})
    assert isinstance(model, DMGNN)
    return model.eval()


def windows(model: DMGNN, batch: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch, model.total_frames, model.num_joints, 3, generator=generator)


def observe(model: DMGNN, batch: int = 3) -> torch.Tensor:
    return windows(model, batch)[:, : model.observed_frames]


def authors_parameters(setting: str) -> list[tuple[str, list[int]]]:
    """Names and shapes in the authors' order; their three encoders have the same ones."""
    fixture = fixture_json("dmgnn_released")
    changed = fixture["settings"][setting]
    own = [(key, changed["encoder"].get(key, shape)) for key, shape in fixture["encoder"]]
    others = [(key, changed["other"].get(key, shape)) for key, shape in fixture["other"]]
    return [(f"{encoder}.{key}", shape) for encoder in fixture["encoders"] for key, shape in own] + others


def is_graph(name: str) -> bool:
    return name.rsplit(".", 1)[-1] in ("A_j", "A_p", "A_b", "fixed")


@pytest.mark.parametrize(("setting", "observed", "future"), [("h36m_50", 50, 10), ("h36m_10", 10, 25)])
def test_evaluation_matches_the_authors(setting, observed, future):
    model = registry.build(
        "dmgnn-released", skeleton="h36m-angles", observed_frames=observed, future_frames=future, noise=0.0
    ).eval()
    assert isinstance(model, DMGNN)
    # the authors' graphs keep what they are built with, and so do ours
    state = {k: v for k, v in fixture_state(authors_parameters(setting)).items() if not is_graph(k)}
    missing, unexpected = model.load_state_dict(model.convert_authors_state(state), strict=False)
    assert {name for name in missing if not is_graph(name)} == {"normalizer.mean", "normalizer.std"}
    assert not unexpected

    poses, last = fixture_input(0, (2, observed - 1, 60), 1), fixture_input(1, (2, 1, 60), 1)
    window = torch.cat([poses, last], dim=1).unflatten(2, (20, 3))
    with torch.inference_mode():
        encoded, output = model.encoders[0](window[:, :-1]), model(window)[0]
    fixture = np.load(FIXTURES / f"dmgnn_released_{setting}.npz")
    assert relative_error(encoded, fixture["encoder"]) < 1e-6
    assert relative_error(output[:, observed:].transpose(1, 2), fixture["output"]) < 1e-6
    assert torch.equal(output[:, :observed], window)


@pytest.mark.parametrize(
    ("setting", "skeleton", "observed"),
    [("h36m_50", "h36m-angles", 50), ("cmu_50", "cmu-angles", 50), ("h36m_10", "h36m-angles", 10)],
)
def test_published_parameters_fit(setting, skeleton, observed):
    parameters = authors_parameters(setting)
    with torch.device("meta"):
        state = {key: torch.empty(shape) for key, shape in parameters}
        model = registry.build("dmgnn-released", skeleton=skeleton, observed_frames=observed)
    expected = {k: v.shape for k, v in model.state_dict().items() if not k.startswith("normalizer.")}
    assert {k: v.shape for k, v in model.convert_authors_state(state).items()} == expected
    published = fixture_json("dmgnn_released")["settings"][setting]["num_parameters"]
    assert sum(p.numel() for p in model.parameters()) == published
    buffered = sum(np.prod(s, dtype=int) for k, s in parameters if is_graph(k) or "running_" in k)
    assert sum(np.prod(s, dtype=int) for k, s in parameters if not k.endswith("_tracked")) == published + buffered


def test_parameters_for_positions():
    """The size that PGBIG (Ma et al., CVPR 2022) reports for DMGNN, 46.90 million."""
    for name in ("dmgnn", "dmgnn-released"):
        with torch.device("meta"):
            model = registry.build(name, skeleton="h36m")
        assert sum(p.numel() for p in model.parameters()) == 46_902_931


def test_graphs_of_the_authors_reach_every_layer():
    model = registry.build("dmgnn-released", skeleton="h36m-angles", observed_frames=3, future_frames=1)
    shapes = dict(authors_parameters("h36m_10"))
    graphs = {key: torch.full(shape, float(i)) for i, (key, shape) in enumerate(shapes.items()) if is_graph(key)}
    model.load_state_dict(DMGNN.convert_authors_state(graphs), strict=False)
    for encoder, name in zip(model.encoders, ("encoder_pos", "encoder_vel", "encoder_acl"), strict=True):
        for scale, letter in enumerate("jpb"):
            layers = [level.layers[scale] for level in encoder.levels] + [encoder.last] * (scale == 0)
            for layer in layers:
                assert torch.equal(layer.graph.fixed, graphs[f"{name}.A_{letter}"])
    assert torch.equal(model.cell.graph.fixed, graphs["decoder.A_j"])


@pytest.mark.parametrize("skeleton", ["h36m", "h36m-angles", "cmu", "cmu-angles"])
def test_scales_are_the_papers(skeleton):
    model = build(skeleton=skeleton)
    for layer in model.encoders[0].levels[0].layers[1:]:
        edges = layer.graph.fixed[1].nonzero().tolist()
        assert {(i, j) for i, j in edges if i < j} == PAPER_EDGES[layer.graph.num_nodes]


def test_bodies_are_means_of_joints():
    """Not of parts, which may have different sizes."""
    model = build(skeleton="cmu-angles")
    poses = observe(model)
    parts, bodies = (pool(poses) for pool in model.encoders[0].pools)
    torch.testing.assert_close(parts[:, :, 4], poses[:, :, 8:11].mean(2))
    torch.testing.assert_close(bodies[:, :, 3], poses[:, :, 14:20].mean(2))


def test_the_first_perceptron_grows_with_the_frames():
    for observed, frames in ((10, (5, 3)), (50, (25, 13)), (3, (1, 1))):
        levels = build(observed_frames=observed, fusion_levels=2).encoders[0].levels
        sizes = [level.fusion.to_finer[0].source.node.in_channels for level in levels[:2]]
        assert sizes == [frames[0] * 4, frames[1] * 6]


def naive_forecast(model: DMGNN, observed: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """The whole forward pass for a normaliser that changes nothing, one frame after the other."""
    config = model.config
    frames = list(observed[:, :-1].unbind(1))
    zero = torch.zeros_like(frames[0])
    velocity = [zero] + [b - a for a, b in pairwise(frames)]
    acceleration = [zero] + [b - a for a, b in pairwise(velocity)]
    if model.training and config.early_training_acceleration:
        acceleration = [*acceleration[1:], zero]
    motion = (torch.stack(x, 1) for x in (frames, velocity, acceleration))
    encoded = torch.cat([encoder(x) for encoder, x in zip(model.encoders, motion, strict=True)], 1)
    state = torch.relu(model.join(encoded.transpose(1, 2)))
    history = list(observed.unbind(1))
    for step in range(model.future_frames):
        p, q, r = history[-1], history[-2], history[-3]
        v = q - r if config.lagged_velocity else p - q
        read = p + noise[:, step]
        messages = config.message_steps is None or step < config.message_steps
        state = model.cell(torch.cat([read, v, p - 2 * q + r], -1), state, pass_messages=messages)
        history.append(read + model.head(state))
    return torch.stack(history[model.observed_frames :], 1)


@pytest.mark.parametrize("name", ["dmgnn", "dmgnn-released"])
def test_forecast_matches_a_loop(name):
    model = build(name, future_frames=6, message_steps=3 if name == "dmgnn-released" else None).double()
    observed = observe(model).double()
    generator = torch.Generator().manual_seed(0)
    noise = torch.zeros(1, 6, 22, 3).double()
    if name == "dmgnn-released":
        noise = 0.001 * torch.randn(1, 6, 22, 3, generator=generator).double()
    torch.testing.assert_close(model.predict(observed), naive_forecast(model, observed, noise))


@pytest.mark.parametrize("early", [False, True])
def test_training_accelerations_may_be_early(early):
    """In training only."""
    model = build(
        early_training_acceleration=early, dropout=0.0, embedding_dropout=0.0, output_dropout=0.0, noise=0.0
    ).double()
    observed = observe(model).double()
    noise = torch.zeros(1, 4, 22, 3).double()
    torch.testing.assert_close(model.predict(observed), naive_forecast(model, observed, noise))
    model.train()
    torch.testing.assert_close(model.predict(observed), naive_forecast(model, observed, noise))


def changed_frames(**settings: Any) -> list[bool]:
    """Which future frames a setting changes, with the same parameters."""
    plain, other = build(future_frames=6), build(future_frames=6, **settings)
    generator = torch.Generator().manual_seed(0)
    for parameter in plain.parameters():  # the initial ones are too small to show anything
        parameter.data += 0.2 * torch.randn(parameter.shape, generator=generator)
    other.load_state_dict(plain.state_dict())
    with torch.inference_mode():
        difference = plain.predict(observe(plain)) - other.predict(observe(plain))
    return [bool(frame.any()) for frame in difference.unbind(1)]


@pytest.mark.parametrize(
    ("settings", "first"),
    [
        ({"aggregation": "released"}, 0),
        ({"aggregation": "sum"}, 0),
        ({"scrambled_embedding": True}, 0),
        ({"body_copy_slip": True}, 0),
        ({"lagged_velocity": True}, 0),
        ({"noise_in_evaluation": True}, 0),
        ({"fusion_weight": 0.2}, 0),
        ({"coarse_weight": 0.5}, 0),
        ({"message_steps": 0}, 0),
        ({"message_steps": 2}, 2),
        ({"message_steps": 6}, 6),
        ({"early_training_acceleration": True}, 6),
        ({"noise": 0.5}, 6),
        ({"late_weight": 2.0}, 6),
        ({"decoder_graph_offset": 1.0}, 6),  # only where training starts
        ({"unlocked": {"RightLeg": "yz"}}, 6),  # positions all move
        ({"rehung": {"RightArm": ("Spine1", "Neck")}}, 6),  # the arm of this body hangs on its neck already
    ],
)
def test_settings_change_what_they_say(settings, first):
    assert changed_frames(**settings) == [frame >= first for frame in range(6)]


def test_the_decoder_graph_starts_as_the_skeleton():
    graph = build().cell.graph
    torch.testing.assert_close(graph(), graph.fixed)
    graph = build("dmgnn-released").cell.graph
    torch.testing.assert_close(graph(), graph.fixed + 1)


def edges(graph: torch.Tensor) -> set[tuple[int, int]]:
    """Pairs of connected nodes of the matrices that `hop_graphs` makes, the smaller first."""
    connected = graph[1].nonzero().tolist()
    assert all([j, i] in connected for i, j in connected)
    return {(i, j) for i, j in connected if i < j}


# The joint graphs of the released code for the rotations of both data sets.
# fmt: off
RELEASED_EDGES = {
    "h36m-angles": {(0, 1), (1, 2), (2, 3), (4, 5), (5, 6), (6, 7), (0, 8), (4, 8), (8, 9), (9, 10), (10, 11), (9, 12),
                    (12, 13), (13, 14), (14, 15), (9, 16), (16, 17), (17, 18), (18, 19)},
    "cmu-angles": {(0, 1), (1, 2), (2, 3), (4, 5), (5, 6), (6, 7), (0, 8), (4, 8), (8, 9), (9, 10), (10, 11), (11, 12),
                   (12, 13), (10, 14), (14, 15), (15, 16), (16, 17), (17, 18), (16, 19), (11, 20), (20, 21), (21, 22),
                   (22, 23), (23, 24), (22, 25)},
}
# fmt: on


@pytest.mark.parametrize("skeleton", RELEASED_EDGES)
def test_released_graphs_are_the_authors(skeleton):
    model = build("dmgnn-released", skeleton=skeleton)
    layers = model.encoders[0].levels[0].layers
    assert edges(layers[0].graph.fixed) == edges(model.encoders[2].last.graph.fixed) == RELEASED_EDGES[skeleton]
    assert edges(model.cell.graph.fixed) == RELEASED_EDGES[skeleton]
    assert [edges(layer.graph.fixed) for layer in layers[1:]] == [PAPER_EDGES[10], PAPER_EDGES[5]]


def test_the_papers_graph_is_the_skeleton():
    """The arms hang on the spine alike; only rotations of CMU Mocap tell the two apart."""
    graph = build(skeleton="cmu-angles").cell.graph.fixed
    assert edges(graph) == RELEASED_EDGES["cmu-angles"] - {(11, 20)} | {(10, 20)}
    for skeleton in ("h36m", "h36m-angles", "cmu"):
        one, other = (build(name, skeleton=skeleton).cell.graph.fixed for name in ("dmgnn", "dmgnn-released"))
        assert torch.equal(one, other)


@pytest.mark.parametrize("slip", [False, True])
@pytest.mark.parametrize("skeleton", ["h36m", "h36m-angles", "cmu", "cmu-angles"])
def test_bodies_return_to_their_joints(skeleton, slip):
    """With the slip, the last joint of the second leg takes the torso."""
    model = build(skeleton=skeleton, body_copy_slip=slip)
    bodies = model.encoders[0].returns[1].matrix.argmax(1).tolist()
    expected = model.encoders[0].pools[1].matrix.argmax(0).tolist()
    assert expected[:12] == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]
    expected[7] = 2 if slip else 1
    assert bodies == expected
    assert model.encoders[0].returns[1].matrix.sum(1).tolist() == [1.0] * model.num_joints


@pytest.mark.parametrize(("name", "free"), [("dmgnn", ()), ("dmgnn-released", (4, 5))])
def test_locked_coordinates_stay_at_their_mean(name, free):
    """The authors' list for Human3.6M leaves the right knee free."""
    model = build(name, skeleton="h36m-angles")
    model.fit_statistics([windows(model) + 5])
    predicted = model.predict(observe(model)).flatten(2)
    held = [i for i in range(60) if (predicted[..., i] == model.normalizer.mean.flatten()[i]).all()]
    assert held == sorted({*range(60)} - {*presets.get("h36m-angles").moving} - {*free})


def test_files_of_version_0_1_say_it_otherwise():
    released = registry.config("dmgnn-released")
    assert DMGNNConfig(output_mask="released").unlocked == released.unlocked == {"RightLeg": "yz"}
    stored = json.loads(json.dumps(dataclasses.asdict(released)))
    assert DMGNNConfig(**stored) == released
    del stored["unlocked"]
    assert DMGNNConfig(**{**stored, "output_mask": "released"}) == released


def test_the_released_list_for_cmu_is_the_skeletons():
    for name in ("dmgnn", "dmgnn-released"):
        moves = build(name, skeleton="cmu-angles").moves.flatten()
        assert (moves == 0).nonzero().flatten().tolist() == [5, 11, 17, 23, 45, 49, 50, 54, 55, 63, 67, 68, 72, 73]


def test_noise_is_drawn_in_training():
    model = build(dropout=0.0, embedding_dropout=0.0, output_dropout=0.0, noise=0.5, skeleton="h36m-angles")
    with torch.no_grad():
        for parameter in model.head.parameters():
            parameter.zero_()  # each pose is the one before, and noise
    model.moves.fill_(1.0)
    observed = torch.zeros(64, 10, 20, 3)
    assert not model.predict(observed).any()
    model.train()
    torch.manual_seed(0)
    first, second = (model.predict(observed).detach() for _ in range(2))
    assert not torch.equal(first, second)
    steps = torch.cat([first[:, :1], first.diff(dim=1)], dim=1)
    assert float(steps.std()) == pytest.approx(0.5, rel=0.02)


def test_noise_in_evaluation_is_the_same_for_every_sample_and_call():
    model = build("dmgnn-released", noise=0.5)
    observed = observe(model, batch=1).expand(3, -1, -1, -1)
    together, alone = model.predict(observed), model.predict(observed[:1])
    assert torch.equal(together, model.predict(observed))
    torch.testing.assert_close(together, alone.expand(3, -1, -1, -1))


def test_loss_is_the_absolute_error_of_normalised_future_poses():
    model = build(future_frames=12, late_weight=2.0)
    window = windows(model)
    model.normalizer.set_values(torch.randn(22, 3), torch.rand(22, 3) + 0.5)
    output = windows(model, batch=3) * 3
    total = 0.0
    for frame in range(12):
        error = (output - window)[:, 10 + frame].abs() / model.normalizer.std
        total += float(error.mean()) * (2.0 if frame >= 10 else 1.0)
    assert float(model.loss((output,), window)) == pytest.approx(total / 12, rel=1e-5)
    assert float(model.loss((window,), window)) == 0.0


def test_poses_are_normalised_by_coordinate():
    """Another origin and unit for each coordinate change nothing."""
    model = build()
    data = windows(model)
    scale, shift = torch.rand(22, 3) * 100 + 1, torch.randn(22, 3) * 1000
    model.fit_statistics([data])
    expected = model.predict(data[:, :10])
    model.fit_statistics(iter([data[:1] * scale + shift, data[1:] * scale + shift]))
    torch.testing.assert_close(
        model.predict(data[:, :10] * scale + shift), expected * scale + shift, rtol=1e-4, atol=1e-2
    )


def test_layers_start_as_the_authors():
    torch.manual_seed(0)
    model = registry.build("dmgnn", channels=(64, 128), embedding_channels=8, decoder_channels=64)
    convolutions = [m for m in model.modules() if isinstance(m, torch.nn.Conv2d)]
    for layer in (*convolutions, model.cell.send):
        assert not layer.bias.any()
    kernels = torch.cat([layer.weight.detach().flatten() for layer in (*convolutions, model.cell.send)])
    assert float(kernels.std()) == pytest.approx(0.02, rel=0.02)
    norms = [m for m in model.modules() if isinstance(m, (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d))]
    gains = torch.cat([norm.weight.detach() for norm in norms])
    assert float(gains.mean()) == pytest.approx(1, abs=0.003)
    assert float(gains.std()) == pytest.approx(0.02, rel=0.1)
    perceptron = model.encoders[0].levels[0].fusion.to_finer[0].source.node
    assert torch.equal(perceptron.hidden.bias, torch.full((8,), 0.1))


@pytest.mark.parametrize("name", ["dmgnn", "dmgnn-released"])
@pytest.mark.parametrize("groups", ["none", "overlapping", "partial", "single"])
def test_any_skeleton_and_grouping(name, groups):
    """Joints in several groups, in none, or all in one."""
    levels = {
        "overlapping": [JointGrouping(((0, 1), (1, 2), (2, 3)), 4), JointGrouping(((0, 1), (1,), (1, 2)), 3)],
        "partial": [JointGrouping(((0,), (2, 3)), 4, allow_unused=True), JointGrouping(((1,),), 2, allow_unused=True)],
        "single": [JointGrouping(((0, 1, 2, 3),), 4), JointGrouping(((0,),), 1)],
    }
    chain = Skeleton("chain", ("a", "b", "c", "d"), (-1, 0, 1, 2))
    if groups != "none":
        chain = chain.with_groupings("own", levels[groups])
    model = build(name, skeleton=chain, grouping=None if groups == "none" else "own", observed_frames=3).train()
    window = windows(model)
    model.loss(model(window[:, :3]), window).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    _, bodies = model.encoders[0].returns
    if groups == "overlapping":  # joint 1 is in the first two parts, so in all three bodies
        torch.testing.assert_close(bodies.matrix[1], torch.tensor([1.0, 1.0, 1.0]) / 3)
    if groups == "partial":
        assert bodies.matrix.flatten().tolist() == [0.0, 0.0, 1.0, 1.0]


def test_groupings():
    assert build().encoders[0].pools[0].grouping.num_groups == 10
    for grouping in ("22-12-7-4", "automatic", "random-0"):
        groupings = presets.get("h36m").scales(3, grouping)
        sizes = [pool.grouping.num_groups for pool in build(grouping=grouping).encoders[0].pools]
        assert sizes == [level.num_groups for level in groupings]


@pytest.mark.parametrize(("levels", "fused"), [(0, []), (1, [0]), (2, [0, 1])])
def test_fusion_levels(levels, fused):
    encoder = build(fusion_levels=levels).encoders[0]
    assert [i for i, level in enumerate(encoder.levels) if level.fusion is not None] == fused


def test_recipe():
    recipe = registry.info("dmgnn").recipe
    assert recipe == registry.info("dmgnn-released").recipe
    assert [recipe.learning_rate_at(epoch) for epoch in (1, 2, 40)] == pytest.approx([1e-4, 0.98e-4, 0.98**39 * 1e-4])
    assert recipe.schedule.epochs * recipe.sampling.steps_per_epoch == 40_000


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"channels": ()}, "channels: expected one width a layer, got none"),
        ({"channels": 64}, r"channels: expected one width a layer, as in \(32, 64\), got 64"),
        ({"channels": (8, 0)}, "channels: expected an integer of at least 1, got 0"),
        ({"decoder_channels": 0}, "decoder_channels: expected an integer of at least 1"),
        ({"fusion_levels": 5}, "fusion_levels: expected 0 to 4, the number of layers, got 5"),
        ({"message_steps": -1}, "message_steps: expected an integer of at least 1, got -1"),
        ({"output_dropout": 1.0}, r"output_dropout: expected a number in \[0, 1\)"),
        ({"noise": -0.1}, "noise: expected a number of at least 0, got -0.1"),
        ({"late_weight": float("nan")}, "late_weight: expected a number of at least 0, got nan"),
        ({"aggregation": "max"}, "aggregation: expected one of 'mean', 'sum', 'released'; got 'max'"),
        ({"output_mask": "none"}, "output_mask: expected one of 'skeleton', 'released'; got 'none'"),
        ({"unlocked": {"knee": "w"}}, "unlocked: expected axes among 'xyz' for each joint, got 'knee': 'w'"),
        (
            {"rehung": {"arm": "neck"}},
            r"rehung: expected \(its parent, another one\) for each joint, got 'arm': 'neck'",
        ),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        DMGNNConfig(**settings)


def test_too_few_observed_frames_are_refused():
    with pytest.raises(ConfigError, match=r"observed_frames: expected at least 3, since .* got 2"):
        build(observed_frames=2)


@pytest.mark.parametrize(
    "key",
    [
        "gc1.weight",
        "linear",
        "linear.bn.weight",
        "decoder.hidden_n",
        "decoder.msg_in.conv",
        "decoder.out_fc4.weight",
        "encoder_pos.A_x",
        "encoder_pos.emul_s4.0",
        "encoder_pos.s1_l1.att",
        "encoder_pos.j2b_1.embed_s1.mlp1.fc1.weight",
        "encoder_all.A_j",
    ],
)
def test_foreign_keys_are_refused(key):
    with pytest.raises(
        CheckpointError, match=f"parameter '{key}': expected the authors' names, such as encoder_pos.s1"
    ):
        DMGNN.convert_authors_state({key: torch.zeros(1)})


@pytest.mark.parametrize(
    ("present", "missing"),
    [("decoder.input_i.bias", "decoder.input_r.bias"), ("decoder.hidden_r.weight", "decoder.hidden_i.weight")],
)
def test_an_incomplete_checkpoint_is_refused(present, missing):
    with pytest.raises(CheckpointError, match=f"parameter '{missing}' is missing beside those of the other gates"):
        DMGNN.convert_authors_state({present: torch.zeros(1)})
