from __future__ import annotations

import random

import numpy as np
import pytest

from posegraph.data.formats import _text
from posegraph.data.formats._text import decode, parse_rows, split_numbers, to_floats
from posegraph.errors import DataError


def test_rows_of_any_spelling_are_those_of_python():
    generator = random.Random(0)
    for _ in range(400):
        columns, spelling = (
            generator.randint(1, 4),
            generator.choice(["%.4f", "%d", "%.0f", "%.12g", "%g", "%.17g", "%e"]),
        )
        rows = [
            [spelling % (generator.uniform(-1, 1) * 10 ** generator.randint(-3, 9)) for _ in range(columns)]
            for _ in "abc"
        ]
        lines = [generator.choice([" ", "  ", "\t"]).join(row) for row in rows]
        expected = np.array([[float(field) for field in row] for row in rows])
        np.testing.assert_array_equal(parse_rows(lines, 1, columns, "x", ""), expected)


@pytest.mark.parametrize("line", ["1 2-3", "- 2", ". 2", "1. .5-", "1..2 3", "--1 2", "1 2 3", "1", ".-5 1", "1e 2"])
def test_what_is_no_row_is_refused_with_its_line(line):
    with pytest.raises(DataError, match=r"^walk, line 8: expected (2 numbers, got \d\. Cut it|a number, got '.*')"):
        parse_rows(["1 2", "", line], 6, 2, "walk", "Cut it.")


def test_plain_numbers_take_the_short_way():
    assert _text._fixed_point(b"-1.5 .25\n+3 4", 2) is None
    short = _text._fixed_point(b" -1.5\t.25\r\n3. 0000.4", 2)
    assert short is not None
    assert short.tolist() == [[-1.5, 0.25], [3.0, 0.4]]
    assert _text._fixed_point(b"12345678901234567890 1", 2) is None


def test_too_many_numbers_are_refused(monkeypatch):
    monkeypatch.setattr(_text, "LARGEST_NUMBERS", 5)
    with pytest.raises(DataError, match="walk: expected at most 5 numbers, got 2 rows of 3"):
        parse_rows(["1 2 3"] * 2, 1, 3, "walk", "")


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("1 2\t3", ["1", "2", "3"]),
        ("0,5 -1,25 3", ["0.5", "-1.25", "3"]),
        ("1,2,3", ["1", "2", "3"]),
        ("1.5, 2, 3", ["1.5", "2", "3"]),
        ("1;2,5;3", ["1", "2.5", "3"]),
    ],
)
def test_commas_are_decimal_or_separate(line, fields):
    assert split_numbers(line, 3) == fields


def test_text_is_decoded_whatever_its_encoding():
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "latin-1"):
        assert decode("Gen\u00ed".encode(encoding), "x", "text") == "Gen\u00ed"
    with pytest.raises(DataError, match=r"^x: expected text, got bytes that are no text\. Compressed files need"):
        decode(b"a\0b", "x", "text")


def test_numbers_are_those_of_python_without_underscores():
    assert to_floats(["1e3", "-.5"], "x", 1) == [1000, -0.5]
    with pytest.raises(DataError, match=r"^x, line 4: expected a number, got '1_0'\. Fetch the file again"):
        to_floats(["1_0"], "x", 4)
