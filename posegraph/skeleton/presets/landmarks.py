"""Where the joints of a standing adult are, for the rest poses of bodies that have none of their own.

The numbers are this library's own round figures for an adult of 1.68 m, not measurements and of no particular person.
They serve pictures, and wherever a plausible length of a bone is enough.
"""

from __future__ import annotations

from posegraph.errors import UnknownNameError
from posegraph.skeleton._fields import Vector
from posegraph.skeleton.sides import mirrored_pairs
from posegraph.skeleton.skeleton import Skeleton

__all__ = ["LANDMARKS", "standing"]

LANDMARKS: dict[str, Vector] = {
    "pelvis": (0.0, 80.0, 0.0),
    "mid hips": (0.0, 0.0, 0.0),
    "hip": (90.0, 0.0, 0.0),
    "knee": (95.0, -400.0, 10.0),
    "ankle": (95.0, -790.0, -20.0),
    "heel": (95.0, -850.0, -70.0),
    "foot": (105.0, -850.0, 100.0),
    "big toe": (95.0, -860.0, 160.0),
    "small toe": (145.0, -860.0, 120.0),
    "lower spine": (0.0, 180.0, -20.0),
    "half spine": (0.0, 245.0, -5.0),
    "mid spine": (0.0, 250.0, -20.0),
    "upper spine": (0.0, 310.0, -15.0),
    "chest": (0.0, 370.0, -5.0),
    "thorax": (0.0, 490.0, -10.0),
    "neck": (0.0, 560.0, -10.0),
    "half neck": (0.0, 590.0, 0.0),
    "skull base": (0.0, 650.0, 10.0),
    "ear height": (0.0, 690.0, 10.0),
    "head": (0.0, 690.0, 10.0),
    "head top": (0.0, 820.0, 10.0),
    "nose": (0.0, 680.0, 110.0),
    "inner eye": (18.0, 715.0, 95.0),
    "eye": (32.0, 715.0, 90.0),
    "outer eye": (46.0, 715.0, 80.0),
    "ear": (75.0, 690.0, 10.0),
    "mouth": (25.0, 645.0, 95.0),
    "collar": (60.0, 480.0, -10.0),
    "shoulder": (175.0, 490.0, -10.0),
    "elbow": (445.0, 490.0, -15.0),
    "wrist": (695.0, 490.0, -10.0),
    "hand": (775.0, 490.0, -10.0),
    "hand tip": (865.0, 490.0, -10.0),
    "thumb": (745.0, 490.0, 55.0),
    "index": (785.0, 490.0, 25.0),
    "pinky": (775.0, 490.0, -45.0),
}
"""Points in mm, arms held out to the sides: x to the subject's left, y up, z to the front. Those off the middle are
of the left side; the right side is their mirror image."""

Rows = tuple[tuple[str, str | None, str], ...]


def standing(name: str, joints: Rows, *, fps: float | None = None, origin: tuple[str, ...] = ()) -> Skeleton:
    """A body whose joints stand at landmarks.

    Poses are relative to the root, which is then constant; or to the middle of the joints that ``origin`` names.

    Args:
        name: Name of the body.
        joints: For each joint its name, its parent's, and its landmark.
        fps: Frame rate of its poses, if there is a usual one.
        origin: As in `posegraph.skeleton.Skeleton`.

    Raises:
        UnknownNameError: A landmark or a parent does not exist.

    Examples:
        >>> from posegraph.skeleton.presets.landmarks import standing
        >>> arm = standing("arm", (("s", None, "shoulder"), ("e", "s", "elbow")))
        >>> arm.offsets[1], arm.constant
        ((270.0, 0.0, -5.0), ('s',))
    """
    names = [joint for joint, _, _ in joints]
    pairs = mirrored_pairs(names)
    rights = {right for _, right in pairs}
    places: dict[str | None, Vector] = {None: (0.0, 0.0, 0.0)}
    for joint, _, landmark in joints:
        if landmark not in LANDMARKS:
            raise UnknownNameError("landmark", landmark, LANDMARKS)
        x, y, z = LANDMARKS[landmark]
        places[joint] = (-x if joint in rights else x, y, z)
    roots = tuple(joint for joint, parent, _ in joints if parent is None)
    if not origin:  # the root's own offset is zero where poses are relative to it
        places[None] = places[roots[0]]
    offsets = [tuple(a - b for a, b in zip(places[joint], places[parent], strict=True)) for joint, parent, _ in joints]
    return Skeleton.from_parents(
        names,
        [parent for _, parent, _ in joints],
        name=name,
        offsets=offsets,
        mirrored=pairs,
        constant=() if origin else roots,
        fps=fps,
        origin=origin,
    )
