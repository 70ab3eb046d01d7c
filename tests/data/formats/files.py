"""Small motion files that the tests of formats make up."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np

from posegraph.data import formats
from posegraph.errors import PosegraphError

# (name, parent, offset, channels): mixed orders, fewer channels, a joint of no length, position channels on a joint.
BODY = (
    ("Hips", -1, (0.0, 0.0, 0.0), "Xposition Yposition Zposition Zrotation Xrotation Yrotation"),
    ("LeftUpLeg", 0, (10.0, -5.0, 0.0), "Zrotation Yrotation Xrotation"),
    ("LeftLeg", 1, (0.0, -42.0, 0.0), "Xrotation"),
    ("LeftFoot", 2, (0.0, -40.0, 1.0), "Yrotation Xrotation Zrotation"),
    ("LeftFoot_Site", 3, (0.0, -6.0, 14.0), None),
    ("RightUpLeg", 0, (-10.0, -5.0, 0.0), "Zrotation Yrotation Xrotation"),
    ("RightLeg", 5, (0.0, -42.0, 0.0), "Xrotation"),
    ("RightFoot", 6, (0.0, -40.0, 1.0), "Yrotation Xrotation Zrotation"),
    ("RightFoot_Site", 7, (0.0, -6.0, 14.0), None),
    ("Spine", 0, (0.0, 20.0, 0.0), "Xposition Yposition Zposition Yrotation Zrotation Xrotation"),
    ("Neck", 9, (0.0, 33.0, 0.0), "Zrotation Xrotation Yrotation"),
    ("Neck_Site", 10, (0.0, 25.0, 2.0), None),
    ("LeftShoulder", 9, (0.0, 33.0, 0.0), "Zrotation Xrotation Yrotation"),
    ("LeftArm", 12, (18.0, 0.0, 0.0), "Zrotation Xrotation Yrotation"),
    ("LeftArm_Site", 13, (60.0, 0.0, 0.0), None),
)


def channels() -> list[tuple[int, str]]:
    """Pairs (joint, channel) in the order of a line."""
    return [(joint, name) for joint, (_, _, _, own) in enumerate(BODY) for name in (own or "").split()]


def random_values(frames: int, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    columns = [generator.uniform(-40, 40, frames) for _ in channels()]
    for column, (joint, name) in enumerate(channels()):
        if name.endswith("position"):
            base = np.array([0.0, 90.0, 0.0]) if joint == 0 else np.array(BODY[joint][2])
            columns[column] = base["XYZ".index(name[0])] + generator.normal(size=frames)
    return np.stack(columns, axis=1)


def bvh_text(values: np.ndarray, frame_time: str = "0.0083333", number: str = "%.6f") -> str:
    """The body of this module moved by ``(frames, channels)``."""
    lines, open_joints = ["HIERARCHY"], []
    for name, parent, offset, own in BODY:
        while open_joints and open_joints[-1] != parent:
            lines.append("}")
            open_joints.pop()
        lines.append("End Site" if own is None else f"{'ROOT' if parent < 0 else 'JOINT'} {name}")
        lines += ["{", "OFFSET " + " ".join(number % value for value in offset)]
        if own is not None:
            lines.append(f"CHANNELS {len(own.split())} {own}")
        open_joints.append([body[0] for body in BODY].index(name))
    lines += ["}"] * len(open_joints)
    lines += ["MOTION", f"Frames: {len(values)}", f"Frame Time: {frame_time}"]
    lines += [" ".join(number % value for value in row) for row in values]
    return "\n".join(lines) + "\n"


def damaged(content: bytes, count: int, seed: int = 0) -> list[bytes]:
    """Copies with bytes changed, cut, doubled and taken out."""
    generator = random.Random(seed)
    pieces = (b"nan", b"-1", b"1e999", b"}", b"{", b"99999999999", b"\n", b",", b"\xff", b"\0", b"-", b"\t\t")
    copies: list[bytes] = []
    for _ in range(count):
        copy = bytearray(content)
        for _ in range(generator.randint(1, 3)):
            at = generator.randrange(len(copy))
            match generator.randrange(5):
                case 0:
                    copy[at] = generator.randrange(256)
                case 1:
                    del copy[max(at, 1) :]
                case 2:
                    del copy[at : at + generator.randint(1, 40)]
                case 3:
                    copy[at:at] = generator.choice(pieces)
                case _:
                    copy[at:at] = copy[at : at + 60]
            copy = copy or bytearray(b" ")
        copies.append(bytes(copy))
    return copies


def read_damaged(path: Path, count: int, *, read: Path | None = None, keep: Callable[[bytes], bytes] = bytes) -> int:
    """Read damaged copies of a file: each gives a clip or an error of the library. Returns how many gave an error."""
    content, errors = keep(path.read_bytes()), 0
    for copy in damaged(content, count):
        path.write_bytes(copy)
        try:
            formats.read(read or path, gaps="linear")
        except PosegraphError:
            errors += 1
    return errors
