"""Texts of others in Markdown and YAML: shown as they are, never read as markup."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence

from posegraph._support.text import markdown_table

_MARKUP = re.compile(r"[\\`*\[\]<|]")
_PLAIN_YAML = re.compile(r"(?!(?:true|false|null|yes|no|on|off|y|n)$)[a-z][a-z0-9-]*", re.IGNORECASE)


def line(value: object) -> str:
    r"""A value in one line, so that it cannot begin a heading, a list or another field.

    Examples:
        >>> from posegraph._support.markdown import line
        >>> line("a\n# b")
        'a # b'
    """
    return " ".join(str(value).split())


def text(value: object) -> str:
    r"""A value as text of a paragraph or a table.

    Examples:
        >>> from posegraph._support.markdown import text
        >>> print(text("<b>[walking_1](x)"))
        \<b>\[walking_1\](x)
    """
    return _MARKUP.sub(r"\\\g<0>", line(value))


def code(value: object) -> str:
    """A value as code between backticks or within a fence, which it cannot close.

    Examples:
        >>> from posegraph._support.markdown import code
        >>> code("cmu` **x**")
        "cmu' **x**"
    """
    return line(value).replace("`", "'")


def scalar(value: object) -> str:
    """A value as a text of YAML, in quotes where it could be read as something else.

    Examples:
        >>> from posegraph._support.markdown import scalar
        >>> scalar("cmu"), scalar("cmu: 1"), scalar("null")
        ('cmu', '"cmu: 1"', '"null"')
    """
    own = line(value)
    return own if _PLAIN_YAML.fullmatch(own) else json.dumps(own)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Lines of a table and an empty one; columns from the third on are numbers, aligned to the right."""
    yield from markdown_table(head, list(rows), "ll").splitlines()
    yield ""
