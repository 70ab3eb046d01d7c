"""Checks of a built-in body against the index tables of published codes, which know no names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import pytest

from posegraph.skeleton import presets

Groups = Sequence[Sequence[int]]

# The coarser levels, which published codes share between bodies.
TO_7: Groups = [[0, 1], [2, 3], [4, 5], [6, 7], [7, 8], [9, 10], [10, 11]]
TO_4: Groups = [[0, 2], [1, 2], [3, 4], [5, 6]]


class BodyChecks:
    """The checks; a body's test class gives the tables."""

    name: ClassVar[str]
    fps: ClassVar[float]
    parents: ClassVar[Sequence[int]]
    used: ClassVar[Sequence[int]]
    constant: ClassVar[Sequence[int]]
    duplicates: ClassVar[Mapping[int, int]]
    """Joint to the position among the used joints of the one it copies."""
    groupings: ClassVar[Mapping[str, Sequence[Groups]]]
    mirrored: ClassVar[Sequence[tuple[int, int]]]
    """Pairs (right, left) over all joints."""
    used_bones: ClassVar[Sequence[tuple[int, int]]]
    """Bones of the used joints, as the published drawings connect them."""
    moving_columns: ClassVar[Sequence[int]]
    """Columns of the benchmark files that change, without the root's."""

    def test_joints_match_the_published_tables(self):
        skeleton = presets.get(self.name)
        assert list(skeleton.parents) == self.parents
        assert list(skeleton.used) == self.used
        assert sorted(map(skeleton.index, skeleton.constant)) == self.constant
        copies = {skeleton.index(c): skeleton.used.index(skeleton.index(s)) for c, s in skeleton.duplicates.items()}
        assert copies == self.duplicates

    def test_groupings_match_the_published_tables(self):
        skeleton = presets.get(self.name)
        published = {name: levels for name, levels in skeleton.groupings.items() if name != "parts"}
        lists = {name: [[list(group) for group in level.groups] for level in ls] for name, ls in published.items()}
        assert lists == self.groupings

    def test_mirrored_joints_match_the_published_tables(self):
        skeleton = presets.get(self.name)
        pairs = {(skeleton.index(right), skeleton.index(left)) for left, right in skeleton.mirrored}
        assert pairs == set(self.mirrored)

    def test_mirrored_joints_lie_on_their_side(self):
        """In the rest pose the subject's left is on positive x and mirrored bones have about the same length."""
        skeleton = presets.get(self.name)
        assert skeleton.offsets is not None
        for left, right in skeleton.mirrored:
            one, other = (skeleton.offsets[skeleton.index(joint)] for joint in (left, right))
            assert one[0] >= 0 >= other[0]
            assert sum(v * v for v in one) ** 0.5 == pytest.approx(sum(v * v for v in other) ** 0.5, rel=0.12, abs=40)

    def test_bones_of_the_used_joints_match_the_published_drawings(self):
        assert set(presets.get(self.name).reduced.bones) == set(self.used_bones)

    def test_copies_rest_on_their_source(self):
        """A copy's offset is zero, or the same as its source's from the same parent."""
        skeleton = presets.get(self.name)
        assert skeleton.offsets is not None
        for copy, source in skeleton.duplicates.items():
            i, j = skeleton.index(copy), skeleton.index(source)
            same = skeleton.parents[i] == skeleton.parents[j] and skeleton.offsets[i] == skeleton.offsets[j]
            assert same or (skeleton.parents[i] == j and skeleton.offsets[i] == (0.0, 0.0, 0.0))

    def test_frame_rate_unit_and_axis(self):
        skeleton = presets.get(self.name)
        assert (skeleton.fps, skeleton.unit, skeleton.up) == (self.fps, "mm", "y")

    def test_rotations_move_where_published_codes_say(self):
        skeleton = presets.get(f"{self.name}-angles")
        assert [3 + 3 * skeleton.used[c // 3] + c % 3 for c in skeleton.moving] == self.moving_columns
        assert skeleton.holds == "rotations"

    def test_rotations_share_the_body_of_the_positions(self):
        positions, rotations = presets.get(self.name), presets.get(f"{self.name}-angles")
        assert (rotations.joint_names, rotations.parents) == (positions.joint_names, positions.parents)
        assert rotations.offsets == positions.offsets
        assert rotations.root not in rotations.used
