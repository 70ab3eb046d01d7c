from __future__ import annotations

import pytest
import yaml

from posegraph._support.markdown import code, line, scalar, table, text


@pytest.mark.parametrize("given", ["a\nb", " a \r\n\t b ", "a b"])
def test_a_line_is_one(given):
    assert line(given) == "a b"


def test_markup_is_shown_and_not_read():
    assert text("walking_1") == "walking_1"
    assert text("<b>|`x`|[y](z) *w*\n## v") == r"\<b>\|\`x\`\|\[y\](z) \*w\* ## v"


def test_code_stays_inside():
    assert code("a```\n# b") == "a''' # b"


@pytest.mark.parametrize(
    "given", ["cmu", "null", "true", "No", "1.5", "a: b", "- a", "'", '"', "a\nlicense: mit", "ü#"]
)
def test_a_scalar_of_yaml_is_a_text(given):
    assert yaml.safe_load(f"- {scalar(given)}\n") == [line(given)]


def test_a_table_aligns_numbers():
    assert list(table(("a", "b", "c"), [("x", "y", "1.0")])) == [
        "| a | b | c |",
        "| --- | --- | --: |",
        "| x | y | 1.0 |",
        "",
    ]
