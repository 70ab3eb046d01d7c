"""Files that are read within limits, and files that are replaced as a whole."""

from __future__ import annotations

import contextlib
import os
import secrets
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from posegraph.errors import DataError

LARGEST_CONTENT = 1 << 30
"""Bytes of a motion file, unpacked: an hour of a hundred joints as text at 120 frames a second has less."""
_PIECE = 1 << 20


def replace_file(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file under a temporary name in its folder, then put it in place.

    Readers see the old file or the new one, never a part; a failure leaves the old one and no litter.

    Args:
        path: File to create or replace.
        write: Gets the open file.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with open(temporary, "xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())  # else a power cut may leave the new name with no content
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def read_content(path: Path, *, largest: int = LARGEST_CONTENT) -> bytes:
    """The bytes of a file; of one whose name ends in ``.gz``, what it unpacks to.

    Args:
        path: File.
        largest: Most bytes to take, unpacked; memory never holds many more.

    Raises:
        DataError: The file cannot be read, is damaged, or holds more.
    """
    try:
        with open(path, "rb") as file:
            content = _unpack(file, path, largest) if path.suffix == ".gz" else file.read(largest + 1)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}). Check the path and its permissions.") from error
    if len(content) > largest:
        raise DataError(
            f"{path}: expected at most {largest / 1e6:,.0f} MB{' unpacked' if path.suffix == '.gz' else ''}, got more. "
            "Is it a motion file? Cut longer ones into pieces."
        )
    return content


def _unpack(file: BinaryIO, path: Path, largest: int) -> bytes:
    """What a gzip file holds, piece by piece: a small file can unpack to any size."""
    content, unpacker = bytearray(), zlib.decompressobj(wbits=31)
    try:
        while piece := unpacker.unconsumed_tail or unpacker.unused_data or file.read(_PIECE):
            if unpacker.eof:  # members may follow one another
                unpacker = zlib.decompressobj(wbits=31)
            content += unpacker.decompress(piece, _PIECE)
            if len(content) > largest:
                break
        else:
            if not unpacker.eof:
                raise zlib.error("it ends too soon")
    except zlib.error as error:
        raise DataError(
            f"{path}: expected gzip-compressed content, got a damaged file ({error}). Fetch it again."
        ) from error
    return bytes(content)
