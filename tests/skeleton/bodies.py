"""Random skeletons."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from posegraph.skeleton.grouping import JointGrouping
from posegraph.skeleton.skeleton import Skeleton

NUMBERS = st.floats(-2000, 2000, allow_subnormal=False)
NAMES = st.text(min_size=1, max_size=6)


@st.composite
def skeletons_with_all_fields(draw: Any) -> Skeleton:
    """Any names, trees in any order, and every other field set or not."""
    names = draw(st.lists(NAMES, min_size=1, max_size=9, unique=True))
    count = len(names)
    place = draw(st.permutations(range(count)))  # joint of each step of the tree's growth
    parents = [-1] * count
    for step in range(1, count):
        parents[place[step]] = place[draw(st.integers(0, step - 1))]
    roles = [draw(st.sampled_from(["used", "constant", "copy"])) for _ in names]
    roles[draw(st.integers(0, count - 1))] = "used"
    of_role = {role: [n for n, r in zip(names, roles, strict=True) if r == role] for role in set(roles)}
    used = of_role["used"]
    shuffled = draw(st.permutations(names))
    pairs = draw(st.integers(0, count // 2))
    groups = draw(st.lists(st.sets(st.integers(0, len(used) - 1), min_size=1), min_size=1, max_size=4))
    level = JointGrouping(tuple(map(tuple, groups)), len(used), tuple(map(str, range(len(groups)))), allow_unused=True)
    return Skeleton(
        draw(NAMES),
        tuple(names),
        tuple(parents),
        offsets=draw(st.none() | st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), min_size=count, max_size=count)),
        mirrored=tuple(zip(shuffled[:pairs], shuffled[pairs : 2 * pairs], strict=True)),
        constant=tuple(of_role.get("constant", ())),
        duplicates={copy: draw(st.sampled_from(used)) for copy in of_role.get("copy", ())},
        groupings=draw(st.sampled_from([{}, {"own": (level,)}])),
        fps=draw(st.none() | st.floats(1, 1000)),
        unit=draw(st.sampled_from(["mm", "m"])),
        up=draw(st.sampled_from("xyz")),
        lateral=draw(st.sampled_from("xyz")),
        locked=draw(st.sampled_from([{}, {used[0]: "xz"}])),
        holds=draw(st.sampled_from(["positions", "rotations"])),
        origin=tuple(draw(st.sets(st.sampled_from(names), max_size=2))),
    )
