"""The text of a BVH file: its hierarchy, its counts and its numbers."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from posegraph.data.formats._hierarchy import Turn
from posegraph.data.formats._text import LARGEST_NUMBERS, decode, parse_rows, split_numbers, to_floats
from posegraph.errors import DataError

__all__ = ["BvhFile", "Channel", "Node", "parse"]

Channel = tuple[bool, int]
"""Whether it is a rotation, and the axis: 0, 1 or 2."""
_CHANNEL = re.compile(r"([XYZ])(position|rotation)", re.IGNORECASE)
_MOST_JOINTS = 1000
_COMMON_RATES = (24, 25, 30, 48, 50, 60, 72, 90, 100, 120, 144, 200, 240, 250, 300, 480, 500, 1000)


@dataclass
class Node:
    """A joint or an end site of the hierarchy."""

    name: str
    parent: int
    line: int
    offset: tuple[float, float, float] | None = None
    channels: tuple[Channel, ...] | None = None


@dataclass(frozen=True)
class BvhFile:
    """What a file holds, in its own unit."""

    nodes: tuple[Node, ...]
    """Joints and end sites, parents first."""
    values: np.ndarray
    """``(frames, channels)`` float64, angles in degrees; NaN where the file has it."""
    fps: float | None
    """None if the file does not say it."""
    fps_line: int | None
    """Line that says it."""
    first_line: int
    """Line of the first frame."""

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *itertools.accumulate(len(node.channels or ()) for node in self.nodes)]

    def columns(self, joint: int, *, rotations: bool) -> list[tuple[int, int]]:
        """Pairs (axis, column of ``values``) of a joint's rotations or positions, in the order of the file."""
        own = enumerate(self.nodes[joint].channels or (), start=self._starts[joint])
        return [(axis, column) for column, (rotates, axis) in own if rotates == rotations]

    def turns(self, joint: int) -> list[Turn]:
        """Turns of a joint in its parent, in the order of the file."""
        return [(axis, np.deg2rad(self.values[:, column])) for axis, column in self.columns(joint, rotations=True)]


def parse(content: bytes, source: object) -> BvhFile:
    """What a BVH file holds.

    Args:
        content: The file.
        source: Its name, for messages.

    Raises:
        DataError: It is no BVH, its hierarchy is broken, or counts do not fit; the message names file and line.

    Examples:
        >>> from posegraph.data.formats._bvh_parser import parse
        >>> text = b'''HIERARCHY
        ... ROOT Hips { OFFSET 0 0 0 CHANNELS 3 Xrotation Yrotation Zrotation End Site { OFFSET 0 170 0 } }
        ... MOTION
        ... Frames: 1
        ... Frame Time: 0.033
        ... 0 0 90
        ... '''
        >>> file = parse(text, "top.bvh")
        >>> [node.name for node in file.nodes], file.fps, file.values.shape
        (['Hips', 'Hips_Site'], 30.0, (1, 3))
    """
    lines = decode(content, source, "a BVH file, which begins with HIERARCHY").splitlines()
    start = next((number for number, line in enumerate(lines) if line.strip().upper() == "MOTION"), None)
    if start is None:
        what = "HIERARCHY" if not any(line.strip().upper().startswith("HIERARCHY") for line in lines) else "MOTION"
        raise DataError(
            f"{source}, line {len(lines)}: expected a BVH file with a line {what}, got none. Export it again as BVH."
        )
    nodes = _hierarchy(lines[:start], source)
    columns = sum(len(node.channels or ()) for node in nodes)
    if columns == 0:
        raise DataError(f"{source}: expected CHANNELS that move the body, got none. Export it with its motion.")
    claimed, fps, fps_line, first = _motion_head(lines, start + 1, source, columns)
    values = parse_rows(
        lines[first:],
        first + 1,
        columns,
        source,
        f"The hierarchy has {columns} channels. If every line is like this, the hierarchy is another body's; if only "
        "some are, fetch the file again.",
    )
    if claimed is not None and len(values) != claimed[0]:
        raise DataError(
            f"{source}, line {claimed[1]}: expected {claimed[0]} frames as this line says, got {len(values)}. If the "
            "file was cut off, fetch it again; else correct the line."
        )
    return BvhFile(tuple(nodes), values, fps, fps_line, first + 1)


def _motion_head(
    lines: list[str], at: int, source: object, columns: int
) -> tuple[tuple[int, int] | None, float | None, int | None, int]:
    """Claimed frames with their line, frame rate with its line, and index of the first line of numbers."""
    claimed: tuple[int, int] | None = None
    fps: float | None = None
    fps_line: int | None = None
    while at < len(lines):
        line = lines[at].strip()
        key, colon, value = line.partition(":")
        key = " ".join(key.lower().split())
        if key.startswith("frames") and not colon:
            key, value = "frames", line[6:]
        if key.startswith("frame time") and not colon:
            key, value = "frame time", line[10:]
        if line and key not in ("frames", "frame time"):
            break
        if key == "frames":
            if not value.strip().isdecimal():
                raise DataError(
                    f"{source}, line {at + 1}: expected a number of frames, got {value.strip()[:40]!r}. Correct it."
                )
            frames = int(value.strip()[:20])
            if frames * columns > LARGEST_NUMBERS:
                raise DataError(
                    f"{source}, line {at + 1}: expected at most {LARGEST_NUMBERS // columns:,} frames of {columns} "
                    f"channels, got {frames:,}. Correct the line, or cut the file into pieces."
                )
            claimed = frames, at + 1
        elif key == "frame time":
            fields = split_numbers(value)
            seconds = to_floats(fields[:1], source, at + 1, "Correct the line, as in Frame Time: 0.008333.")
            fps, fps_line = _rate(fields[0], seconds[0]) if fields else None, at + 1
        at += 1
    return claimed, fps, fps_line, at


def _rate(text: str, seconds: float) -> float:
    """Frames a second: the common rate, else the whole one, that gives the time in the digits printed."""
    if not 0 < seconds < math.inf:
        return 0.0
    digits = re.search(r"\.(\d*)$", text)
    last_digit = max(10.0 ** -len(digits[1]) if digits else 0.0, 1e-9)
    common = min(_COMMON_RATES, key=lambda rate: abs(1 / rate - seconds))
    for rate in (common, round(1 / seconds)):
        if rate and abs(1 / rate - seconds) <= last_digit:
            return float(rate)
    return 1 / seconds


def _is_number(token: str) -> bool:
    return token[0] in "+-.,0123456789" or token.lower() in ("nan", "inf")


def _tokens(lines: list[str]) -> list[tuple[int, str]]:
    """Words of the hierarchy with their lines; what names a joint is one word with its keyword."""
    tokens: list[tuple[int, str]] = []
    for number, line in enumerate(lines, start=1):
        for piece in re.split(r"([{}])", line):
            words = piece.split()
            if words and words[0].upper() in ("ROOT", "JOINT", "END"):
                tokens.append((number, words[0].upper()))
                tokens.append((number, " ".join(words[1:])))
            else:
                tokens += [(number, word) for word in words]
    return tokens


def _hierarchy(lines: list[str], source: object) -> list[Node]:
    """Joints and end sites of the hierarchy, parents first; without recursion, however deep."""

    def wrong(number: int, expected: str, got: str, remedy: str = "Export the file again.") -> DataError:
        return DataError(f"{source}, line {number}: expected {expected}, got {got}. {remedy}")

    tokens = _tokens(lines)
    last = len(lines)
    if not tokens or tokens[0][1].upper() != "HIERARCHY":
        got = repr(tokens[0][1][:40]) if tokens else "nothing"
        raise wrong(tokens[0][0] if tokens else 1, "HIERARCHY", got, "Is it a BVH file?")
    nodes: list[Node] = []
    open_nodes: list[int] = []
    at = 1
    while at < len(tokens):
        number, word = tokens[at]
        keyword = word.upper()
        node = nodes[open_nodes[-1]] if open_nodes else None
        if keyword in ("ROOT", "JOINT", "END"):
            name = tokens[at + 1][1]
            if keyword == "ROOT" and nodes:
                raise wrong(number, "one ROOT", "another", "Split the file: a clip has one body.")
            if keyword != "ROOT" and (node is None or node.name.endswith("\0")):
                raise wrong(number, "JOINT and End Site below ROOT", f"{word} outside of it")
            if keyword != "END" and not name:
                raise wrong(number, f"a name after {word}", "none")
            if at + 2 >= len(tokens) or tokens[at + 2][1] != "{":
                raise wrong(number, f"'{{' after {word} {name}", "none", "Brackets have to be balanced.")
            nodes.append(Node("\0" if keyword == "END" else name, open_nodes[-1] if open_nodes else -1, number))
            if len(nodes) > _MOST_JOINTS:
                raise wrong(number, f"at most {_MOST_JOINTS} joints", "more")
            open_nodes.append(len(nodes) - 1)
            at += 3
        elif node is None:
            raise wrong(number, "ROOT or MOTION", repr(word[:40]), "Brackets have to be balanced.")
        elif keyword == "OFFSET":
            own = list(itertools.takewhile(_is_number, (token for _, token in tokens[at + 1 : at + 4])))
            fields = split_numbers(" ".join(own), 3)
            if len(fields) != 3 or node.offset is not None:
                got = "a second OFFSET" if node.offset is not None else f"{len(fields)}"
                raise wrong(number, "three numbers after OFFSET, once a joint", got)
            x, y, z = to_floats(fields, source, number, "Export the file again.")
            if not all(abs(value) < 1e9 for value in (x, y, z)):
                raise wrong(number, "finite numbers after OFFSET", f"{x}, {y}, {z}")
            node.offset = x, y, z
            at += 1 + len(own)
        elif keyword == "CHANNELS":
            count = tokens[at + 1][1] if at + 1 < len(tokens) else ""
            if not count.isdecimal() or int(count[:9]) > 6 or node.channels is not None or node.name == "\0":
                raise wrong(number, "CHANNELS with a number of up to 6, once a joint", repr(count[:40]))
            words = [token for _, token in tokens[at + 2 : at + 2 + int(count)]]
            matches = [_CHANNEL.fullmatch(token) for token in words]
            channels = tuple((m[2].lower() == "rotation", "XYZ".index(m[1].upper())) for m in matches if m)
            if len(channels) != int(count) or len(set(channels)) != len(channels):
                raise wrong(number, f"{count} channels such as Xposition or Zrotation, each once", ", ".join(words))
            node.channels = channels
            at += 2 + int(count)
        elif keyword == "}":
            site = node.name == "\0"
            if node.offset is None:
                raise wrong(node.line, f"an OFFSET of {'the end site' if site else node.name}", "none")
            if node.channels is None and not site:
                raise wrong(node.line, f"CHANNELS of {node.name}", "none", "A joint without has the line CHANNELS 0.")
            open_nodes.pop()
            at += 1
        else:
            known = "OFFSET, CHANNELS, JOINT, End Site or '}'"
            raise wrong(number, known, repr(word[:40]))
    if open_nodes or not nodes:
        missing = f"'}}' for {nodes[open_nodes[-1]].name.strip(chr(0)) or 'the end site'}" if open_nodes else "ROOT"
        raise wrong(last, missing, "none", "Brackets have to be balanced.")
    _name_sites(nodes)
    return nodes


def _name_sites(nodes: list[Node]) -> None:
    sites: dict[int, int] = {}
    for node in nodes:
        if node.name == "\0":
            sites[node.parent] = count = sites.get(node.parent, 0) + 1
            node.name = f"{nodes[node.parent].name}_Site{count if count > 1 else ''}"
