from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from posegraph.errors import ConfigError, ShapeError, SkeletonError, UnknownNameError
from posegraph.skeleton import presets
from posegraph.skeleton.automatic import automatic_groupings
from posegraph.skeleton.grouping import JointGrouping
from posegraph.skeleton.skeleton import Skeleton

# pelvis - spine - (left arm - left hand - left thumb, right arm, head); the thumb copies the hand.
BODY = Skeleton(
    name="body",
    joint_names=("pelvis", "spine", "l arm", "l hand", "l thumb", "r arm", "head"),
    parents=(-1, 0, 1, 2, 3, 1, 1),
    mirrored=(("l arm", "r arm"),),
    constant=("pelvis",),
    duplicates={"l thumb": "l hand"},
    groupings={"halves": (JointGrouping(((0, 4), (1, 2, 3)), 5),)},
    fps=30.0,
)


def of(parents, **settings) -> Skeleton:
    return Skeleton("test", tuple(f"joint{j}" for j in range(len(parents))), parents, **settings)


@st.composite
def skeletons_of_any_kind(draw) -> Skeleton:
    """Random trees with random constant joints and copies."""
    count = draw(st.integers(1, 12))
    parents = [-1, *(draw(st.integers(0, joint - 1)) for joint in range(1, count))]
    roles = draw(st.lists(st.sampled_from(["used", "constant", "copy"]), min_size=count, max_size=count))
    roles[draw(st.integers(0, count - 1))] = "used"
    used = [f"joint{j}" for j, role in enumerate(roles) if role == "used"]
    copies = [f"joint{j}" for j, role in enumerate(roles) if role == "copy"]
    return of(
        parents,
        constant=tuple(f"joint{j}" for j, role in enumerate(roles) if role == "constant"),
        duplicates={copy: draw(st.sampled_from(used)) for copy in copies},
    )


# --- what it knows --------------------------------------------------------------------------------------------------


def test_joints_and_bones():
    assert (BODY.num_joints, BODY.num_used, BODY.used, BODY.root) == (7, 5, (1, 2, 3, 5, 6), 0)
    assert BODY.bones == ((0, 1), (1, 2), (2, 3), (3, 4), (1, 5), (1, 6))
    assert BODY.index("head") == 6
    assert BODY.mirror == (0, 1, 5, 3, 4, 2, 6)
    assert [BODY.side(j) for j in (0, 2, 5)] == ["centre", "left", "right"]


def test_parents_come_first_in_order_wherever_they_stand():
    skeleton = of((2, 0, -1, 1))
    assert skeleton.order == (2, 0, 1, 3)
    assert skeleton.root == 2


def test_lists_are_taken_as_tuples():
    skeleton = Skeleton("arm", ["l", "r", "c"], [2, 2, -1], mirrored=[["l", "r"]], constant=["c"])
    assert skeleton == Skeleton("arm", ("l", "r", "c"), (2, 2, -1), mirrored=(("l", "r"),), constant=("c",))


def test_skeletons_match_if_their_poses_mean_the_same():
    assert BODY.matches(dataclasses.replace(BODY, name="other", fps=None, groupings={}))
    assert not BODY.matches(dataclasses.replace(BODY, constant=(), groupings={}))
    assert not BODY.matches(dataclasses.replace(BODY, duplicates={"l thumb": "l arm"}))
    assert not BODY.matches(presets.get("cmu"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"joint_names": ()}, "joint_names: expected at least one joint, got none"),
        ({"joint_names": ("a", "b", "a")}, r"joint_names: expected each name once, got \['a'\] more than once"),
        ({"parents": (-1, 0)}, "parents: expected 3, one a joint, got 2"),
        ({"offsets": ((0.0, 0.0, 0.0),)}, "offsets: expected 3, one a joint, got 1"),
        ({"parents": (-1, 0, 3)}, r"parents: expected joint indices in -1..2, got \[3\]"),
        ({"parents": (-1, 0, -2)}, r"parents: expected joint indices in -1..2, got \[-2\]"),
        ({"parents": (-1, -1, 0)}, r"parents: expected exactly one root \(parent -1\), got joints \[0, 1\]"),
        ({"parents": (1, 2, 0)}, r"parents: expected exactly one root \(parent -1\), got joints \[\]"),
        ({"parents": (-1, 2, 1)}, r"parents: expected a tree, but joints \[1, 2\] form a cycle"),
        ({"constant": ("a", "b", "c")}, "constant, duplicates: expected at least one used joint, got none"),
        (
            {"constant": ("a",), "duplicates": {"a": "b"}},
            r"constant, duplicates: expected each joint once, got",
        ),
        ({"constant": ("a",), "duplicates": {"b": "a"}}, "the source of 'b' must be a used joint, but 'a' is constant"),
        ({"mirrored": (("a", "b"), ("a", "c"))}, r"mirrored: expected each joint once, got \['a'\] more than once"),
        (
            {"groupings": {"g": (JointGrouping(((0, 1),), 2),)}},
            "grouping 'g', level 0: expected a grouping of 3 joints, got one of 2. The first level groups the used",
        ),
        (
            {"groupings": {"g": (JointGrouping(((0, 1, 2),), 3), JointGrouping(((0, 1),), 2))}},
            "grouping 'g', level 1: expected a grouping of 1 joints, got one of 2",
        ),
    ],
)
def test_contradictions_are_refused(settings, message):
    with pytest.raises(SkeletonError, match=message):
        Skeleton(**{"name": "test", "joint_names": ("a", "b", "c"), "parents": (-1, 0, 1), **settings})


@pytest.mark.parametrize(
    "settings",
    [{"constant": ("hed",)}, {"duplicates": {"hed": "a"}}, {"duplicates": {"a": "hed"}}, {"mirrored": (("a", "hed"),)}],
)
def test_unknown_joints_are_refused(settings):
    with pytest.raises(UnknownNameError, match=r"unknown joint 'hed'\. Did you mean 'head'\? Known: a, head\."):
        Skeleton("test", ("a", "head"), (-1, 0), **settings)


# --- reduce and expand ----------------------------------------------------------------------------------------------


def test_reduce_selects_and_expand_restores():
    full = torch.randn(2, 4, 7, 3)
    used = BODY.reduce(full)
    np.testing.assert_array_equal(used.numpy(), full.numpy()[:, :, [1, 2, 3, 5, 6]])
    restored = BODY.expand(used + 1, full)
    assert torch.equal(restored[:, :, [1, 2, 3, 5, 6]], used + 1)
    assert torch.equal(restored[:, :, 0], full[:, :, 0]), "constant joints come from the template"
    assert torch.equal(restored[:, :, 4], full[:, :, 3] + 1), "copies come from their source"


@given(skeletons_of_any_kind())
def test_reduce_undoes_expand(skeleton):
    used = torch.randn(3, skeleton.num_used, 3)
    template = torch.randn(skeleton.num_joints, 3)
    full = skeleton.expand(used, template)
    assert full.shape == (3, skeleton.num_joints, 3)
    assert torch.equal(skeleton.reduce(full), used)
    assert torch.equal(skeleton.expand(skeleton.reduce(full), full), full)


def test_expand_leaves_its_template_alone_and_passes_gradients():
    template, used = torch.zeros(7, 3), torch.ones(2, 5, 3, requires_grad=True)
    BODY.expand(used, template).sum().backward()
    assert not template.any()
    assert used.grad is not None
    assert used.grad[0, :, 0].tolist() == [1.0, 1.0, 2.0, 1.0, 1.0]  # the hand counts twice, with its copy


@pytest.mark.parametrize("shape", [(2, 4, 6, 3), (7,), (7, 2), ()])
def test_reduce_refuses_other_poses(shape):
    message = r"full poses: expected \(..., 7 joints, 3\), got .*Skeleton 'body' has 7 joints, 5 of them used"
    with pytest.raises(ShapeError, match=message) as caught:
        BODY.reduce(torch.zeros(shape))
    assert caught.value.actual == shape


def test_expand_refuses_other_poses():
    with pytest.raises(ShapeError, match=r"used poses: expected \(..., 5 joints, 3\), got \(2, 7, 3\)"):
        BODY.expand(torch.zeros(2, 7, 3), torch.zeros(7, 3))
    with pytest.raises(ShapeError, match=r"template: expected \(..., 7 joints, 3\), got \(5, 3\)"):
        BODY.expand(torch.zeros(2, 5, 3), torch.zeros(5, 3))


# --- reduced --------------------------------------------------------------------------------------------------------


def test_reduced_skeleton_bridges_what_is_left_out():
    reduced = BODY.reduced
    assert reduced.name == "body-used"
    assert reduced.joint_names == ("spine", "l arm", "l hand", "r arm", "head")
    assert reduced.parents == (-1, 0, 1, 0, 0)
    assert (reduced.mirrored, reduced.fps, reduced.groupings) == (BODY.mirrored, BODY.fps, BODY.groupings)


def test_children_of_a_copy_hang_on_its_source():
    skeleton = of((-1, 0, 0, 2), duplicates={"joint2": "joint1"})
    assert skeleton.reduced.parents == (-1, 0, 1)


def test_a_root_that_copies_a_joint_below_gives_it_its_place():
    skeleton = of((-1, 0, 1, 0), duplicates={"joint0": "joint2"})
    assert skeleton.reduced.joint_names == ("joint1", "joint2", "joint3")
    assert skeleton.reduced.parents == (1, -1, 1)


def test_the_centre_joint_nearest_to_an_unused_root_takes_its_place():
    skeleton = Skeleton(
        "legs",
        ("pelvis", "left hip", "left knee", "right hip", "right knee", "waist", "chest"),
        (-1, 0, 1, 0, 3, 0, 5),
        mirrored=(("left knee", "right knee"), ("left hip", "right hip")),
        constant=("pelvis", "left hip", "right hip", "waist"),
    )
    assert skeleton.reduced.joint_names == ("left knee", "right knee", "chest")
    assert skeleton.reduced.parents == (2, 2, -1)


@given(skeletons_of_any_kind())
def test_reduced_skeletons_are_trees_of_used_joints(skeleton):
    reduced = skeleton.reduced  # building it checks that it is a tree
    assert reduced.joint_names == tuple(skeleton.joint_names[j] for j in skeleton.used)
    assert reduced.num_used == skeleton.num_used
    if skeleton.num_used == skeleton.num_joints:
        assert reduced.parents == skeleton.parents


# --- scales ---------------------------------------------------------------------------------------------------------


def test_scales_take_the_first_grouping_unless_named():
    (halves,) = BODY.groupings["halves"]
    assert BODY.scales(1) == ()
    assert BODY.scales(2) == (halves,)
    assert BODY.scales(2, "halves") == (halves,)
    assert BODY.scales(3, "automatic") == automatic_groupings(BODY.reduced.parents, 2)
    assert of((-1, 0, 1)).scales(2) == automatic_groupings((-1, 0, 1), 1)


def test_scales_errors():
    with pytest.raises(UnknownNameError, match=r"unknown grouping 'halfs'\. Did you mean 'halves'\? .* automatic"):
        BODY.scales(2, "halfs")
    with pytest.raises(SkeletonError, match=r"grouping 'halves': expected 2 levels for 3 scales, got 1\. Ask for"):
        BODY.scales(3)
    with pytest.raises(ConfigError, match="num_scales: expected an integer of at least 1, got 0"):
        BODY.scales(0)


def test_a_new_grouping_becomes_the_default():
    whole = JointGrouping((tuple(range(5)),), 5)
    skeleton = BODY.with_groupings("whole", [whole])
    assert skeleton.scales(2) == (whole,)
    assert list(skeleton.groupings) == ["whole", "halves"]
    assert list(BODY.with_groupings("halves", [whole]).groupings) == ["halves"]
    assert list(BODY.groupings) == ["halves"]
    with pytest.raises(SkeletonError, match="grouping 'wrong', level 0: expected a grouping of 5 joints, got one of 7"):
        BODY.with_groupings("wrong", [JointGrouping((tuple(range(7)),), 7)])


# --- storage --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("skeleton", [BODY, presets.get("h36m"), presets.get("cmu")], ids=lambda s: s.name)
def test_dictionaries_survive_json(skeleton):
    assert Skeleton.from_dict(json.loads(json.dumps(skeleton.to_dict()))) == skeleton


@given(skeletons_of_any_kind())
def test_random_skeletons_survive_json(skeleton):
    assert Skeleton.from_dict(json.loads(json.dumps(skeleton.to_dict()))) == skeleton


def test_locked_coordinates_do_not_move():
    arm = Skeleton("arm", ("shoulder", "elbow", "wrist"), (-1, 0, 1), constant=("shoulder",), locked={"elbow": "xz"})
    assert arm.moving == (1, 3, 4, 5)  # counted among the used joints
    assert arm.reduced.moving == arm.moving
    assert Skeleton.from_dict(arm.to_dict()) == arm
    assert Skeleton("arm", ("shoulder",), (-1,)).moving == (0, 1, 2)


@pytest.mark.parametrize("locked", [{"shoulder": "x"}, {"elbow": ""}, {"elbow": "xw"}])
def test_only_axes_of_used_joints_are_locked(locked):
    with pytest.raises(SkeletonError, match="locked: expected used joints with axes among 'xyz', got "):
        Skeleton("arm", ("shoulder", "elbow"), (-1, 0), constant=("shoulder",), locked=locked)


def test_skeletons_of_earlier_checkpoints_are_read():
    arm = Skeleton("arm", ("shoulder", "elbow"), (-1, 0))
    data = arm.to_dict()
    del data["locked"]
    assert Skeleton.from_dict(data) == arm


def test_rotations_do_not_match_positions():
    names, parents = ("shoulder", "elbow"), (-1, 0)
    positions, rotations = Skeleton("arm", names, parents), Skeleton("arm", names, parents, holds="rotations")
    assert (positions.pose_unit, rotations.pose_unit) == ("mm", "rad")
    assert not positions.matches(rotations)


def test_random_scales_have_the_sizes_of_the_default_ones():
    cmu = presets.get("cmu")
    assert [level.num_groups for level in cmu.scales(4, "random-1")] == [12, 7, 4]
    assert cmu.scales(4, "random-1") == cmu.scales(4, "random-1") != cmu.scales(4, "random-2")
    assert cmu.scales(3, "random-1") == cmu.scales(4, "random-1")[:2]
    with pytest.raises(UnknownNameError, match="unknown grouping 'random-x'"):
        cmu.scales(2, "random-x")
