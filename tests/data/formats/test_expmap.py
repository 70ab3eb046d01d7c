from __future__ import annotations

import gzip
import re

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from posegraph._support.cache import cache_folder, store_array
from posegraph.data.formats import expmap
from posegraph.data.formats.expmap import parse_expmap, read_poses
from posegraph.errors import DataError
from posegraph.skeleton.kinematics import forward_kinematics
from posegraph.skeleton.skeleton import Skeleton
from tests.data.motion import ARM, random_angles, write_angles

GOOD = b"0,0,0,0.1,0,0\n" * 3  # one joint


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("POSEGRAPH_CACHE", str(tmp_path / "cache"))


def test_numbers_are_read_exactly():
    angles = random_angles(7, 3)
    text = "\n".join(",".join(repr(float(x)) for x in row) for row in angles)
    parsed = parse_expmap(text.encode(), 3, "walk.txt")
    assert parsed.dtype == np.float32
    np.testing.assert_array_equal(parsed, angles)


@pytest.mark.parametrize("text", [b"1,2,3,4,-0,6", b" 1, 2,3 ,4,0,6e0\r\n", b"1,2,3,4,0,6\n\n \n"])
def test_spaces_and_line_ends_do_not_matter(text):
    assert parse_expmap(text, 1, "walk.txt").tolist() == [[1, 2, 3, 4, 0, 6]]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            b"0,0,0,0.1,0",
            r"expected 6 comma-separated numbers \(3 for the root and 3 for each of 1 joints\), got 5\. If",
        ),
        (b"0,0,0,0.1,0,0,0", "got 7. If every line is like this, the file belongs to another skeleton"),
        (b"0,0,0,90,0,0", r"expected an angle in radians in column 4, got '90'\. Convert degrees"),
        (b"1_0,0,0,0,0,0", "expected a finite number in column 1, got '1_0'"),
        (b"0,0,0,0.1x,0,0", r"expected a finite number in column 4, got '0\.1x'\. Fetch the file again"),
        (b"0,0,0,0.1,,0", "expected a finite number in column 5, got ''"),
        (b"0,0,0,0.1,0,nan", "expected a finite number in column 6, got 'nan'"),
        (b"inf,0,0,0.1,0,0", "expected a finite number in column 1, got 'inf'"),
        (b"0,0,-1e39,0.1,0,0", "expected a finite number in column 3, got '-1e39'"),
    ],
)
def test_the_first_line_at_fault_is_named(line, message):
    with pytest.raises(DataError, match=rf"^walk\.txt, line 3: .*{message}"):
        parse_expmap(b"0,0,0,0.1,0,0\n" * 2 + line + b"\n" + GOOD + b"nonsense\n", 1, "walk.txt")


def test_a_file_of_another_skeleton_is_refused_at_line_1():
    with pytest.raises(DataError, match=r"walk\.txt, line 1: expected 12 comma-separated numbers .* got 6"):
        parse_expmap(GOOD, 3, "walk.txt")


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff1,2,3,4,5,6",
        "1,2,3,4,5,6,",
        "1\t2\t3\t4\t5\t6",
        "1 2  3 4 5 6",
        "1;2;3;4;5;6",
        "1,0;2,0;3,0;4,0;5,0;6,0",
        "# a comment\n1,2,3,4,5,6\n\n",
        "1D0,2,3,4,5,6d+0",
    ],
)
def test_files_that_differ_in_their_dress_are_read(text):
    assert parse_expmap(text.encode(), 1, "walk.txt").tolist() == [[1, 2, 3, 4, 5, 6]]


def test_headers_are_recognised():
    with pytest.raises(DataError, match=r"line 1: expected a finite number in column 1, got 'a'\. If it is a header"):
        parse_expmap(b"a,b,c,d,e,f\n" + GOOD, 1, "walk.txt")


@pytest.mark.parametrize("text", [b"", b"\n \n"])
def test_empty_files_are_refused(text):
    with pytest.raises(DataError, match=r"walk\.txt: expected one frame a line, got an empty file\. Fetch"):
        parse_expmap(text, 1, "walk.txt")


def test_bytes_that_are_no_text_are_refused():
    with pytest.raises(
        DataError, match=r"walk\.txt: expected lines of comma-separated numbers, got bytes .* suffix \.gz"
    ):
        parse_expmap(gzip.compress(GOOD), 1, "walk.txt")


def test_positions_come_from_the_joints_rotations(tmp_path):
    angles = random_angles(5, 3)
    path = write_angles(tmp_path / "wave.txt", angles)
    expected = forward_kinematics(torch.from_numpy(angles[:, 3:]).unflatten(1, (-1, 3)), ARM)
    poses, root = read_poses(path, ARM, root_scale=70.0)
    torch.testing.assert_close(poses, expected)
    torch.testing.assert_close(root.positions, 70 * torch.from_numpy(angles[:, :3]))
    assert root.rotations is not None
    turns = Rotation.from_rotvec(angles[:, 3:6]).as_matrix()  # the files mean row vectors times this matrix
    np.testing.assert_allclose(root.rotations, turns, atol=1e-6)


def test_compressed_files_read_the_same(tmp_path):
    plain = write_angles(tmp_path / "wave.txt", random_angles(5, 3))
    packed = tmp_path / "wave.txt.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert torch.equal(read_poses(packed, ARM)[0], read_poses(plain, ARM)[0])


def test_damaged_compressed_files_are_refused(tmp_path):
    packed = tmp_path / "wave.txt.gz"
    whole = gzip.compress(b"0,0,0," * 1000)
    for damaged in (whole[:-12], b"no gzip", whole[:20] + b"\xff" * 20 + whole[40:]):
        packed.write_bytes(damaged)
        with pytest.raises(
            DataError, match=r"wave\.txt\.gz: expected gzip-compressed content, got a damaged file .* Fetch"
        ):
            read_poses(packed, ARM)


def test_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(DataError, match=re.escape(f"{tmp_path / 'none.txt'}: cannot be read (No such file")):
        read_poses(tmp_path / "none.txt", ARM)


def test_the_second_reading_comes_from_the_cache(tmp_path, monkeypatch):
    path = write_angles(tmp_path / "wave.txt", random_angles(5, 3))
    first, _ = read_poses(path, ARM)

    def no_parsing(*_):
        raise AssertionError("parsed again")

    monkeypatch.setattr(expmap, "parse_expmap", no_parsing)
    assert torch.equal(read_poses(path, ARM)[0], first)
    longer = Skeleton("longer", ARM.joint_names, ARM.parents, offsets=((0.0, 0.0, 0.0),) * 3)
    with pytest.raises(AssertionError, match="parsed again"):
        read_poses(path, longer)
    write_angles(path, random_angles(5, 3, seed=1))
    with pytest.raises(AssertionError, match="parsed again"):
        read_poses(path, ARM)


def test_cached_files_that_are_wrong_are_made_again(tmp_path):
    path = write_angles(tmp_path / "wave.txt", random_angles(5, 3))
    first, _ = read_poses(path, ARM)
    folder = cache_folder()
    assert folder is not None
    (cached,) = folder.iterdir()
    good = cached.read_bytes()
    for wrong in (
        np.zeros((5, 5, 2), np.float32),
        np.zeros((0, 5, 3), np.float32),
        np.zeros((5, 5, 3)),
        np.full((5, 5, 3), np.nan, np.float32),
    ):
        store_array(cached.stem, wrong)
        assert torch.equal(read_poses(path, ARM)[0], first)
        assert cached.read_bytes() == good
    cached.write_bytes(good[:-1])
    assert torch.equal(read_poses(path, ARM)[0], first)
    assert cached.read_bytes() == good
