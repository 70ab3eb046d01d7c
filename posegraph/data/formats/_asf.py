"""The skeleton of an ASF file."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from posegraph.data.formats._hierarchy import Turn, apply_turns
from posegraph.data.formats._text import decode, to_floats
from posegraph.errors import DataError

__all__ = ["AsfSkeleton", "Bone", "parse_asf"]

_INCH = 25.4
_DOF = {"tx": (False, 0), "ty": (False, 1), "tz": (False, 2), "rx": (True, 0), "ry": (True, 1), "rz": (True, 2)}
_SECTION = re.compile(r"^:(\S+)\s*(.*)$")


@dataclass(frozen=True)
class Bone:
    """A bone of an ASF; the root is one of no length."""

    name: str
    parent: int
    vector: np.ndarray
    """From where it starts to where it ends, in the world at rest."""
    frame: np.ndarray
    """The axes about which it turns, ``(3, 3)`` for column vectors."""
    degrees_of_freedom: tuple[tuple[bool, int], ...]
    """Whether each turns, and its axis, in the order of the AMC."""


@dataclass(frozen=True)
class AsfSkeleton:
    """What an ASF holds."""

    bones: tuple[Bone, ...]
    """Parents first."""
    millimetres: float | None
    """In one of its units; None if it does not say."""
    degrees: bool


def parse_asf(content: bytes, source: object) -> AsfSkeleton:
    """The skeleton of an ASF.

    Raises:
        DataError: It is none, or contradicts itself; the message names file and line.
    """

    def wrong(number: int, expected: str, got: str) -> DataError:
        return DataError(f"{source}, line {number}: expected {expected}, got {got}. Fetch the file again.")

    sections: dict[str, list[tuple[int, list[str]]]] = {}
    section = ""
    for number, line in enumerate(decode(content, source, "an ASF file").splitlines(), start=1):
        text = line.split("#")[0].strip()
        match = _SECTION.match(text)
        if match:
            section = match[1].lower()
            sections.setdefault(section, [])
            text = match[2] if section in ("version", "name") else ""
        if text:
            sections.setdefault(section, []).append((number, text.split()))
    for needed in ("root", "bonedata", "hierarchy"):
        if needed not in sections:
            raise wrong(1, f"an ASF file with a section :{needed}", "none")
    units = {words[0].lower(): words[1] for _, words in sections.get("units", []) if len(words) > 1}
    angle = units.get("angle", "deg").lower()
    if angle not in ("deg", "rad"):
        raise wrong(1, "angle deg or rad under :units", repr(angle))
    (length,) = to_floats([units.get("length", "1")], source, 1)
    if not 0 < length < np.inf:
        raise wrong(1, "a positive length under :units", f"{length:g}")
    degrees = angle == "deg"
    root = _fields(sections["root"])
    order = [word.lower() for word in root.get("order", (0, ["tx", "ty", "tz", "rx", "ry", "rz"]))[1]]
    known: dict[str, tuple[np.ndarray, np.ndarray, tuple[tuple[bool, int], ...]]] = {}
    line, axes = root.get("axis", (1, ["XYZ"]))
    _, turn = root.get("orientation", (1, ["0", "0", "0"]))
    at, place = root.get("position", (1, ["0", "0", "0"]))
    known["root"] = (
        _vector(place, at, wrong),
        _frame([*turn, *axes], line, degrees, wrong),
        _freedom(order, line, wrong),
    )
    for number, fields in _bones(sections["bonedata"], wrong):
        if "name" not in fields or not fields["name"][1]:
            raise wrong(number, "a bone with a name", "none")
        name = fields["name"][1][0]
        for needed in ("direction", "length"):
            if needed not in fields:
                raise wrong(number, f"a {needed} of bone {name}", "none")
        at, direction = fields["direction"]
        size = to_floats(fields["length"][1][:1], source, fields["length"][0])
        at_axis, axis = fields.get("axis", (number, ["0", "0", "0", "XYZ"]))
        at_dof, dof = fields.get("dof", (number, []))
        vector = _vector(direction, at, wrong) * (size[0] if size else 0.0)
        freedom = _freedom([d.lower() for d in dof if d.lower() != "l"], at_dof, wrong)
        if not np.isfinite(vector).all() or name in known:
            raise wrong(number, "every bone once with a finite length", name)
        known[name] = (vector, _frame(axis, at_axis, degrees, wrong), freedom)
    parents = _parents(sections["hierarchy"], known, wrong)
    names = list(parents)
    bones = tuple(Bone(name, names.index(above) if above else -1, *known[name]) for name, above in parents.items())
    return AsfSkeleton(bones, _INCH / length if length != 1 else None, degrees)


_Wrong = Callable[[int, str, str], DataError]


def _fields(lines: list[tuple[int, list[str]]]) -> dict[str, tuple[int, list[str]]]:
    return {words[0].lower(): (number, words[1:]) for number, words in lines}


def _bones(lines: list[tuple[int, list[str]]], wrong: _Wrong) -> list[tuple[int, dict[str, tuple[int, list[str]]]]]:
    bones: list[tuple[int, dict[str, tuple[int, list[str]]]]] = []
    current: list[tuple[int, list[str]]] | None = None
    for number, words in lines:
        keyword = words[0].lower()
        if keyword == "begin":
            current = []
        elif current is None:
            raise wrong(number, "begin", repr(words[0][:40]))
        elif keyword == "end":
            bones.append((number, _fields(current)))
            current = None
        else:
            current.append((number, words))
    if current is not None:
        raise wrong(lines[-1][0], "end of the last bone", "none")
    return bones


def _vector(words: list[str], number: int, wrong: _Wrong) -> np.ndarray:
    try:
        vector = np.array([float(word) for word in words], dtype=np.float64)
    except ValueError:
        vector = np.empty(0)
    if vector.shape != (3,) or not np.isfinite(vector).all():
        raise wrong(number, "three numbers", " ".join(words)[:40] or "none")
    return vector


def _frame(words: list[str], number: int, degrees: bool, wrong: _Wrong) -> np.ndarray:
    order = words[3].lower() if len(words) == 4 else ""
    if sorted(order) != ["x", "y", "z"]:
        raise wrong(number, "three angles and an order such as XYZ", " ".join(words)[:40] or "none")
    angles = _vector(words[:3], number, wrong)
    angles = np.deg2rad(angles) if degrees else angles
    # About fixed axes: the first one acts first. Columns turn the other way round than rows.
    turns: list[Turn] = [(index, -angles[[index]]) for index in map("xyz".index, order)]
    return apply_turns(turns, np.eye(3)[:, :, None])[..., 0]


def _freedom(words: list[str], number: int, wrong: _Wrong) -> tuple[tuple[bool, int], ...]:
    if len(set(words)) != len(words) or not set(words) <= set(_DOF):
        raise wrong(number, f"degrees of freedom among {', '.join(_DOF)}, each once", ", ".join(words)[:40])
    return tuple(_DOF[word] for word in words)


def _parents(lines: list[tuple[int, list[str]]], known: Mapping[str, object], wrong: _Wrong) -> dict[str, str]:
    """Parent of each bone, parents first; the root's is empty."""
    parents = {"root": ""}
    for number, (above, *below) in lines:
        if above.lower() in ("begin", "end"):
            continue
        if above not in parents:
            raise wrong(number, "a parent that is listed before", repr(above[:40]))
        for name in below:
            if name not in known or name in parents:
                raise wrong(number, "children that are bones, each once", repr(name[:40]))
            parents[name] = above
    return parents
