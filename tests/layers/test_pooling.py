from __future__ import annotations

import pytest
import torch
from torch_geometric.utils import scatter

from posegraph.errors import ShapeError
from posegraph.layers import JointPool, JointUnpool
from posegraph.skeleton import presets
from posegraph.skeleton.grouping import JointGrouping
from posegraph.skeleton.pyg import grouping_to_select

GROUPINGS = [level for name in ("h36m", "cmu") for levels in presets.get(name).groupings.values() for level in levels]
OVERLAPPING = JointGrouping(((0, 1), (1, 2), (2,)), num_joints=4, allow_unused=True)


@pytest.mark.parametrize("grouping", [*GROUPINGS, OVERLAPPING])
def test_pooling_matches_a_weighted_sum_over_clusters(grouping):
    select = grouping_to_select(grouping)
    x = torch.randn(grouping.num_joints, 5)
    assert select.weight is not None
    members = x[select.node_index] * select.weight.view(-1, 1)
    expected = scatter(members, select.cluster_index, dim_size=select.num_clusters, reduce="sum")
    torch.testing.assert_close(JointPool(grouping)(x), expected)


def test_pooling_takes_any_leading_axes():
    x = torch.randn(2, 7, 4, 3)
    pooled = JointPool(OVERLAPPING)(x)
    assert pooled.shape == (2, 7, 3, 3)
    torch.testing.assert_close(pooled[1, 4], JointPool(OVERLAPPING)(x[1, 4]))
    torch.testing.assert_close(pooled[..., 1, :], (x[..., 1, :] + x[..., 2, :]) / 2)


def test_unpooling_gives_each_joint_the_mean_of_its_groups():
    x = torch.tensor([[3.0], [5.0], [10.0]])
    assert JointUnpool(OVERLAPPING)(x).flatten().tolist() == [3.0, 4.0, 7.5, 0.0]


@pytest.mark.parametrize("name", ["h36m", "cmu"])
def test_unpooling_inverts_on_what_groups_share(name):
    """Poses that are constant in each group come back, if no joint is shared between groups."""
    (first, *_) = presets.get(name).scales(2)
    coarse = torch.randn(2, first.num_groups, 3)
    torch.testing.assert_close(JointPool(first)(JointUnpool(first)(coarse)), coarse)


def test_joint_coordinates_pool_as_joints_do():
    (grouping,) = presets.get("h36m").scales(2)
    poses = torch.randn(2, 22, 3)
    nodes = JointPool(grouping.over_axes())(poses.reshape(2, 66, 1))
    torch.testing.assert_close(nodes.reshape(2, 12, 3), JointPool(grouping)(poses))


def test_the_matrix_follows_the_type_but_is_not_stored():
    for layer, joints in ((JointPool(OVERLAPPING), 4), (JointUnpool(OVERLAPPING), 3)):
        assert layer.state_dict() == {}
        assert layer.double()(torch.zeros(joints, 1, dtype=torch.float64)).dtype == torch.float64


def test_printed_form():
    assert str(JointPool(OVERLAPPING)) == "JointPool(4 -> 3)"
    assert str(JointUnpool(OVERLAPPING)) == "JointUnpool(3 -> 4)"


@pytest.mark.parametrize("shape", [(4,), (2, 5, 3)])
def test_inputs_fit_the_grouping(shape):
    with pytest.raises(
        ShapeError, match=r"^pooling input: expected \(..., 4 joints, channels\), got .*second last axis"
    ):
        JointPool(OVERLAPPING)(torch.zeros(shape))
    with pytest.raises(ShapeError, match=r"^unpooling input: expected \(..., 3 joints, channels\), got"):
        JointUnpool(OVERLAPPING)(torch.zeros(shape))
