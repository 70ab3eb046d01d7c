from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
import torch

from posegraph import data
from posegraph.data import Clip, formats
from posegraph.errors import DataError
from posegraph.skeleton import RootMotion
from tests.data.motion import ARM


def test_what_is_written_is_read(tmp_path):
    clip = data.load("cmu", "samples", split="test", actions="running").clips["test"][0]
    again = formats.read(formats.write(clip, tmp_path / "new" / "running.npz"))
    assert torch.equal(again.poses, clip.poses)
    assert (again.skeleton, again.fps, again.action, again.name) == (clip.skeleton, 60.0, "running", "running_1")
    assert again.root is not None
    assert clip.root is not None
    assert torch.equal(again.root.to_world(again.poses), clip.root.to_world(clip.poses))


def test_clips_without_a_turn_or_a_root_are_written_too(tmp_path):
    for root in (None, RootMotion(torch.randn(4, 3))):
        again = formats.read(formats.write(Clip(torch.randn(4, 3, 3), ARM, 30.0, root=root), tmp_path / "arm.npz"))
        assert (again.root is None) == (root is None)
        if again.root is not None:
            assert again.root.rotations is None


def test_arrays_of_others_need_a_skeleton_and_a_rate(tmp_path):
    file = tmp_path / "mine.npz"
    np.savez(file, poses=np.zeros((4, 3, 3)))
    with pytest.raises(DataError, match=r"mine\.npz: expected skeleton in the file or beside it, got none\. Pass"):
        formats.read(file, fps=30)
    with pytest.raises(DataError, match="expected fps in the file or beside it"):
        formats.read(file, skeleton=ARM)
    assert formats.read(file, skeleton=ARM, fps=30).num_frames == 4


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"points": np.zeros(3)}, r"expected an array 'poses', got points\. Rename"),
        (
            {"poses": np.zeros((4, 3, 3)), "skeleton": np.array("{}")},
            "expected a skeleton, got one that cannot",
        ),
        ({"poses": np.zeros((4, 3, 3)), "fps": np.array("fast")}, "expected numbers, got could not convert"),
        ({"poses": np.array([{}])}, r"expected NumPy arrays, got a damaged file"),
        ({"poses": np.full((4, 3, 3), np.nan)}, "expected finite numbers"),
    ],
)
def test_wrong_arrays_are_refused(tmp_path, arrays, message):
    np.savez(tmp_path / "mine.npz", **arrays)
    skeleton = None if "skeleton" in arrays else ARM
    with pytest.raises(DataError, match=message):
        formats.read(tmp_path / "mine.npz", skeleton=skeleton, fps=None if "fps" in arrays else 30)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 nonsense"])
def test_damaged_files_are_refused(tmp_path, content):
    (tmp_path / "mine.npz").write_bytes(content)
    with pytest.raises(DataError, match="expected NumPy arrays, got a damaged file"):
        formats.read(tmp_path / "mine.npz")


def test_headers_that_claim_too_much_are_refused_before_memory_is_taken(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (10**12, 3, 3)})
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w") as archive:
        archive.writestr("poses.npy", header.getvalue())
    with pytest.raises(DataError, match="expected arrays of at most 1024 MB, got one that claims 36000000000000 bytes"):
        formats.read(tmp_path / "bomb.npz", skeleton=ARM, fps=30)
