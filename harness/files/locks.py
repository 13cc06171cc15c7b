"""One writer at a time, whatever process it is in."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.api import DataError

from .writing import make_folder

PAUSE = 0.05


@contextmanager
def alone(path: Path, *, patience: float = 120.0) -> Iterator[None]:
    """Hold the right to change what the file `path` stands for; others wait, and in the end give up.

    The file stays: removing it would let a third process lock a new one beside a second that waits.
    """
    make_folder(path.parent)
    until = time.monotonic() + patience
    with path.open("a") as file:
        while not _lock(file.fileno()):
            if time.monotonic() > until:
                raise DataError(
                    f"another process has been writing to {path.parent} for {patience:.0f} seconds",
                    hint="wait for it, or stop it",
                )
            time.sleep(PAUSE)
        yield


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
