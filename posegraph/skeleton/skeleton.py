"""The skeleton: which joints a pose has, how they are connected, and which of them a model sees."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
import torch

from posegraph._support.checks import check_choice, check_positive
from posegraph.errors import ShapeError, SkeletonError, UnknownNameError
from posegraph.skeleton._fields import (
    Vector,
    as_indices,
    as_pairs,
    as_rate,
    as_text,
    as_texts,
    as_vectors,
    parent_indices,
    rooted,
)
from posegraph.skeleton.automatic import automatic_groupings, random_groupings
from posegraph.skeleton.grouping import JointGrouping
from posegraph.skeleton.sides import mirrored_pairs

__all__ = ["Holds", "Side", "Skeleton"]

Side = Literal["left", "right", "centre"]
"""Side of the body that a joint is on."""
Holds = Literal["positions", "rotations"]
"""What poses are made of: joint positions, or the rotation of each joint as an exponential map in radians."""
_NAMES = ("joint_names", "constant", "origin")  # fields of several names


@dataclass(frozen=True)
class Skeleton:
    """Joints, bones and scales of a body.

    A recording often has joints that carry no information: *constant* joints never move relative to the root, and
    *duplicate* joints always sit on another joint. Models see the *used* joints, all others; `reduce` selects them
    from a full pose and `expand` restores a full pose from them.

    Args:
        name: Short name, as used by the registry and in checkpoints.
        joint_names: Name of every joint.
        parents: Index of each joint's parent, -1 for the one root. Parents may come after their children.
        offsets: Rest-pose vector from parent to joint in ``unit``; needed for kinematics only.
        mirrored: Pairs (left joint, right joint) by name.
        constant: Joints that never move, by name.
        duplicates: Copy to source, by name; the source must be a used joint.
        groupings: Named sequences of groupings of the used joints, finest first; the first one is the default.
        fps: Frame rate of the poses that models see, in frames a second; ``None`` if it is not known.
        unit: Unit of positions and offsets.
        up: Axis that points up, for drawing.
        lateral: Axis that points to a side of the body, for mirror images.
        locked: Axes of used joints that never move, as in ``{"RightLeg": "yz"}`` for a knee that is a hinge. Only
            rotations have such axes.
        holds: What poses hold: positions, or rotations.
        origin: Joints whose mean is the origin of poses, by name; empty for the root. A body without a pelvis has its
            hips here.

    Raises:
        SkeletonError: The fields contradict each other.
        UnknownNameError: A joint name is not in ``joint_names``.

    Examples:
        >>> from posegraph.skeleton import Skeleton
        >>> arm = Skeleton("arm", ("shoulder", "elbow", "wrist"), (-1, 0, 1), constant=("shoulder",))
        >>> arm.used, arm.num_used, arm.bones
        ((1, 2), 2, ((0, 1), (1, 2)))
    """

    name: str
    joint_names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: tuple[Vector, ...] | None = None
    mirrored: tuple[tuple[str, str], ...] = ()
    constant: tuple[str, ...] = ()
    duplicates: Mapping[str, str] = field(default_factory=dict)
    groupings: Mapping[str, tuple[JointGrouping, ...]] = field(default_factory=dict)
    fps: float | None = None
    unit: str = "mm"
    up: Literal["x", "y", "z"] = "y"
    lateral: Literal["x", "y", "z"] = "x"
    locked: Mapping[str, str] = field(default_factory=dict)
    holds: Holds = "positions"
    origin: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self._convert()
        count = len(self.joint_names)
        if count == 0:
            raise SkeletonError("joint_names: expected at least one joint, got none.")
        if len(set(self.joint_names)) != count:
            repeated = sorted({n for n in self.joint_names if self.joint_names.count(n) > 1})
            raise SkeletonError(f"joint_names: expected each name once, got {repeated} more than once.")
        if len(self.parents) != count:
            raise SkeletonError(f"parents: expected {count}, one a joint, got {len(self.parents)}.")
        if self.offsets is not None and len(self.offsets) != count:
            raise SkeletonError(f"offsets: expected {count}, one a joint, got {len(self.offsets)}.")
        bad = [p for p in self.parents if not -1 <= p < count]
        if bad:
            raise SkeletonError(f"parents: expected joint indices in -1..{count - 1}, got {bad}.")
        roots = [j for j, p in enumerate(self.parents) if p == -1]
        if len(roots) != 1:
            raise SkeletonError(f"parents: expected exactly one root (parent -1), got joints {roots}.")
        if len(self.order) != count:
            loop = sorted(set(range(count)) - set(self.order))
            raise SkeletonError(f"parents: expected a tree, but joints {loop} form a cycle.")
        left_out = (*self.constant, *self.duplicates)
        for name in (*left_out, *self.duplicates.values(), *sum(self.mirrored, ()), *self.origin):
            self.index(name)
        for what, named in (("mirrored", sum(self.mirrored, ())), ("constant, duplicates", left_out)):
            repeated = sorted({name for name in named if named.count(name) > 1})
            if repeated:
                raise SkeletonError(f"{what}: expected each joint once, got {repeated} more than once.")
        if not self.used:
            raise SkeletonError("constant, duplicates: expected at least one used joint, got none.")
        for copy, source in self.duplicates.items():
            if self.index(source) not in self.used:
                raise SkeletonError(
                    f"duplicates: the source of {copy!r} must be a used joint, but {source!r} is constant or a copy."
                )
        for name, levels in self.groupings.items():
            self._check_levels(name, levels)
        for name, axes in self.locked.items():
            if self.index(name) not in self.used or not axes or not set(axes) <= set("xyz"):
                raise SkeletonError(f"locked: expected used joints with axes among 'xyz', got {name!r}: {axes!r}.")

    def _convert(self) -> None:
        """Make values of neighbouring types what the fields say."""
        values: dict[str, Any] = {name: as_texts(name, getattr(self, name)) for name in _NAMES}
        values |= {name: as_text(name, getattr(self, name)) for name in ("name", "unit")}
        values |= {
            "parents": as_indices("parents", self.parents),
            "mirrored": as_pairs("mirrored", self.mirrored),
            "duplicates": {as_text("duplicates", k): as_text("duplicates", v) for k, v in self.duplicates.items()},
            "groupings": {as_text("groupings", name): tuple(levels) for name, levels in self.groupings.items()},
            "offsets": None if self.offsets is None else as_vectors("offsets", self.offsets),
            "fps": as_rate(self.fps),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)
        check_choice("holds", self.holds, get_args(Holds))
        for name in ("up", "lateral"):
            check_choice(name, getattr(self, name), ("x", "y", "z"))

    def _check_levels(self, name: str, levels: Sequence[JointGrouping]) -> None:
        expected = self.num_used
        for i, level in enumerate(levels):
            if not isinstance(level, JointGrouping):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise SkeletonError(
                    f"grouping {name!r}, level {i}: expected a JointGrouping, got {type(level).__name__}."
                )
            if level.num_joints != expected:
                raise SkeletonError(
                    f"grouping {name!r}, level {i}: expected a grouping of {expected} joints, got one of "
                    f"{level.num_joints}. The first level groups the used joints, each further one the groups before."
                )
            expected = level.num_groups

    def index(self, name: str) -> int:
        """Index of a joint by name; raises `UnknownNameError`."""
        try:
            return self.joint_names.index(name)
        except ValueError:
            raise UnknownNameError("joint", name, self.joint_names) from None

    @property
    def num_joints(self) -> int:
        """Number of all joints."""
        return len(self.joint_names)

    @property
    def num_used(self) -> int:
        """Number of the joints that models see."""
        return len(self.used)

    @cached_property
    def used(self) -> tuple[int, ...]:
        """Indices of the joints that models see: neither constant nor duplicates."""
        left_out = {*self.constant, *self.duplicates}
        return tuple(j for j, name in enumerate(self.joint_names) if name not in left_out)

    @property
    def pose_unit(self) -> str:
        """Unit of the numbers of a pose: that of positions, or "rad" for rotations."""
        return "rad" if self.holds == "rotations" else self.unit

    @cached_property
    def moving(self) -> tuple[int, ...]:
        """The coordinates of the used joints that move, counted ``3 * joint + axis``: all but the locked ones."""
        locked = {(name, axis) for name, axes in self.locked.items() for axis in axes}
        coordinates = ((self.joint_names[joint], axis) for joint in self.used for axis in "xyz")
        return tuple(i for i, coordinate in enumerate(coordinates) if coordinate not in locked)

    @cached_property
    def root(self) -> int:
        """Index of the root."""
        return self.parents.index(-1)

    @cached_property
    def order(self) -> tuple[int, ...]:
        """Joints with every parent before its children."""
        order = [j for j, p in enumerate(self.parents) if p == -1]
        for joint in order:  # grows while it is read
            order += [j for j, p in enumerate(self.parents) if p == joint]
        return tuple(order)

    @property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """Pairs (parent, child), by child."""
        return tuple((p, j) for j, p in enumerate(self.parents) if p >= 0)

    def side(self, joint: int) -> Side:
        """Side of the body, from the mirrored pairs."""
        name = self.joint_names[joint]
        if any(name == left for left, _ in self.mirrored):
            return "left"
        return "right" if any(name == right for _, right in self.mirrored) else "centre"

    @cached_property
    def mirror(self) -> tuple[int, ...]:
        """For each joint the index of its mirror image; centre joints map to themselves."""
        mirror = list(range(self.num_joints))
        for left, right in self.mirrored:
            i, j = self.index(left), self.index(right)
            mirror[i], mirror[j] = j, i
        return tuple(mirror)

    def matches(self, other: Skeleton) -> bool:
        """Whether poses of the two mean the same: same joints, used ones and copies, same kind and unit of numbers."""
        ours, theirs = (
            (s.joint_names, s.used, dict(s.duplicates), s.holds, s.unit, s._origin_joints) for s in (self, other)
        )
        return ours == theirs

    @property
    def _origin_joints(self) -> list[int]:
        return [self.index(name) for name in self.origin] or [self.root]

    def origin_of(self, positions: torch.Tensor) -> torch.Tensor:
        """Where the origin of each pose is: at the root, or in the middle of the joints that ``origin`` names.

        Args:
            positions: Positions ``(..., num_joints, 3)`` in any frame.

        Returns:
            Points ``(..., 3)``. Positions less these points are what clips hold.

        Raises:
            ShapeError: The joint axis does not have ``num_joints`` entries.

        Examples:
            >>> import torch
            >>> from posegraph.skeleton import Skeleton
            >>> legs = Skeleton("legs", ("nose", "left_hip", "right_hip"), (-1, 0, 0), origin=("left_hip", "right_hip"))
            >>> positions = torch.tensor([[0.0, 1500.0, 0.0], [100.0, 900.0, 0.0], [-100.0, 900.0, 0.0]])
            >>> legs.origin_of(positions).tolist()
            [0.0, 900.0, 0.0]
        """
        self._check_joints("positions", positions, self.num_joints)
        return positions[..., self._origin_joints, :].mean(dim=-2)

    def rest_pose(self) -> torch.Tensor:
        """Positions of all joints where nothing is turned, ``(num_joints, 3)``; the root is at its own offset.

        Raises:
            SkeletonError: The skeleton has no offsets.

        Examples:
            >>> from posegraph.skeleton import presets
            >>> presets.get("coco-17").rest_pose()[0, 1].item()  # the nose above the hips, in mm
            680.0
        """
        if self.offsets is None:
            raise SkeletonError(
                f"skeleton {self.name!r}: expected the offset of every joint from its parent, got none. "
                "Build the skeleton with offsets=..."
            )
        positions = torch.tensor(self.offsets, dtype=torch.float64)
        for joint in self.order[1:]:
            positions[joint] += positions[self.parents[joint]]
        return positions.float()

    def reduce(self, full: torch.Tensor) -> torch.Tensor:
        """Select the used joints.

        Args:
            full: Poses ``(..., num_joints, 3)``.

        Returns:
            Poses ``(..., num_used, 3)``.

        Raises:
            ShapeError: The joint axis does not have ``num_joints`` entries.

        Examples:
            >>> import torch
            >>> from posegraph.skeleton import presets
            >>> presets.get("cmu").reduce(torch.zeros(4, 10, 38, 3)).shape
            torch.Size([4, 10, 25, 3])
        """
        self._check_joints("full poses", full, self.num_joints)
        return full.index_select(-2, torch.from_numpy(self._used_places).to(full.device))

    def expand(self, used: torch.Tensor, template: torch.Tensor) -> torch.Tensor:
        """Restore full poses: used joints and their copies from ``used``, constant joints from ``template``.

        Args:
            used: Poses ``(..., num_used, 3)``.
            template: Full poses that broadcast to ``(..., num_joints, 3)``; only constant joints are taken.

        Returns:
            Poses ``(..., num_joints, 3)``.

        Raises:
            ShapeError: A joint axis does not fit.
        """
        self._check_joints("used poses", used, self.num_used)
        self._check_joints("template", template, self.num_joints)
        full = template.expand(*used.shape[:-2], self.num_joints, 3)
        both = torch.cat((full, used.to(full)), dim=-2)
        return both.index_select(-2, torch.from_numpy(self._restored_from).to(both.device))

    @cached_property
    def _used_places(self) -> np.ndarray:
        return np.array(self.used, dtype=np.int64)

    @cached_property
    def _restored_from(self) -> np.ndarray:
        """Where each joint comes from among those of a full pose and, behind them, the used ones."""
        sources = {self.index(copy): self.index(source) for copy, source in self.duplicates.items()}
        behind = {joint: self.num_joints + place for place, joint in enumerate(self.used)}
        places = [behind.get(sources.get(joint, joint), joint) for joint in range(self.num_joints)]
        return np.array(places, dtype=np.int64)

    def _check_joints(self, what: str, poses: torch.Tensor, joints: int) -> None:
        if poses.ndim < 2 or poses.shape[-2] != joints or poses.shape[-1] != 3:
            remedy = f"Skeleton {self.name!r} has {self.num_joints} joints, {self.num_used} of them used."
            raise ShapeError(what, f"(..., {joints} joints, 3)", tuple(poses.shape), remedy)

    @cached_property
    def reduced(self) -> Skeleton:
        """The skeleton of the used joints alone.

        Each joint hangs on its nearest used ancestor, a copy standing for its source. Where the root itself is not
        used, its place is taken by the used joint nearest to it, centre joints first.
        """
        source = {self.index(c): self.index(s) for c, s in self.duplicates.items()}
        parent: dict[int, int] = {}
        depth = dict.fromkeys(self.used, 0)

        def hangs_on(joint: int, upper: int) -> bool:
            while joint != upper and joint in parent:
                joint = parent[joint]
            return joint == upper

        for joint in self.used:
            above = self.parents[joint]
            while above >= 0:
                candidate = source.get(above, above)
                # A copy may stand above its own source, which then must not hang on itself.
                if candidate in depth and not hangs_on(candidate, joint):
                    parent[joint] = candidate
                    break
                above = self.parents[above]
                depth[joint] += 1
        tops = [joint for joint in self.used if joint not in parent]
        root = min(tops, key=lambda j: (self.mirror[j] != j, depth[j], j))
        parent.update({joint: root for joint in tops if joint != root})
        parents = tuple(self.used.index(parent[joint]) if joint != root else -1 for joint in self.used)
        names = tuple(self.joint_names[j] for j in self.used)
        mirrored = tuple((left, right) for left, right in self.mirrored if left in names and right in names)
        return Skeleton(
            f"{self.name}-used",
            names,
            parents,
            mirrored=mirrored,
            groupings=self.groupings,
            fps=self.fps,
            unit=self.unit,
            up=self.up,
            lateral=self.lateral,
            locked=self.locked,
            holds=self.holds,
            origin=self.origin if set(self.origin) <= set(names) else (),
        )

    def with_groupings(self, name: str, levels: Sequence[JointGrouping]) -> Skeleton:
        """A copy whose default grouping is ``levels``, finest first.

        Raises:
            SkeletonError: A level does not fit the one before.

        Examples:
            >>> from posegraph.skeleton import presets
            >>> from posegraph.skeleton import JointGrouping
            >>> halves = JointGrouping((tuple(range(12)), tuple(range(12, 25))), 25)
            >>> presets.get("cmu").with_groupings("halves", [halves]).scales(2)[0].num_groups
            2
        """
        return replace(self, groupings={name: tuple(levels), **{k: v for k, v in self.groupings.items() if k != name}})

    def scales(self, num_scales: int, grouping: str | None = None) -> tuple[JointGrouping, ...]:
        """The groupings that lead from the used joints to ``num_scales`` scales.

        Args:
            num_scales: Number of scales; 1 needs no grouping.
            grouping: One of ``groupings``; or ``"automatic"`` to derive it from the parents; or ``"random-0"``,
                ``"random-1"``, ... for random groups of the default's sizes, drawn with that seed. The default is
                the skeleton's first grouping, or the automatic one if it has none.

        Returns:
            ``num_scales - 1`` groupings, finest first.

        Raises:
            UnknownNameError: The skeleton has no grouping of this name.
            SkeletonError: The grouping has too few levels.
        """
        check_positive(num_scales=num_scales)
        if grouping is None:
            grouping = next(iter(self.groupings), "automatic")
        grouping = as_text("grouping", grouping)
        if grouping == "automatic":
            return automatic_groupings(self.reduced.parents, num_scales - 1)
        kind, _, seed = grouping.partition("-")
        if kind == "random" and seed.isdecimal():
            sizes = [level.num_groups for level in self.scales(num_scales)]
            return random_groupings(self.num_used, sizes, seed=int(seed))
        if grouping not in self.groupings:
            raise UnknownNameError("grouping", grouping, [*self.groupings, "automatic", "random-0"])
        levels = self.groupings[grouping]
        if len(levels) < num_scales - 1:
            raise SkeletonError(
                f"grouping {grouping!r}: expected {num_scales - 1} levels for {num_scales} scales, got {len(levels)}. "
                "Ask for fewer scales or use grouping='automatic'."
            )
        return levels[: num_scales - 1]

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary; `from_dict` reads it back."""
        return {
            "name": self.name,
            "joint_names": list(self.joint_names),
            "parents": list(self.parents),
            "offsets": None if self.offsets is None else [list(v) for v in self.offsets],
            "mirrored": [list(pair) for pair in self.mirrored],
            "constant": list(self.constant),
            "duplicates": dict(self.duplicates),
            "groupings": {name: [level.to_dict() for level in levels] for name, levels in self.groupings.items()},
            "fps": self.fps,
            "unit": self.unit,
            "up": self.up,
            "lateral": self.lateral,
            "locked": dict(self.locked),
            "holds": self.holds,
            "origin": list(self.origin),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Skeleton:
        """Read what `to_dict` wrote."""
        offsets = data["offsets"]
        rotations = data["unit"] == "rad"  # how version 0.1 said it
        return cls(
            name=data["name"],
            joint_names=tuple(data["joint_names"]),
            parents=tuple(data["parents"]),
            offsets=None if offsets is None else tuple((v[0], v[1], v[2]) for v in offsets),
            mirrored=tuple((left, right) for left, right in data["mirrored"]),
            constant=tuple(data["constant"]),
            duplicates=dict(data["duplicates"]),
            groupings={
                name: tuple(JointGrouping.from_dict(level) for level in levels)
                for name, levels in data["groupings"].items()
            },
            fps=data["fps"],
            unit="mm" if rotations else data["unit"],
            up=data["up"],
            lateral=data.get("lateral", "x"),
            locked=dict(data.get("locked", {})),  # not in the files of version 0.1
            holds=data.get("holds", "rotations" if rotations else "positions"),
            origin=tuple(data.get("origin", ())),
        )

    @classmethod
    def from_parents(
        cls, joint_names: Iterable[str], parents: object, *, name: str = "body", **fields: Any
    ) -> Skeleton:
        """A skeleton from parents in any of the usual forms; mirrored joints are found by their names.

        Args:
            joint_names: Name of every joint.
            parents: A parent for each joint, or a mapping from joint to parent. A parent is an index or a name; the
                root's is -1, None, the root itself, or the largest unsigned integer, as body-model files have it.
            name: Name of the skeleton.
            **fields: Further fields of the class. ``mirrored`` is by default what
                `posegraph.skeleton.mirrored_pairs` finds.

        Raises:
            SkeletonError: The parents are no tree of these joints, or a value is of another type.
            UnknownNameError: A parent is not in ``joint_names``.

        Examples:
            >>> from posegraph.skeleton import Skeleton
            >>> legs = Skeleton.from_parents(("pelvis", "L_Hip", "R_Hip"), (None, "pelvis", "pelvis"))
            >>> legs.parents, legs.mirrored
            ((-1, 0, 0), (('L_Hip', 'R_Hip'),))
        """
        names = as_texts("joint_names", joint_names)
        fields.setdefault("mirrored", mirrored_pairs(names))
        return cls(name, names, parent_indices(names, parents), **fields)

    @classmethod
    def from_graph(cls, graph: Any, *, root: object = None, name: str | None = None, **fields: Any) -> Skeleton:
        """A skeleton from a tree-shaped networkx graph, whose nodes are the joints.

        Args:
            graph: `networkx.Graph`, or `networkx.DiGraph` with edges from parent to child.
            root: The root's node; by default the one without a parent, or the first of an undirected graph.
            name: Name of the skeleton; by default the graph's.
            **fields: As in `from_parents`.

        Raises:
            SkeletonError: The graph is not a tree, or the root not one of its nodes.

        Examples:
            >>> import networkx as nx
            >>> from posegraph.skeleton import Skeleton
            >>> Skeleton.from_graph(nx.path_graph(["hip", "knee", "ankle"])).parents
            (-1, 0, 1)
        """
        nodes = list(graph.nodes)
        if root is None and graph.is_directed():
            root = next((node for node, degree in graph.in_degree if degree == 0), None)
        root = nodes[0] if root is None and nodes else root
        if root not in nodes:
            raise SkeletonError(f"root: expected one of the graph's {len(nodes)} nodes, got {root!r}.")
        place = {node: index for index, node in enumerate(nodes)}
        edges = [(place[one], place[other]) for one, other in graph.edges()]
        parents = rooted(edges, len(nodes), place[root])
        if graph.is_directed() and any(parents[child] != parent for parent, child in edges if parent != child):
            raise SkeletonError("graph: expected directed edges from parent to child, got others. Turn them round.")
        return cls.from_parents(map(str, nodes), parents, name=name or graph.name or "graph", **fields)
