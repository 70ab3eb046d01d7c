"""Groups of joints, from each scale of a skeleton to the next coarser one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from posegraph.errors import SkeletonError, UnknownNameError

__all__ = ["JointGrouping"]


@dataclass(frozen=True)
class JointGrouping:
    """Which joints of a finer scale form each joint of the next coarser one.

    Groups may overlap: the published map from 12 to 7 joints uses two joints twice. A joint in no group is refused
    unless ``allow_unused`` says that it is meant.

    Args:
        groups: For each coarse joint, the indices of its fine joints.
        num_joints: Number of fine joints.
        names: Names of the coarse joints; optional.
        allow_unused: Accept fine joints that belong to no group.

    Raises:
        SkeletonError: A group is empty or repeats a joint, an index is out of range, or a joint is left out.

    Examples:
        >>> from posegraph.skeleton import JointGrouping
        >>> legs = JointGrouping(groups=((0, 1), (1, 2)), num_joints=3)
        >>> legs.num_groups, legs.shared
        (2, (1,))
        >>> legs.unpool_matrix().tolist()
        [[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]
    """

    groups: tuple[tuple[int, ...], ...]
    num_joints: int
    names: tuple[str, ...] = ()
    allow_unused: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "groups", tuple(tuple(int(j) for j in g) for g in self.groups))
        object.__setattr__(self, "names", tuple(self.names))
        if not self.groups:
            raise SkeletonError("groups: expected at least one group of joints, got none.")
        for i, group in enumerate(self.groups):
            if not group:
                raise SkeletonError(f"group {i}: expected at least one joint, got an empty group. Remove it.")
            if len(set(group)) != len(group):
                raise SkeletonError(f"group {i}: expected each joint once, got {group}. Remove the repeats.")
            bad = [j for j in group if not 0 <= j < self.num_joints]
            if bad:
                raise SkeletonError(
                    f"group {i}: expected joint indices in 0..{self.num_joints - 1}, got {bad}. "
                    "Indices count the joints of the next finer scale."
                )
        if self.names and len(self.names) != len(self.groups):
            raise SkeletonError(f"names: expected {len(self.groups)}, one a group, got {len(self.names)}.")
        if self.unused and not self.allow_unused:
            raise SkeletonError(
                f"joints {list(self.unused)} belong to no group. Add them to one, or pass allow_unused=True "
                "if they are to be left out."
            )

    @classmethod
    def from_names(
        cls, joint_names: Sequence[str], groups: Mapping[str, Sequence[str]], *, allow_unused: bool = False
    ) -> JointGrouping:
        """Build a grouping from joint names.

        Args:
            joint_names: Names of the fine joints, in order.
            groups: Coarse name to names of its fine joints.
            allow_unused: As in the class.

        Raises:
            UnknownNameError: A joint name is not in ``joint_names``.

        Examples:
            >>> from posegraph.skeleton import JointGrouping
            >>> JointGrouping.from_names(["hip", "knee", "foot"], {"leg": ["hip", "knee"], "foot": ["foot"]}).groups
            ((0, 1), (2,))
        """
        index = {name: i for i, name in enumerate(joint_names)}
        for members in groups.values():
            for name in members:
                if name not in index:
                    raise UnknownNameError("joint", name, joint_names)
        indices = tuple(tuple(index[name] for name in members) for members in groups.values())
        return cls(indices, len(joint_names), tuple(groups), allow_unused)

    @property
    def num_groups(self) -> int:
        """Number of coarse joints."""
        return len(self.groups)

    @property
    def unused(self) -> tuple[int, ...]:
        """Fine joints that belong to no group."""
        used = {j for group in self.groups for j in group}
        return tuple(j for j in range(self.num_joints) if j not in used)

    @property
    def shared(self) -> tuple[int, ...]:
        """Fine joints that belong to more than one group."""
        members = [j for group in self.groups for j in group]
        return tuple(j for j in range(self.num_joints) if members.count(j) > 1)

    def membership(self) -> torch.Tensor:
        """The 0/1 matrix ``(num_groups, num_joints)``: 1 where the joint belongs to the group."""
        matrix = torch.zeros(self.num_groups, self.num_joints)
        for i, group in enumerate(self.groups):
            matrix[i, list(group)] = 1.0
        return matrix

    def pool_matrix(self) -> torch.Tensor:
        """The matrix ``(num_groups, num_joints)`` that averages each group."""
        membership = self.membership()
        return membership / membership.sum(1, keepdim=True)

    def unpool_matrix(self) -> torch.Tensor:
        """The matrix ``(num_joints, num_groups)`` that gives each joint the mean of the groups it belongs to.

        A joint in no group gets zeros.
        """
        membership = self.membership().T
        return membership / membership.sum(1, keepdim=True).clamp(min=1.0)

    def over_axes(self, num_axes: int = 3) -> JointGrouping:
        """The same grouping for joint coordinates: node ``num_axes * joint + axis``, axes kept apart.

        Examples:
            >>> from posegraph.skeleton import JointGrouping
            >>> JointGrouping(((0, 1),), 2).over_axes(2).groups
            ((0, 2), (1, 3))
        """
        groups = tuple(tuple(num_axes * j + axis for j in group) for group in self.groups for axis in range(num_axes))
        return JointGrouping(groups, num_axes * self.num_joints, allow_unused=self.allow_unused)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary; `from_dict` reads it back."""
        return {
            "groups": [list(group) for group in self.groups],
            "num_joints": self.num_joints,
            "names": list(self.names),
            "allow_unused": self.allow_unused,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> JointGrouping:
        """Read what `to_dict` wrote."""
        groups = tuple(tuple(group) for group in data["groups"])
        return cls(groups, data["num_joints"], tuple(data["names"]), data["allow_unused"])
