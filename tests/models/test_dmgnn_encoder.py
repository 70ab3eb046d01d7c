from __future__ import annotations

import torch

from posegraph.models._dmgnn_config import DMGNNConfig
from posegraph.models._dmgnn_encoder import Encoder, graphs_of, parts_and_bodies
from posegraph.skeleton import presets


def test_bodies_are_of_joints_and_each_scale_has_its_graph() -> None:
    skeleton = presets.get("h36m")
    parts, bodies = parts_and_bodies(skeleton, None)
    assert parts.num_joints == bodies.num_joints == 22
    assert {joint for body in bodies.groups for joint in body} == {joint for part in parts.groups for joint in part}
    graphs = graphs_of(skeleton.reduced, (parts, bodies), {})
    assert [graph.shape[-1] for graph in graphs] == [22, parts.num_groups, bodies.num_groups]
    torch.testing.assert_close(graphs[0].sum((0, 1)), torch.ones(22))


def test_time_is_averaged() -> None:
    skeleton = presets.get("h36m")
    coarser = parts_and_bodies(skeleton, None)
    config = DMGNNConfig(channels=(4, 6), embedding_channels=8, fusion_levels=1)
    encoder = Encoder(config, coarser, graphs_of(skeleton.reduced, coarser, {}), 9).eval()
    assert encoder(torch.randn(2, 9, 22, 3)).shape == (2, 6, 22)


def test_joints_are_hung_elsewhere_in_the_finest_graph_alone() -> None:
    used = presets.get("cmu").reduced
    coarser = parts_and_bodies(presets.get("cmu"), None)
    parent, child = used.bones[-1]
    other = next(joint for joint in range(used.num_joints) if joint not in (parent, child))
    rehung = {used.joint_names[child]: (used.joint_names[parent], used.joint_names[other])}
    own, hung = graphs_of(used, coarser, {}), graphs_of(used, coarser, rehung)
    assert own[0][..., parent, child].any()
    assert not torch.equal(own[0], hung[0])
    assert hung[0][0][[other, child]][:, [other, child]].any()
    for one, same in zip(own[1:], hung[1:], strict=True):
        torch.testing.assert_close(one, same)
