from __future__ import annotations

import pytest

from posegraph._support.text import format_seconds, parse_seconds
from posegraph.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("90m", 5400), ("6h", 21600), ("0.5h", 1800), (" 1.5m ", 90)]
)
def test_times_are_read(text, seconds):
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "90", "90 m", "1h30m", "-5m", "m", "0s", "0.0h", "5d", "1e3s"])
def test_other_texts_are_refused(text):
    with pytest.raises(
        ConfigError, match=rf"budget: expected a time above zero such as 30s, 90m or 6h, got '{text}'\."
    ):
        parse_seconds(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.4, "59 s"), (60, "1 min"), (3540, "59 min"), (3599, "1 h 0 min"), (7320, "2 h 2 min")],
)
def test_times_are_written(seconds, text):
    assert format_seconds(seconds) == text
