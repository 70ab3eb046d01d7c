"""Poses of one body as poses of another, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch

from posegraph._support.checks import check_finite
from posegraph.errors import ShapeError, SkeletonError
from posegraph.skeleton import presets
from posegraph.skeleton.landmarks import landmark_of_joints, weights_of_landmark
from posegraph.skeleton.retarget import follow
from posegraph.skeleton.skeleton import Skeleton

__all__ = ["JointMap"]


@dataclass(frozen=True)
class JointMap:
    """How the joints of a target body follow from those of a source body.

    A model that was trained on one body forecasts another in three steps: `apply` to the observed poses, the forecast,
    and `back`.

    Args:
        source: Body of the poses at hand.
        target: Body that they are to become.
        rows: For each joint of the target the joints of the source and their weights, which sum to 1.
        filled: Joints of the target that the source has nothing for. Their rows put them between others: on the line
            from the nearest joint above to the nearest one below, or on the one above.

    Examples:
        >>> import torch
        >>> from posegraph.skeleton import JointMap, presets
        >>> to_17 = JointMap.between("cmu", "body-17")
        >>> to_17.rows["left_knee"], to_17.rows["mid_hip"], to_17.filled
        ({'LeftLeg': 1.0}, {'LeftUpLeg': 0.5, 'RightUpLeg': 0.5}, ())
        >>> observed = presets.get("cmu").rest_pose().expand(10, 38, 3)
        >>> poses = to_17.apply(observed)
        >>> poses.shape, to_17.back(poses[-1:], template=observed[-1]).shape
        (torch.Size([10, 17, 3]), torch.Size([1, 38, 3]))
    """

    source: Skeleton
    target: Skeleton
    rows: Mapping[str, Mapping[str, float]]
    filled: tuple[str, ...] = ()

    @classmethod
    def between(
        cls, source: str | Skeleton, target: str | Skeleton, table: Mapping[str, str | Sequence[str]] | None = None
    ) -> JointMap:
        """Match two bodies by the names of their joints.

        Args:
            source: Body of the poses at hand, or its name.
            target: Body that they are to become, or its name.
            table: For some joints of the target the joint of the source, or several whose mean it is; in place of what
                names say.

        Raises:
            SkeletonError: The bodies share no joint; differ in unit or axes; or hold rotations.
            UnknownNameError: There is no body, or no joint, of a name.

        Examples:
            >>> from posegraph.skeleton import JointMap
            >>> JointMap.between("coco-17", "smpl-22", {"head": "nose"}).rows["head"]
            {'nose': 1.0}
        """
        source, target = presets.get(source), presets.get(target)
        _check_bodies(source, target)
        found = _by_name(source, target)
        for joint, joints in (table or {}).items():
            target.index(joint)
            of = (joints,) if isinstance(joints, str) else tuple(joints)
            for name in of:
                source.index(name)
            found[joint] = {name: of.count(name) / len(of) for name in of}
        if not found:
            raise SkeletonError(
                f"joint map: expected bodies with common joints, found none in {source.name!r} and {target.name!r}. "
                "Pass table={joint of the target: joint of the source}."
            )
        filled = tuple(joint for joint in target.joint_names if joint not in found)
        rows = {joint: found.get(joint) or _between(joint, target, found) for joint in target.joint_names}
        return cls(source, target, rows, filled)

    @cached_property
    def matrix(self) -> torch.Tensor:
        """The rows as a matrix ``(target joints, source joints)``, float64."""
        matrix = torch.zeros(self.target.num_joints, self.source.num_joints, dtype=torch.float64)
        for joint, row in self.rows.items():
            for name, weight in row.items():
                matrix[self.target.index(joint), self.source.index(name)] = weight
        return matrix

    def apply(self, poses: torch.Tensor) -> torch.Tensor:
        """Poses of the source as poses of the target.

        Args:
            poses: Poses ``(..., source joints, 3)`` of all joints, in any frame.

        Returns:
            Poses ``(..., target joints, 3)`` of all joints, relative to the target's origin.

        Raises:
            ShapeError: The poses do not have the source's joints.
        """
        _check_joints("poses", poses, self.source)
        mapped = self.matrix.to(poses) @ poses
        return mapped - self.target.origin_of(mapped)[..., None, :]

    def back(self, forecast: torch.Tensor, template: torch.Tensor) -> torch.Tensor:
        """Poses of the target as poses of the source, which keeps its bone lengths.

        Bones between joints that the target knows take their direction from the forecast. All others turn with the
        bone that they hang on; constant joints stay where the template has them.

        Args:
            forecast: Poses ``(..., target joints, 3)`` of all joints.
            template: Poses of the source that broadcast to ``(..., source joints, 3)``, such as the last observed one.
                They give the bone lengths, and the place of what the target does not know, such as fingers.

        Returns:
            Poses ``(..., source joints, 3)`` of all joints, relative to the source's origin.

        Raises:
            ShapeError: The poses do not have the joints of their bodies.
            DataError: A number is not finite.
        """
        _check_joints("forecast", forecast, self.target)
        _check_joints("template", template, self.source)
        check_finite("forecast", forecast)
        check_finite("template", template)
        start = template.expand(*forecast.shape[:-2], self.source.num_joints, 3).double()
        poses = follow(self.source, start, self._places(forecast.double(), start))
        return (poses - self.source.origin_of(poses)[..., None, :]).to(forecast.dtype)

    def _places(self, forecast: torch.Tensor, template: torch.Tensor) -> dict[int, torch.Tensor]:
        """Where the forecast has the joints of the source that it knows."""
        index = self.source.index
        places: dict[int, torch.Tensor] = {}
        known = [joint for joint in self.rows if joint not in self.filled]
        for joint in sorted(known, key=lambda joint: len(self.rows[joint])):  # single joints first
            members = [index(name) for name in self.rows[joint]]
            if not places.keys() & members:
                weights = torch.tensor([*self.rows[joint].values()], dtype=torch.float64, device=template.device)
                middle = (weights[:, None] * template[..., members, :]).sum(dim=-2)
                shift = forecast[..., self.target.index(joint), :] - middle
                places |= {member: template[..., member, :] + shift for member in members}
        for copy, origin in self.source.duplicates.items():
            one, other = index(copy), index(origin)
            if other in places or one in places:
                places[one] = places[other] = places.get(other, places.get(one, forecast))
        return places


def _by_name(source: Skeleton, target: Skeleton) -> dict[str, Mapping[str, float]]:
    if source.joint_names == target.joint_names:
        return {joint: {joint: 1.0} for joint in target.joint_names}
    joints, found = landmark_of_joints(source), dict[str, Mapping[str, float]]()
    landmarks = landmark_of_joints(target)
    for joint in target.joint_names:
        if joint in landmarks and (weights := weights_of_landmark(landmarks[joint], joints)):
            found[joint] = weights
    for copy, origin in target.duplicates.items():
        if origin in found:
            found[copy] = found[origin]
    return found


def _between(joint: str, body: Skeleton, found: Mapping[str, Mapping[str, float]]) -> Mapping[str, float]:
    """A row that puts a joint between the nearest known ones above and below, by the lengths of the bones."""
    names, parents = body.joint_names, body.parents
    lengths = [1.0] * len(names)
    if body.offsets is not None:
        lengths = [sum(v * v for v in offset) ** 0.5 for offset in body.offsets]
    above, way_up = body.index(joint), 0.0
    while above >= 0 and names[above] not in found:
        way_up += lengths[above]
        above = parents[above]
    below: list[tuple[bool, float, str]] = []
    for other in found:
        at, way = body.index(other), 0.0
        while at >= 0 and names[at] != joint and (names[at] == other or names[at] not in found):
            way += lengths[at]
            at = parents[at]
        if at >= 0 and names[at] == joint:
            below.append((body.side(body.index(other)) != body.side(body.index(joint)), way, other))
    if not below:  # without a known joint above either, the joint takes the first known one of its body
        return found[names[above]] if above >= 0 else next(iter(found.values()))
    _, way_down, nearest = min(below)
    if above < 0:
        return found[nearest]
    share = way_up / (way_up + way_down) if way_up + way_down else 0.0
    row = {name: (1 - share) * weight for name, weight in found[names[above]].items()}
    for name, weight in found[nearest].items():
        row[name] = row.get(name, 0.0) + share * weight
    return row


def _check_bodies(source: Skeleton, target: Skeleton) -> None:
    for body in (source, target):
        if body.holds != "positions":
            raise SkeletonError(
                f"joint map: expected bodies that hold positions, got {body.name!r} with {body.holds}. "
                "Make positions of them first: posegraph.skeleton.to_positions."
            )
    ours, theirs = ((body.unit, body.up, body.lateral) for body in (source, target))
    if ours != theirs:
        raise SkeletonError(
            "joint map: expected two bodies of the same unit, up axis and lateral axis, got "
            f"{ours} for {source.name!r} and {theirs} for {target.name!r}. Convert the poses first."
        )


def _check_joints(what: str, poses: torch.Tensor, body: Skeleton) -> None:
    if poses.ndim < 2 or poses.shape[-2:] != (body.num_joints, 3):
        raise ShapeError(
            what,
            f"(..., {body.num_joints} joints, 3)",
            tuple(poses.shape),
            f"All joints of skeleton {body.name!r}, not the used ones alone.",
        )
