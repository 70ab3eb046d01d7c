"""Text of motion files: bytes to characters, and numbers whatever the locale wrote them in."""

from __future__ import annotations

import contextlib
import re

import numpy as np

from posegraph.errors import DataError

LARGEST_NUMBERS = 200_000_000
"""Numbers of one file: five hours of sixty joints' rotations at 120 frames a second."""
_DECIMAL_COMMA = re.compile(r"(?<![\d.,])([-+]?\d*),(\d+(?:[eE][-+]?\d+)?)(?![\d.,])")


def decode(content: bytes, source: object, what: str) -> str:
    """The text of a file: UTF-8 with or without a byte-order mark, UTF-16 with one, else Latin-1.

    Raises:
        DataError: The bytes are no text.
    """
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = content.decode("utf-16", errors="replace")
    else:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = content.decode("latin-1")
    if "\0" in text:
        raise DataError(
            f"{source}: expected {what}, got bytes that are no text. Compressed files need the suffix .gz; other "
            "formats must be converted."
        )
    return text


def to_floats(fields: list[str], source: object, line: int, remedy: str = "Fetch the file again.") -> list[float]:
    """Numbers of a line, NaN and infinity included.

    Raises:
        DataError: One is no number; the message names file and line.
    """
    numbers: list[float] = []
    for field in fields:
        try:
            if "_" in field:  # Python would read 1_0 as ten
                raise ValueError
            numbers.append(float(field))
        except ValueError:
            raise DataError(f"{source}, line {line}: expected a number, got {field[:40]!r}. {remedy}") from None
    return numbers


def split_numbers(line: str, count: int | None = None) -> list[str]:
    """Fields of a line of numbers, separated by spaces, tabs, semicolons or commas.

    A comma is a decimal one where the line then has ``count`` fields, or holds no point.
    """
    fields = line.replace(";", " ").split()
    if "," not in line:
        return fields
    decimal = [_DECIMAL_COMMA.sub(r"\1.\2", field) for field in fields]
    if not any("," in field for field in decimal) and (len(fields) == count or (count is None and "." not in line)):
        return decimal
    return line.replace(";", " ").replace(",", " ").split()


def parse_rows(lines: list[str], first_line: int, columns: int, source: object, remedy: str) -> np.ndarray:
    """A table of numbers, one row a line; blank lines are passed over.

    Args:
        lines: The lines.
        first_line: Number of the first of them in the file.
        columns: Numbers in a row.
        source: Name of the file, for messages.
        remedy: What to do about a row of another length.

    Returns:
        ``(rows, columns)`` float64; NaN and infinity are left in.

    Raises:
        DataError: There are more numbers than `LARGEST_NUMBERS`; or a row does not hold ``columns`` numbers: the
            message names file and line.
    """
    rows = [(number, line) for number, line in enumerate(lines, start=first_line) if line and not line.isspace()]
    if len(rows) * columns > LARGEST_NUMBERS:
        raise DataError(
            f"{source}: expected at most {LARGEST_NUMBERS:,} numbers, got {len(rows)} rows of {columns}. Cut the file "
            "into pieces."
        )
    if not rows or columns == 0:
        return np.empty((len(rows), columns))
    values = _fixed_point("\n".join(line for _, line in rows).encode(), columns)
    if values is None and "," not in rows[0][1] and ";" not in rows[0][1]:
        # No comment character: "#" in numbers is damage.
        with contextlib.suppress(ValueError):
            values = np.loadtxt([line for _, line in rows], comments=None, ndmin=2)
    if values is not None and values.shape == (len(rows), columns):
        return values
    values = np.empty((len(rows), columns))
    for row, (number, line) in enumerate(rows):
        fields = split_numbers(line, columns)
        if len(fields) != columns:
            raise DataError(f"{source}, line {number}: expected {columns} numbers, got {len(fields)}. {remedy}")
        values[row] = to_floats(fields, source, number)
    return values


def _fixed_point(block: bytes, columns: int) -> np.ndarray | None:
    """A table of plain decimal numbers, four times as fast as `numpy.loadtxt`; None if a number is anything else.

    Digits are read as one whole number each and divided by a power of ten, which rounds once, as any exact reader does.
    """
    if block.translate(None, b"0123456789.- \t\r\n") or not block:
        return None
    characters = np.frombuffer(b" " + block + b"\n", np.uint8)
    solid = characters > 32
    ends = np.flatnonzero(solid[:-1] & ~solid[1:])
    per_line = np.diff(np.searchsorted(ends, np.flatnonzero(characters == 10)), prepend=0)
    if not len(ends) or (per_line != columns).any() or int(np.diff(ends, prepend=0).max()) > 16:
        return None
    points = np.flatnonzero(characters == 46)
    owners = np.searchsorted(ends, points)  # a point that ends its number is its own end
    digits = b" " + block.replace(b".", b"") + b"\n"
    minus = np.flatnonzero(characters == 45)
    behind = np.frombuffer(digits, np.uint8)
    signs = np.flatnonzero(behind == 45)
    if not digits.strip() or (np.diff(owners) == 0).any() or solid[minus - 1].any() or (behind[signs + 1] < 48).any():
        return None
    numbers = np.fromstring(digits.decode(), dtype=np.int64, sep=" ")  # checked above: it cannot end too soon
    if len(numbers) != len(ends):
        return None
    decimals = np.zeros(len(ends), dtype=np.int64)
    decimals[owners] = ends[owners] - points
    return (numbers / 10.0**decimals).reshape(-1, columns)
