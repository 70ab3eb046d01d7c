"""The trees against the published table."""

from __future__ import annotations

from posegraph.skeleton import presets

PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)


def test_parents_are_the_models():
    assert presets.get("smpl-24").parents == PARENTS
    assert presets.get("smpl-22").parents == PARENTS[:22]
    assert presets.get("smpl-22").joint_names == presets.get("smpl-24").joint_names[:22]
