"""The cache of parsed motion files.

Reading text is slow next to reading numbers, so the positions of each file are kept as one ``.npy`` file, named by a
hash of the file's bytes and of everything else that they depend on, with a digest of its own at the end: a file that
was damaged is made again. The cache may be deleted at any time.

The environment variable ``POSEGRAPH_CACHE`` names another folder, or is ``off``.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
from pathlib import Path

import numpy as np

from posegraph._support.files import replace_file

__all__ = ["cache_folder", "load_array", "store_array"]

_VARIABLE = "POSEGRAPH_CACHE"
_DIGEST_BYTES = 16


def cache_folder() -> Path | None:
    """The folder of the cache; ``None`` if the cache is off or there is no home folder to put it in.

    That is ``$POSEGRAPH_CACHE``, else ``$XDG_CACHE_HOME/posegraph``, else ``~/.cache/posegraph``. Set
    ``POSEGRAPH_CACHE=off`` to parse every time. The variables are read at each call.
    """
    chosen = os.environ.get(_VARIABLE, "")
    if chosen.lower() == "off":
        return None
    if chosen:
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME", "")
    try:
        return (Path(base) if base else Path.home() / ".cache") / "posegraph"
    except RuntimeError:  # no home folder, as in some containers
        return None


def load_array(key: str) -> np.ndarray | None:
    """The array stored under a key; ``None`` if there is none or its file is damaged."""
    folder = cache_folder()
    if folder is None:
        return None
    try:
        content = (folder / f"{key}.npy").read_bytes()
        array, digest = content[:-_DIGEST_BYTES], content[-_DIGEST_BYTES:]
        if _digest(array) != digest:
            return None
        return np.lib.format.read_array(io.BytesIO(array), allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None


def store_array(key: str, array: np.ndarray) -> None:
    """Store an array under a key. A cache that cannot be written is no error: the file is parsed again next time."""
    folder = cache_folder()
    if folder is None:
        return
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        content = io.BytesIO()
        np.save(content, array, allow_pickle=False)
        whole = content.getvalue() + _digest(content.getvalue())
        replace_file(folder / f"{key}.npy", lambda file: file.write(whole))


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=_DIGEST_BYTES).digest()
