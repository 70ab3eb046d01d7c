from __future__ import annotations

import pytest

from posegraph._support.files import replace_file


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path):
    def fail(file):
        file.write(b"half")
        raise OSError("disk full")

    (tmp_path / "result").write_bytes(b"old")
    with pytest.raises(OSError, match="disk full"):
        replace_file(tmp_path / "result", fail)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("result", b"old")]


def test_a_write_replaces_the_whole_file(tmp_path):
    (tmp_path / "result").write_bytes(b"something longer")
    replace_file(tmp_path / "result", lambda file: file.write(b"new"))
    assert (tmp_path / "result").read_bytes() == b"new"
