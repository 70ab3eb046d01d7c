from __future__ import annotations

import pytest
import torch

from posegraph.errors import ConfigError
from posegraph.layers import GraphConv, JointPool, JointUnpool, NodeResample, make_resampler, scale_operators
from posegraph.skeleton import presets


def test_masks_connect_whole_joints_at_every_scale():
    """All nine pairs of axes of two joints are on or off together, in both directions."""
    h36m = presets.get("h36m")
    groupings = h36m.scales(4)
    joints = [22, *(level.num_groups for level in groupings)]
    for count, make in zip(joints, scale_operators("masked", h36m, groupings), strict=True):
        operator = make(4, 5, 3 * count)
        assert isinstance(operator, GraphConv)
        assert operator.mask is not None
        joint_mask = operator.mask.view(count, 3, count, 3)
        assert torch.equal(joint_mask, joint_mask[:, :1, :, :1].expand_as(joint_mask)), "axes of a joint differ"
        assert torch.equal(operator.mask, operator.mask.T)


def test_coarse_masks_connect_groups_that_a_bone_joins():
    h36m = presets.get("h36m")
    _, make = scale_operators("masked", h36m, h36m.scales(2))
    mask = make(4, 5, 36).mask[::3, ::3].bool()
    names = h36m.scales(2)[0].names
    connected = {(names[i], names[j]) for i in range(12) for j in range(i) if mask[i, j]}
    assert connected == {
        ("right foot", "right knee"),
        ("left foot", "left knee"),
        ("torso", "right knee"),
        ("torso", "left knee"),
        ("head", "torso"),
        ("left shoulder", "torso"),
        ("left elbow", "left shoulder"),
        ("left hand", "left elbow"),
        ("right shoulder", "torso"),
        ("right elbow", "right shoulder"),
        ("right hand", "right elbow"),
    }


@pytest.mark.parametrize("down", [True, False])
def test_resamplers_fit_the_scales(down):
    (grouping,) = presets.get("cmu").scales(2)
    source, target = (75, 36) if down else (36, 75)
    x = torch.randn(2, source, 4)
    learned = make_resampler("learned", grouping, down=down)
    assert isinstance(learned, NodeResample)
    assert learned(x).shape == (2, target, 4)
    fixed = make_resampler("grouping", grouping, down=down)
    assert isinstance(fixed, JointPool if down else JointUnpool)
    matrix = grouping.pool_matrix() if down else grouping.unpool_matrix()
    expected = torch.einsum("gj,bjac->bgac", matrix, x.view(2, source // 3, 3, 4)).reshape(2, target, 4)
    torch.testing.assert_close(fixed(x), expected)


def test_unknown_kinds_are_refused():
    h36m = presets.get("h36m")
    with pytest.raises(ConfigError, match="resample: expected one of 'learned', 'grouping'; got 'mean'"):
        make_resampler("mean", h36m.scales(2)[0], down=True)
    with pytest.raises(ConfigError, match=r"operator: expected one of 'learned', .* got 'fixed'"):
        scale_operators("fixed", h36m, ())
