from __future__ import annotations

import pytest

from posegraph.errors import UnknownNameError
from posegraph.skeleton import presets
from posegraph.skeleton.skeleton import Skeleton


@pytest.mark.parametrize("name", presets.names())
def test_groupings_are_named_by_their_sizes(name):
    skeleton = presets.get(name)
    for grouping, levels in skeleton.groupings.items():
        if grouping == "parts":
            assert [level.num_groups for level in levels] == [10, 5]
            continue
        assert grouping == "-".join(map(str, [skeleton.num_used, *(level.num_groups for level in levels)]))


def test_get():
    assert presets.names() == ["cmu", "cmu-angles", "h36m", "h36m-angles"]
    assert presets.get("cmu") is presets.get("cmu")
    own = Skeleton("own", ("joint",), (-1,))
    assert presets.get(own) is own
    with pytest.raises(
        UnknownNameError, match=r"unknown skeleton 'cmv'\. Did you mean 'cmu'\? Known: cmu, cmu-angles, "
    ):
        presets.get("cmv")
