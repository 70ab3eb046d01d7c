"""Benchmarks use the library as its users do."""

from __future__ import annotations

import re
from pathlib import Path

import benchmarks

FILES = sorted(Path(benchmarks.__file__).parent.rglob("*.py"))


def test_no_private_name_of_the_library_is_used() -> None:
    private = re.compile(
        r"^\s*(from posegraph\S*\._|from posegraph\S* import .*\b_|import posegraph\S*\._)"
        r"|(?<!self)(?<!cls)\._[a-z]",
        re.MULTILINE,
    )
    assert len(FILES) > 20
    assert [str(file) for file in FILES if private.search(file.read_text(encoding="utf-8"))] == []
