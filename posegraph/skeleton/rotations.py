"""Rotations as exponential maps, matrices and Euler angles."""

from __future__ import annotations

import torch

from posegraph.errors import ShapeError

__all__ = ["euler_from_rotation", "exponential_map_from_rotation", "rotation_from_exponential_map"]


# Below this squared angle the closed forms of the coefficients divide by (nearly) zero. Their series, cut after four
# terms, is exact to float64 rounding there, and so is its first derivative.
_SMALL_SQUARED_ANGLE = 1e-3


def rotation_from_exponential_map(exponential_map: torch.Tensor) -> torch.Tensor:
    r"""Rotation matrices from exponential maps, the axis times the angle in radians (Rodrigues' formula).

    $R = I + \frac{\sin\theta}{\theta} K + \frac{1 - \cos\theta}{\theta^2} K^2$ with $\theta = \lVert r \rVert$ and $K$
    the cross-product matrix of $r$. In the files of the field's benchmarks these matrices act on **row** vectors from
    the right, ``v @ R``, so a vector turns by $-\theta$ about the axis: the transposed action of the same matrix on a
    column vector. `forward_kinematics` follows that. Values and gradients are finite everywhere, zero included.

    Args:
        exponential_map: Vectors ``(..., 3)`` in radians.

    Returns:
        Matrices ``(..., 3, 3)``.

    Raises:
        ShapeError: The last axis does not have three entries, or the tensor is not a floating-point one.

    Examples:
        >>> import torch
        >>> from posegraph.skeleton import rotation_from_exponential_map
        >>> quarter_turn_about_z = torch.tensor([0.0, 0.0, torch.pi / 2])
        >>> x = torch.tensor([1.0, 0.0, 0.0])
        >>> (x @ rotation_from_exponential_map(quarter_turn_about_z)).round().tolist()
        [-0.0, -1.0, 0.0]
    """
    r = exponential_map
    if r.ndim == 0 or r.shape[-1] != 3 or not r.dtype.is_floating_point:
        got = tuple(r.shape) if r.dtype.is_floating_point else r.dtype
        raise ShapeError("exponential_map", "floating-point (..., 3)", got, "Give axis times angle in radians.")
    squared = (r * r).sum(-1)
    small = squared < _SMALL_SQUARED_ANGLE
    angle = torch.where(small, 1.0, squared).sqrt()  # the branch not taken must be finite too, or its gradient is not
    half = torch.sin(angle / 2) / (angle / 2)
    sine = torch.where(small, 1 - squared / 6 * (1 - squared / 20 * (1 - squared / 42)), torch.sin(angle) / angle)
    versine = torch.where(small, 0.5 - squared / 24 * (1 - squared / 30 * (1 - squared / 56)), half * half / 2)
    x, y, z = r.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))
    identity = torch.eye(3, dtype=r.dtype, device=r.device)
    return identity + sine[..., None, None] * cross + versine[..., None, None] * (cross @ cross)


def euler_from_rotation(rotation: torch.Tensor) -> torch.Tensor:
    r"""Euler angles of rotation matrices that act on row vectors, as `rotation_from_exponential_map` makes them.

    The angles $(\alpha, \beta, \gamma)$ about x, y and z compose to $R^\top = R_z(\gamma) R_y(\beta) R_x(\alpha)$, with
    $\beta$ in $[-\pi/2, \pi/2]$. At its ends, where $\alpha$ and $\gamma$ turn about the same axis, $\gamma = 0$. These
    are the angles in which the field measured errors before it turned to positions.

    Args:
        rotation: Matrices ``(..., 3, 3)``.

    Returns:
        Angles ``(..., 3)`` in radians.

    Raises:
        ShapeError: The last two axes do not have three entries each.

    Examples:
        >>> import torch
        >>> from posegraph.skeleton import euler_from_rotation, rotation_from_exponential_map
        >>> about_y = rotation_from_exponential_map(torch.tensor([0.0, 0.5, 0.0]))
        >>> [round(angle, 3) for angle in euler_from_rotation(about_y).tolist()]
        [0.0, -0.5, 0.0]
    """
    if rotation.shape[-2:] != (3, 3):
        raise ShapeError("rotation", "(..., 3, 3)", tuple(rotation.shape), "Give rotation matrices.")
    sine = rotation[..., 0, 2].clamp(-1, 1)
    locked = sine.abs() == 1
    first = torch.atan2(rotation[..., 1, 2], rotation[..., 2, 2])
    third = torch.atan2(rotation[..., 0, 1], rotation[..., 0, 0])
    # Also the published convention, although R[0, 1] is 0 there: it is what published errors were measured with.
    alone = torch.atan2(rotation[..., 0, 1], rotation[..., 0, 2])
    return torch.stack([torch.where(locked, alone, first), -torch.asin(sine), torch.where(locked, 0.0, third)], dim=-1)


def exponential_map_from_rotation(rotation: torch.Tensor) -> torch.Tensor:
    """Exponential maps of rotation matrices; undoes `rotation_from_exponential_map` for angles up to pi.

    Args:
        rotation: Matrices ``(..., 3, 3)``.

    Returns:
        Vectors ``(..., 3)`` in radians, no longer than pi.

    Raises:
        ShapeError: The last two axes do not have three entries each.

    Examples:
        >>> import torch
        >>> from posegraph.skeleton import exponential_map_from_rotation, rotation_from_exponential_map
        >>> exponential_map_from_rotation(rotation_from_exponential_map(torch.tensor([0.0, 0.5, 0.0])))
        tensor([0.0000, 0.5000, 0.0000])
    """
    if rotation.shape[-2:] != (3, 3):
        raise ShapeError("rotation", "(..., 3, 3)", tuple(rotation.shape), "Give rotation matrices.")
    rows = [list(row.unbind(-1)) for row in rotation.unbind(-2)]
    (a, b, c), (d, e, f), (g, h, i) = rows
    # Four times the products of the quaternion's parts w, x, y, z; the row of the largest diagonal is well conditioned.
    products = torch.stack(
        [
            *(1 + a + e + i, h - f, c - g, d - b),
            *(h - f, 1 + a - e - i, b + d, c + g),
            *(c - g, b + d, 1 - a + e - i, f + h),
            *(d - b, c + g, f + h, 1 - a - e + i),
        ],
        dim=-1,
    ).unflatten(-1, (4, 4))
    best = products.diagonal(dim1=-2, dim2=-1).argmax(-1)[..., None, None].expand(*rotation.shape[:-2], 1, 4)
    quaternion = products.gather(-2, best).squeeze(-2)
    quaternion = quaternion / quaternion.norm(dim=-1, keepdim=True)
    quaternion = torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)
    axis = quaternion[..., 1:]
    sine = axis.norm(dim=-1, keepdim=True)
    tiny = sine < torch.finfo(sine.dtype).eps
    angle = 2 * torch.atan2(sine, quaternion[..., :1])
    return axis * torch.where(tiny, 2.0, angle / torch.where(tiny, 1.0, sine))
