"""Changes of training windows that leave them motions of the same skeleton."""

from __future__ import annotations

import torch

from posegraph.errors import ConfigError
from posegraph.skeleton.kinematics import forward_kinematics
from posegraph.skeleton.mirror import mirror_image
from posegraph.skeleton.rotations import rotation_from_exponential_map
from posegraph.skeleton.skeleton import Skeleton

__all__ = ["Mirror", "Turn", "limbs"]


class Mirror:
    """Replaces some windows by their mirror images.

    Args:
        skeleton: Skeleton of the poses, of which windows have the used joints.
        probability: Of each window.
        device: Where windows are.

    Raises:
        ConfigError: The skeleton has no mirror image.
    """

    def __init__(self, skeleton: Skeleton, probability: float, device: torch.device) -> None:
        self.probability = probability
        self._joints, self._signs = (tensor.to(device) for tensor in mirror_image(skeleton.reduced))

    def __call__(self, windows: torch.Tensor) -> torch.Tensor:
        """Change windows ``(..., frames, joints, 3)``."""
        chosen = torch.rand((*windows.shape[:-3], 1, 1, 1), device=windows.device) < self.probability
        return torch.where(chosen, windows.index_select(-2, self._joints) * self._signs, windows)


class Turn:
    """Turns each limb of each window by a random angle about the joint that it hangs from, the same in all frames.

    Bones keep their lengths, and joints their angles to one another within a limb: another person's stance, or the same
    person's on another day. The axis is random, and the angle has a normal distribution about each of x, y and z.

    Args:
        skeleton: Skeleton of the poses, of which windows have the used joints; see `limbs`.
        spread: Standard deviation about each axis, in radians.
        device: Where windows are.

    Raises:
        ConfigError: Limbs hang from no fixed joint.
    """

    def __init__(self, skeleton: Skeleton, spread: float, device: torch.device) -> None:
        self.spread = spread
        found = limbs(skeleton)
        self._count = len(found)
        self._pivots = torch.empty(skeleton.num_used, 3, device=device)  # of each joint
        self._limb = torch.empty(skeleton.num_used, dtype=torch.int64, device=device)
        for number, (joints, pivot) in enumerate(found):
            self._pivots[joints] = torch.tensor(pivot, device=device)
            self._limb[joints] = number

    def __call__(self, windows: torch.Tensor) -> torch.Tensor:
        """Change windows ``(..., frames, joints, 3)``."""
        angles = self.spread * torch.randn((*windows.shape[:-3], self._count, 3), device=windows.device)
        rotations = rotation_from_exponential_map(angles)[..., self._limb, :, :]  # one a joint
        pivots = self._pivots.to(windows.dtype)
        turned = torch.einsum("...tjc,...jcd->...tjd", windows - pivots, rotations.to(windows.dtype))
        return turned + pivots


def limbs(skeleton: Skeleton) -> list[tuple[list[int], tuple[float, float, float]]]:
    """The groups of used joints that hang from one joint that does not move, and where that joint is.

    Args:
        skeleton: A skeleton of positions with constant joints and offsets.

    Returns:
        For each such joint the numbers of the joints below it, counted among the used ones, and its position.

    Raises:
        ConfigError: The skeleton holds rotations or has no offsets, or a used joint hangs from no constant one.

    Examples:
        >>> from posegraph.skeleton import presets
        >>> from posegraph.training.augmentation import limbs
        >>> [len(joints) for joints, _ in limbs(presets.get("cmu"))]
        [4, 4, 17]
    """
    constant = {skeleton.index(name) for name in skeleton.constant}
    found: dict[int, list[int]] = {}
    for number, joint in enumerate(skeleton.used):
        above = skeleton.parents[joint]
        while above >= 0 and above not in constant:
            above = skeleton.parents[above]
        if above < 0 or skeleton.offsets is None or skeleton.holds == "rotations":
            raise ConfigError(
                f"turn: expected a skeleton of positions with offsets, whose joints all hang from constant ones, got "
                f"{skeleton.name!r}, whose {skeleton.joint_names[joint]!r} does not. Train with turn=0."
            )
        found.setdefault(above, []).append(number)
    rest = forward_kinematics(torch.zeros(skeleton.num_joints, 3, dtype=torch.float64), skeleton).tolist()
    return [(joints, tuple(rest[pivot])) for pivot, joints in found.items()]
