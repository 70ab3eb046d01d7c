from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.sparse.csgraph import minimum_spanning_tree

from posegraph import data
from posegraph.data.formats import ReadOptions
from posegraph.data.formats._points import clip_of_points, rigid_tree
from posegraph.errors import DataError


def edges(parents: list[int]) -> set[frozenset[int]]:
    return {frozenset((joint, parent)) for joint, parent in enumerate(parents) if parent >= 0}


def test_trees_are_those_of_scipy():
    points = np.random.default_rng(0).normal(size=(30, 9, 3))
    distance = np.linalg.norm(points[:, :, None] - points[:, None], axis=-1)
    tree = minimum_spanning_tree(5 * distance.std(0) + 0.1 * distance.mean(0)).tocoo()
    expected = {frozenset((int(a), int(b))) for a, b in zip(tree.row, tree.col, strict=True)}
    for root in (0, 4):
        parents = rigid_tree(points, root)
        assert parents[root] == -1
        assert edges(parents) == expected


def test_bones_of_a_walk_are_found():
    clip = data.load("cmu", "samples", split="train", actions=["basketball"]).clips["train"][0]
    used = clip.skeleton.reduced
    poses = clip.skeleton.reduce(clip.poses).double().numpy()[1:]
    found = edges(rigid_tree(poses, used.root))
    true = {frozenset(bone) for bone in used.bones}
    assert len(found & true) >= 18  # of 24; the others join points that sit on one rigid part


@pytest.mark.parametrize(
    ("names", "root"), [(("a", "Pelvis", "c"), 1), (("x:Hips", "b", "c"), 0), (("a", "b", "c"), 1)]
)
def test_the_root_goes_by_name_or_lies_in_the_middle(names, root):
    points = np.tile(np.array([[0.0, 0, 0], [0, 1000, 0], [0, 2100, 0]]), (4, 1, 1))
    clip = clip_of_points(points, names, 30.0, Path("a.csv"), ReadOptions(unit="mm"))
    assert clip.skeleton.root == root


def test_no_points_are_refused():
    for shape in ((0, 3, 3), (5, 0, 3), (5, 1001, 3)):
        with pytest.raises(DataError, match=r"expected frames of 1 to 1000 points, got \d frames of \d+"):
            clip_of_points(np.zeros(shape), ["a"] * shape[1], 30.0, Path("a.csv"), ReadOptions())
