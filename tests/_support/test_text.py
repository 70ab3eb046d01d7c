from __future__ import annotations

import statistics

import pytest

from posegraph._support.text import format_seconds, markdown_table, mean_and_spread, parse_seconds, with_spread
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


@pytest.mark.parametrize(
    ("mean", "spread", "digits", "text"),
    [(48.5, 0.256, 2, "48.50 ± 0.26"), (48.5, None, 1, "48.5"), (1.0, 0.0, 2, "1.00 ± 0.00")],
)
def test_means_have_their_spread_behind_them(mean, spread, digits, text):
    assert with_spread(mean, spread, digits) == text


def test_the_spread_is_the_standard_deviation_of_a_sample():
    values = [36.0, 38.5, 44.25]
    assert mean_and_spread(values, 3) == f"{sum(values) / 3:.3f} ± {statistics.stdev(values):.3f}"
    assert mean_and_spread(values[:1]) == "36.00"


def test_tables_align_text_to_the_left_and_numbers_to_the_right():
    text = markdown_table(["model", "parameters", "note"], [["msrgcn", "12", "ours"], ["new"]], "lrl")
    assert text.splitlines() == [
        "| model | parameters | note |",
        "| --- | --: | --- |",
        "| msrgcn | 12 | ours |",
        "| new |  |  |",
    ]
    assert markdown_table(["a"], [], "lll") == "| a |\n| --- |"
