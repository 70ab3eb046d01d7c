from __future__ import annotations

import os
import signal
import threading

import pytest

from posegraph.training.interruption import interruptions


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_sets_the_event_and_a_second_one_stops_at_once(number):
    before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
    with interruptions() as event:
        assert not event.is_set()
        os.kill(os.getpid(), number)
        assert event.wait(5)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert {n: signal.getsignal(n) for n in before} == before


def test_handlers_come_back_after_an_error():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ValueError, match="halfway"), interruptions():
        raise ValueError("halfway")
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("ignored", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_is_ignored_stays_ignored(ignored):
    """As where a script starts the training in the background; the other signal still stores the state."""
    (other,) = {signal.SIGINT, signal.SIGTERM} - {ignored}
    before = signal.signal(ignored, signal.SIG_IGN)
    try:
        with interruptions() as event:
            os.kill(os.getpid(), ignored)
            assert not event.wait(0.01)
            os.kill(os.getpid(), other)
            assert event.wait(5)
        assert signal.getsignal(ignored) == signal.SIG_IGN
    finally:
        signal.signal(ignored, before)


def test_other_threads_get_an_event_that_nothing_sets():
    found: list[bool] = []

    def wait() -> None:
        before = signal.getsignal(signal.SIGINT)
        with interruptions() as event:
            found.extend([event.is_set(), signal.getsignal(signal.SIGINT) is before])

    thread = threading.Thread(target=wait)
    thread.start()
    thread.join()
    assert found == [False, True]
