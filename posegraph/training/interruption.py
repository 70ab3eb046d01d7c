"""Ctrl-C and SIGTERM during training."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Generator

__all__ = ["interruptions"]


@contextlib.contextmanager
def interruptions() -> Generator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set, so that the step under way can finish; a second Ctrl-C stops at once.

    A signal that the process ignores stays ignored: a shell script starts `posegraph train &` that way, so that Ctrl-C
    at the terminal stops what runs in front and not the training behind it.
    """
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event  # only the main thread may handle signals
        return

    def handle(number: int, frame: object) -> None:
        if event.is_set():
            raise KeyboardInterrupt
        event.set()

    heeded = [number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) != signal.SIG_IGN]
    previous = {number: signal.signal(number, handle) for number in heeded}
    try:
        yield event
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
