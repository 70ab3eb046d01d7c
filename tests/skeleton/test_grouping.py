from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from posegraph.errors import SkeletonError, UnknownNameError
from posegraph.skeleton.grouping import JointGrouping

OVERLAPPING = JointGrouping(((0, 1), (1, 2), (2,)), num_joints=4, names=("a", "b", "c"), allow_unused=True)


@st.composite
def groupings(draw) -> JointGrouping:
    """Any grouping, overlaps and unused joints included."""
    num_joints = draw(st.integers(1, 12))
    group = st.sets(st.integers(0, num_joints - 1), min_size=1).map(sorted).map(tuple)
    groups = tuple(draw(st.lists(group, min_size=1, max_size=6)))
    return JointGrouping(groups, num_joints, allow_unused=True)


# --- JointGrouping --------------------------------------------------------------------------------------------------


@given(groupings())
def test_pooling_matrix_averages_each_group(grouping):
    x = np.random.default_rng(0).normal(size=grouping.num_joints)
    expected = [np.mean([x[j] for j in group]) for group in grouping.groups]
    np.testing.assert_allclose(grouping.pool_matrix().double().numpy() @ x, expected, rtol=1e-6, atol=1e-6)


@given(groupings())
def test_unpooling_matrix_averages_the_groups_of_each_joint(grouping):
    y = np.random.default_rng(0).normal(size=grouping.num_groups)
    expected = []
    for joint in range(grouping.num_joints):
        mine = [y[i] for i, group in enumerate(grouping.groups) if joint in group]
        expected.append(np.mean(mine) if mine else 0.0)
    np.testing.assert_allclose(grouping.unpool_matrix().double().numpy() @ y, expected, rtol=1e-6, atol=1e-6)


@given(groupings())
def test_joints_are_unused_used_once_or_shared(grouping):
    counts = grouping.membership().sum(0)
    assert grouping.unused == tuple((counts == 0).nonzero().flatten().tolist())
    assert grouping.shared == tuple((counts > 1).nonzero().flatten().tolist())


@given(groupings(), st.integers(1, 4))
def test_axes_are_kept_apart(grouping, axes):
    over = grouping.over_axes(axes)
    assert torch.equal(over.membership(), torch.kron(grouping.membership(), torch.eye(axes)))


@given(groupings())
def test_dictionaries_survive_json(grouping):
    assert JointGrouping.from_dict(json.loads(json.dumps(grouping.to_dict()))) == grouping


def test_names_survive_json():
    assert JointGrouping.from_dict(json.loads(json.dumps(OVERLAPPING.to_dict()))) == OVERLAPPING


def test_lists_become_tuples():
    grouping = JointGrouping([[0, 1], [2]], 3, names=["a", "b"])
    assert grouping == JointGrouping(((0, 1), (2,)), 3, ("a", "b"))
    assert hash(grouping) == hash(JointGrouping(((0, 1), (2,)), 3, ("a", "b")))


def test_groups_by_name():
    grouping = JointGrouping.from_names(["hip", "knee", "foot"], {"end": ["foot"], "leg": ["knee", "hip"]})
    assert grouping == JointGrouping(((2,), (1, 0)), 3, ("end", "leg"))
    with pytest.raises(UnknownNameError, match=r"unknown joint 'kne'\. Did you mean 'knee'\? Known: hip, knee\."):
        JointGrouping.from_names(["hip", "knee"], {"leg": ["hip", "kne"]})
    with pytest.raises(SkeletonError, match=r"joints \[0\] belong to no group"):
        JointGrouping.from_names(["hip", "knee"], {"leg": ["knee"]})
    assert JointGrouping.from_names(["hip", "knee"], {"leg": ["knee"]}, allow_unused=True).unused == (0,)


@pytest.mark.parametrize(
    ("groups", "num_joints", "settings", "message"),
    [
        ((), 3, {}, "groups: expected at least one group of joints, got none"),
        (((0,), ()), 1, {}, r"group 1: expected at least one joint, got an empty group\. Remove it"),
        (((0, 1, 0),), 2, {}, r"group 0: expected each joint once, got \(0, 1, 0\)\. Remove the repeats"),
        (
            ((0, 3),),
            3,
            {},
            r"group 0: expected joint indices in 0..2, got \[3\]\. Indices count the joints of",
        ),
        (((0, -1),), 3, {}, r"group 0: expected joint indices in 0..2, got \[-1\]"),
        (((0, 1),), 2, {"names": ("a", "b")}, "names: expected 1, one a group, got 2"),
        (((0,), (2,)), 4, {}, r"joints \[1, 3\] belong to no group\. Add them to one, or pass allow_unused=True"),
    ],
)
def test_contradictions_are_refused(groups, num_joints, settings, message):
    with pytest.raises(SkeletonError, match=message):
        JointGrouping(groups, num_joints, **settings)
