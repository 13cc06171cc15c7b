"""Being asked to stop: SIGTERM and Ctrl-C are noted, so that the step in hand can be saved first."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class StopRequest:
    """Which signal has come, if any."""

    received: int = 0


@contextmanager
def noted() -> Iterator[StopRequest]:
    """Note the first SIGTERM or Ctrl-C, and pass it on at the end; a second Ctrl-C interrupts at once."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request  # only the main thread may set handlers
        return

    def note(number: int, frame: FrameType | None) -> None:
        if request.received and number == signal.SIGINT:
            raise KeyboardInterrupt
        request.received = number

    before: dict[int, Any] = {
        number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if request.received and callable(before[request.received]):
            signal.raise_signal(request.received)  # the program around us stops too, not this training alone
