"""The built-in skeletons, by joint name.

Positions are in millimetres and follow the exponential-map files that the field's papers use, with y up and the
subject's left on the positive x axis. A joint's position is where the bone of its name starts: "RightLeg" is the
right knee.

* ``h36m``: Human3.6M, 32 joints, 22 of them used. Bone names are the data set's own; ``_Site`` marks end sites.
* ``cmu``: CMU Mocap in the 38-joint BVH conversion, 25 joints used. Offsets are BVH units times 70, as in the
  published benchmark; that makes "millimetres" about 24 % too long. Frames are every second one of 120 a second.
* ``h36m-angles``, ``cmu-angles``: the same bodies with rotations in place of positions, each joint's exponential map in
  radians. Of the joints that rotate, 20 and 26 are used: all but the root, whose rotation forecasts leave out. Axes
  that never move are locked.

Each has a grouping into 10 parts and 5 bodies, ``"parts"``, after DMGNN (Li et al., CVPR 2020); for positions, whose
joints are others than DMGNN's, it is our reading.
"""

from __future__ import annotations

from posegraph.errors import UnknownNameError
from posegraph.skeleton.presets.cmu import cmu, cmu_angles
from posegraph.skeleton.presets.h36m import h36m, h36m_angles
from posegraph.skeleton.skeleton import Skeleton

__all__ = ["get", "names"]


_BUILDERS = {"cmu": cmu, "cmu-angles": cmu_angles, "h36m": h36m, "h36m-angles": h36m_angles}


def names() -> list[str]:
    """Names of the built-in skeletons."""
    return sorted(_BUILDERS)


def get(skeleton: str | Skeleton) -> Skeleton:
    """A built-in skeleton by name; a `Skeleton` is returned as it is.

    Raises:
        UnknownNameError: There is no built-in skeleton of this name.

    Examples:
        >>> from posegraph.skeleton import presets
        >>> cmu = presets.get("cmu")
        >>> cmu.num_joints, cmu.num_used, [level.num_groups for level in cmu.scales(4)]
        (38, 25, [12, 7, 4])
    """
    if isinstance(skeleton, Skeleton):
        return skeleton
    if skeleton not in _BUILDERS:
        raise UnknownNameError("skeleton", skeleton, names())
    return _BUILDERS[skeleton]()
