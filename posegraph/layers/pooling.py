"""Fixed maps between pose scales, from a joint grouping."""

from __future__ import annotations

import torch
from torch import nn

from posegraph.errors import ShapeError
from posegraph.skeleton.grouping import JointGrouping

__all__ = ["JointPool", "JointUnpool"]


class JointPool(nn.Module):
    r"""Mean of each group of joints: $y_g = \frac{1}{|g|}\sum_{j \in g} x_j$.

    Makes the coarser poses of MSR-GCN (Dang et al., ICCV 2021). Works on any axis order whose second last axis is the
    joints: poses ``(batch, frames, joints, 3)`` with a grouping of joints, or nodes ``(batch, nodes, channels)`` with
    `JointGrouping.over_axes`.

    Args:
        grouping: Fine to coarse; groups may overlap, a shared joint then counts in each of its groups.

    Shape:
        - Input: ``(..., grouping.num_joints, channels)``
        - Output: ``(..., grouping.num_groups, channels)``

    Raises:
        ShapeError: The input has another number of joints.

    Examples:
        >>> import torch
        >>> from posegraph.skeleton import presets
        >>> from posegraph.layers import JointPool
        >>> (to_12,) = presets.get("h36m").scales(2)
        >>> JointPool(to_12)(torch.zeros(8, 35, 22, 3)).shape
        torch.Size([8, 35, 12, 3])
    """

    matrix: torch.Tensor

    def __init__(self, grouping: JointGrouping) -> None:
        super().__init__()
        self.grouping = grouping
        self.register_buffer("matrix", grouping.pool_matrix(), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Pool; shapes as in the class."""
        _check_joints("pooling input", x, self.grouping.num_joints)
        return torch.matmul(self.matrix, x)

    def extra_repr(self) -> str:
        """Sizes, for printing."""
        return f"{self.grouping.num_joints} -> {self.grouping.num_groups}"


class JointUnpool(nn.Module):
    r"""Give each joint the mean of the groups that it belongs to: $x_j = \frac{1}{|\{g \ni j\}|}\sum_{g \ni j} y_g$.

    For groups that do not overlap this copies each group to its joints. A joint in no group gets zeros.

    Args:
        grouping: Fine to coarse, as in `JointPool`.

    Shape:
        - Input: ``(..., grouping.num_groups, channels)``
        - Output: ``(..., grouping.num_joints, channels)``

    Raises:
        ShapeError: The input has another number of groups.

    Examples:
        >>> import torch
        >>> from posegraph.skeleton import JointGrouping
        >>> from posegraph.layers import JointUnpool
        >>> overlapping = JointGrouping(((0, 1), (1, 2)), 3)
        >>> JointUnpool(overlapping)(torch.tensor([[2.0], [4.0]])).flatten().tolist()
        [2.0, 3.0, 4.0]
    """

    matrix: torch.Tensor

    def __init__(self, grouping: JointGrouping) -> None:
        super().__init__()
        self.grouping = grouping
        self.register_buffer("matrix", grouping.unpool_matrix(), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Unpool; shapes as in the class."""
        _check_joints("unpooling input", x, self.grouping.num_groups)
        return torch.matmul(self.matrix, x)

    def extra_repr(self) -> str:
        """Sizes, for printing."""
        return f"{self.grouping.num_groups} -> {self.grouping.num_joints}"


def _check_joints(what: str, x: torch.Tensor, joints: int) -> None:
    if x.ndim < 2 or x.shape[-2] != joints:
        raise ShapeError(
            what, f"(..., {joints} joints, channels)", tuple(x.shape), "Joints are on the second last axis."
        )
