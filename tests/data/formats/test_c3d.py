from __future__ import annotations

import struct
from pathlib import Path

import ezc3d
import numpy as np
import pytest

from posegraph.data import formats
from posegraph.data.formats import c3d
from posegraph.errors import DataError
from tests.data.formats.files import read_damaged
from tests.data.formats.test_csv import NAMES, POINTS


@pytest.fixture
def file(tmp_path: Path) -> Path:
    x, y, z = POINTS.transpose(2, 1, 0)
    points = np.ones((4, len(NAMES), len(POINTS)))
    points[:3] = x, -z, y  # z up
    points[:3, 2, 5:7] = np.nan
    written = ezc3d.c3d()
    for name, value in {"RATE": [200.0], "LABELS": NAMES, "UNITS": ("mm",)}.items():
        written["parameters"]["POINT"][name]["value"] = value
    written["data"]["points"] = points
    path = tmp_path / "walk.c3d"
    written.write(str(path))
    return path


def test_markers_are_those_of_ezc3d(file):
    ours, theirs = c3d.parse(file.read_bytes(), file), ezc3d.c3d(str(file))
    np.testing.assert_array_equal(ours.points, theirs["data"]["points"][:3].transpose(2, 1, 0))
    assert (ours.labels, ours.fps, ours.unit) == (NAMES, 200.0, "mm")


def test_a_file_becomes_a_clip_with_y_up(file):
    with pytest.raises(DataError, match=r"got 1 gap in 1 joint, the longest of 2 frames .* of RightFoot at frame 5"):
        formats.read(file)
    clip = formats.read(file, gaps="linear")
    assert clip.root is not None
    world = clip.root.to_world(clip.poses).numpy()
    seen = np.ones((len(POINTS), len(NAMES)), dtype=bool)
    seen[5:7, 2] = False
    np.testing.assert_allclose(world[seen], POINTS[seen], atol=1e-2)
    assert (clip.fps, clip.skeleton.joint_names) == (200.0, NAMES)


def by_hand(processor: int, floating: bool, longer: bool = False) -> bytes:
    """Two frames of a marker and three analog values, as three kinds of machines write them."""
    order = ">" if processor == 86 else "<"

    def number(value: float) -> bytes:
        if processor != 85:
            return struct.pack(f"{order}f", value)
        (bits,) = struct.unpack("<I", struct.pack("<f", value * 4))
        return struct.pack("<HH", bits >> 16, bits & 0xFFFF) if value else b"\0" * 4

    scale = -0.1 if floating else 0.1
    last = 65535 if longer else 8
    head = bytes([2, 0x50]) + struct.pack(f"{order}5H", 1, 3, 7, last, 10) + number(scale)
    head += struct.pack(f"{order}2H", 4, 3) + number(50.0)
    records = struct.pack("bb", 5, -1) + b"POINT" + struct.pack(f"{order}H", 3) + b"\0"
    body = struct.pack("bB2B", -1, 2, 4, 1) + b"toe " + b"\0"
    records += struct.pack("bb", 6, 1) + b"LABELS" + struct.pack(f"{order}H", 2 + len(body)) + body
    body = struct.pack("bB", 4, 0) + number(25.0) + b"\0"
    records += struct.pack("bb", 4, 1) + b"RATE" + struct.pack(f"{order}H", 2 + len(body)) + body
    if longer:
        records += struct.pack("bb", 5, -2) + b"TRIAL" + struct.pack(f"{order}H", 3) + b"\0"
        for name, value in ((b"ACTUAL_START_FIELD", 7), (b"ACTUAL_END_FIELD", 8)):
            body = struct.pack("bBB", 2, 1, 2) + struct.pack(f"{order}2H", value, 0) + b"\0"
            records += struct.pack("bb", len(name), 2) + name + struct.pack(f"{order}H", 2 + len(body)) + body
    parameters = bytes([1, 0x50, 2, processor]) + records
    rows = [(10, -20, 30, 0, 1, 2, 3), (40, 50, 60, -1, 1, 2, 3)]
    data = b"".join(number(float(v)) if floating else struct.pack(f"{order}h", v) for row in rows for v in row)
    return head.ljust(512, b"\0") + parameters.ljust(1024, b"\0") + data.ljust(512, b"\0")


@pytest.mark.parametrize("longer", [False, True])
@pytest.mark.parametrize("floating", [False, True])
@pytest.mark.parametrize("processor", [84, 85, 86])
def test_numbers_of_all_machines_are_read(processor, floating, longer):
    file = c3d.parse(by_hand(processor, floating, longer), "toe.c3d")
    place = np.array([10.0, -20, 30]) * (1 if floating else 0.1)
    np.testing.assert_allclose(file.points[0, 0], place, rtol=1e-6)
    assert np.isnan(file.points[1]).all()
    assert (file.points.shape, file.labels, file.fps, file.unit) == ((2, 1, 3), ("toe",), 25.0, "")


WRONG = {
    "expected a C3D file, got 2048 bytes that are none": (1, 0),
    "expected a processor of 84, 85 or 86, got 9": (512 + 3, 9),
    "expected frames of markers, got a header with 2 frames of 0 markers": (2, 0),
    "expected the 65026 frames of 1 markers that its header claims, got 2048 bytes": (9, 254),
}


@pytest.mark.parametrize("message", WRONG)
def test_what_is_wrong_is_said(message):
    content = bytearray(by_hand(84, True))
    at, value = WRONG[message]
    content[at] = value
    with pytest.raises(DataError, match=rf"toe\.c3d: {message}"):
        c3d.parse(bytes(content), "toe.c3d")


def test_damage_gives_a_clip_or_an_error(file):
    assert read_damaged(file, 150) > 50
