"""Operators and resampling maps of every scale of a multi-scale network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from torch import nn

from posegraph._support.checks import check_choice
from posegraph.layers.operators import Operator, OperatorFactory, operator_factory
from posegraph.layers.pooling import JointPool, JointUnpool
from posegraph.layers.resample import NodeResample
from posegraph.skeleton.adjacency import coarsen_bones
from posegraph.skeleton.grouping import JointGrouping
from posegraph.skeleton.skeleton import Skeleton

__all__ = ["ResampleKind", "make_resampler", "scale_operators"]

ResampleKind = Literal["learned", "grouping"]
"""Name of a map between scales; see `make_resampler`."""


def scale_operators(
    operator: Operator, skeleton: Skeleton, groupings: Sequence[JointGrouping]
) -> list[OperatorFactory]:
    """The factory of a graph operator for each scale, for joint coordinates.

    Args:
        operator: As in `operator_factory`.
        skeleton: Its used joints are the finest scale; coarser bones follow from the groupings.
        groupings: From each scale to the next coarser one.

    Returns:
        One factory a scale, finest first.

    Raises:
        ConfigError: It is no operator.

    Examples:
        >>> from posegraph.skeleton import presets
        >>> from posegraph.layers import scale_operators
        >>> h36m = presets.get("h36m")
        >>> len(scale_operators("masked", h36m, h36m.scales(3)))
        3
    """
    bones, joints = skeleton.reduced.bones, skeleton.num_used
    factories = [operator_factory(operator, bones, joints)]
    for level in groupings:
        bones, joints = coarsen_bones(bones, level), level.num_groups
        factories.append(operator_factory(operator, bones, joints))
    return factories


def make_resampler(kind: ResampleKind, grouping: JointGrouping, *, down: bool) -> nn.Module:
    """The map between two scales, for joint coordinates.

    Args:
        kind: ``"learned"``: `NodeResample`. ``"grouping"``: the fixed `JointPool` or `JointUnpool`.
        grouping: Fine to coarse.
        down: From fine to coarse; otherwise back.

    Returns:
        A module from ``(batch, 3 * joints, channels)`` of one scale to the other's.

    Raises:
        ConfigError: Unknown kind.

    Examples:
        >>> from posegraph.skeleton import presets
        >>> from posegraph.layers import make_resampler
        >>> (to_12,) = presets.get("h36m").scales(2)
        >>> make_resampler("learned", to_12, down=True), make_resampler("grouping", to_12, down=False)
        (NodeResample(66, 36), JointUnpool(36 -> 66))
    """
    check_choice("resample", kind, get_args(ResampleKind))
    coordinates = grouping.over_axes()
    fine, coarse = coordinates.num_joints, coordinates.num_groups
    if kind == "learned":
        return NodeResample(fine, coarse) if down else NodeResample(coarse, fine)
    return JointPool(coordinates) if down else JointUnpool(coordinates)
