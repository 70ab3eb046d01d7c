"""Poses with left and right exchanged."""

from __future__ import annotations

import torch

from posegraph.errors import ConfigError
from posegraph.skeleton.skeleton import Skeleton

__all__ = ["mirror_image"]


def mirror_image(skeleton: Skeleton) -> tuple[torch.Tensor, torch.Tensor]:
    """What turns positions into their mirror image: left and right joints change places, and points their side.

    Args:
        skeleton: Its ``mirrored`` pairs and its ``lateral`` axis say what the mirror does.

    Returns:
        Joint that comes to each place, ``(joints,)`` int64; and factors ``(3,)`` of the coordinates.

    Raises:
        ConfigError: The skeleton has no mirrored pairs, or its poses are rotations.

    Examples:
        >>> import torch
        >>> from posegraph.skeleton import presets
        >>> from posegraph.skeleton import mirror_image
        >>> cmu = presets.get("cmu")
        >>> joints, signs = mirror_image(cmu)
        >>> poses = torch.randn(4, 35, 38, 3)
        >>> mirrored = poses[:, :, joints] * signs
        >>> left, right = (cmu.joint_names.index(name) for name in ("LeftFoot", "RightFoot"))
        >>> int(joints[left]) == right, signs.tolist()
        (True, [-1.0, 1.0, 1.0])
    """
    if not skeleton.mirrored or skeleton.holds == "rotations":
        raise ConfigError(
            f"mirror: expected a skeleton of positions with mirrored pairs, got {skeleton.name!r} with "
            f"{len(skeleton.mirrored)} pairs of {skeleton.holds}. Name the pairs in the skeleton, or do without."
        )
    signs = torch.ones(3)
    signs["xyz".index(skeleton.lateral)] = -1.0
    return torch.tensor(skeleton.mirror), signs
