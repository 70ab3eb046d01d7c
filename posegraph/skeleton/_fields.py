"""Values of neighbouring types, such as NumPy's numbers, as what a skeleton holds; or an error that names them."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np

from posegraph.errors import SkeletonError, UnknownNameError

Vector = tuple[float, float, float]
_UNSIGNED_ROOTS = (2**32 - 1, 2**64 - 1)  # -1 as body-model files store it, in unsigned integers


def as_text(what: str, value: object) -> str:
    """A string; NumPy's too."""
    if not isinstance(value, str):
        raise SkeletonError(
            f"{what}: expected text, got {value!r} of type {type(value).__name__}. Convert it with str()."
        )
    return str(value)


def as_texts(what: str, values: object) -> tuple[str, ...]:
    """A sequence of strings."""
    return tuple(as_text(what, value) for value in _items(what, values, "texts"))


def as_pairs(what: str, values: object) -> tuple[tuple[str, str], ...]:
    """A sequence of pairs of strings."""
    pairs = [as_texts(what, value) for value in _items(what, values, "pairs of joint names")]
    for pair in pairs:
        if len(pair) != 2:
            raise SkeletonError(f"{what}: expected pairs (left joint, right joint), got {pair}.")
    return tuple((pair[0], pair[1]) for pair in pairs)


def as_indices(what: str, values: object) -> tuple[int, ...]:
    """A sequence of integers: Python's, NumPy's or PyTorch's, but no floats, even whole ones."""
    return tuple(_as_index(what, value) for value in _items(what, values, "integers"))


def as_vectors(what: str, values: object) -> tuple[Vector, ...]:
    """A sequence of three finite numbers each; arrays and tensors too."""
    found: list[Vector] = []
    for value in _items(what, values, "vectors of three numbers"):
        numbers = [as_number(what, number) for number in _items(what, value, "three numbers")]
        if len(numbers) != 3 or not all(map(math.isfinite, numbers)):
            raise SkeletonError(f"{what}: expected vectors of three finite numbers, got {numbers}.")
        found.append((numbers[0], numbers[1], numbers[2]))
    return tuple(found)


def as_number(what: str, value: object) -> float:
    """A number; NumPy's and PyTorch's too, but no boolean and no text."""
    item: Any = value.item() if hasattr(value, "item") else value  # type: ignore[attr-defined]
    if isinstance(item, bool) or not isinstance(item, Real):
        raise SkeletonError(
            f"{what}: expected a number, got {value!r} of type {type(value).__name__}. Convert it with float()."
        )
    return float(item)


def as_rate(value: object) -> float | None:
    """Frames a second, or None."""
    rate = None if value is None else as_number("fps", value)
    if rate is not None and not 0 < rate < math.inf:
        raise SkeletonError(f"fps: expected frames a second above 0, or None, got {value!r}.")
    return rate


def parent_indices(joint_names: Sequence[str], parents: object) -> tuple[int, ...]:
    """The index of each joint's parent, -1 for the root, from any of the usual ways to write parents.

    A parent is an index or a name. The root's is -1, None, the root itself, or the largest unsigned integer. A mapping
    goes from joint to parent; a joint that it lacks is the root.
    """
    if isinstance(parents, Mapping):
        unknown = [name for name in parents if name not in joint_names]
        if unknown:
            raise UnknownNameError("joint", unknown[0], joint_names)
        parents = [parents.get(name) for name in joint_names]
    found: list[int] = []
    for joint, parent in enumerate(_items("parents", parents, "one parent a joint")):
        if isinstance(parent, str):
            if parent not in joint_names:
                raise UnknownNameError("joint", parent, joint_names)
            parent = joint_names.index(parent)
        index = -1 if parent is None else _as_index("parents", parent)
        found.append(-1 if index == joint or index in _UNSIGNED_ROOTS else index)
    return tuple(found)


def rooted(edges: Sequence[tuple[int, int]], count: int, root: int) -> tuple[int, ...]:
    """Parents of the tree that undirected edges make, self loops aside, seen from its root."""
    pairs = {(min(edge), max(edge)) for edge in edges if edge[0] != edge[1]}
    if len(pairs) != count - 1:
        raise SkeletonError(
            f"graph: expected a tree of {count} nodes with {count - 1} undirected edges, got {len(pairs)}. "
            "Pass the bones only."
        )
    neighbours: list[list[int]] = [[] for _ in range(count)]
    for i, j in sorted(pairs):
        neighbours[i].append(j)
        neighbours[j].append(i)
    parents = {root: -1}
    queue = [root]
    for joint in queue:  # grows while it is read
        new = [j for j in neighbours[joint] if j not in parents]
        parents.update(dict.fromkeys(new, joint))
        queue += new
    if len(parents) != count:
        raise SkeletonError(
            f"graph: expected one connected tree of {count} nodes, reached {len(parents)} from node {root}."
        )
    return tuple(parents[j] for j in range(count))


def _items(what: str, values: object, expected: str) -> list[Any]:
    if isinstance(values, (str, bytes, Mapping)) or not hasattr(values, "__iter__"):
        raise SkeletonError(f"{what}: expected a sequence of {expected}, got {values!r}.")
    shape = np.shape(values) if hasattr(values, "ndim") else (0,)  # type: ignore[arg-type]
    if not shape:
        raise SkeletonError(f"{what}: expected a sequence of {expected}, got the single value {values!r}.")
    return list(values)  # type: ignore[call-overload]


def _as_index(what: str, value: Any) -> int:
    try:
        if isinstance(value, (bool, np.bool_)):
            raise TypeError
        return operator.index(value)
    except TypeError:
        raise SkeletonError(
            f"{what}: expected integers, got {value!r} of type {type(value).__name__}. Convert it with int()."
        ) from None
