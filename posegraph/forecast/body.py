"""Clips of the same body under other names and in another size, as a model knows it."""

from __future__ import annotations

import statistics
from dataclasses import replace

import torch

from posegraph.data.clip import Clip
from posegraph.skeleton.root import RootMotion
from posegraph.skeleton.skeleton import Skeleton

__all__ = ["fitted"]


def fitted(clip: Clip, skeleton: Skeleton) -> tuple[Clip, float]:
    """A clip with the joint names and the size of another skeleton, if both are the same tree.

    Args:
        clip: Any clip.
        skeleton: Skeleton of the model that shall see it.

    Returns:
        The clip, and the factor on its positions and its way; the same clip and 1 if it has the skeleton already, or
        another tree.
    """
    own = clip.skeleton
    if own.matches(skeleton) or _tree(own) != _tree(skeleton) or own.offsets is None or skeleton.offsets is None:
        return clip, 1.0
    lengths = [[torch.tensor(offset).norm().item() for offset in body.offsets or ()] for body in (skeleton, own)]
    ratios = [theirs / ours for theirs, ours in zip(*lengths, strict=True) if ours > 1.0 and theirs > 1.0]
    factor = statistics.median(ratios) if ratios else 1.0
    note = f"The body has the tree of {skeleton.name!r} and is taken for it, {factor:.2f} times as large."
    root = clip.root and RootMotion(clip.root.positions * factor, clip.root.rotations)
    poses, notes = clip.poses * factor, (*clip.notes, note)
    return replace(clip, poses=poses, skeleton=skeleton, root=root, notes=notes), factor


def _tree(skeleton: Skeleton) -> tuple[object, ...]:
    copies = {skeleton.index(copy): skeleton.index(source) for copy, source in skeleton.duplicates.items()}
    return skeleton.parents, skeleton.used, copies, skeleton.holds, skeleton.unit
