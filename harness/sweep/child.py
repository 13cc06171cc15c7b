"""A cell's process: `python -m harness.sweep.child PARENT run …` is `run-bench run …`, and ends with PARENT.

Ctrl-C in a terminal reaches a whole group of processes; a cell has one of its own, and its sweep stops it.
"""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress

from harness import children
from harness.files.writing import make_folder

from .executor import Ended, Job

PATIENCE = 30.0  # seconds that a cell has to save
PAUSE = 0.2
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux


class Child:
    """A process that carries out a job."""

    def __init__(self, job: Job, environment: Mapping[str, str] | None = None) -> None:
        self.number = job.number
        make_folder(job.log.parent)
        command = children.python("-m", __spec__.name, str(os.getpid()), *job.command)
        with job.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=job.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=children.environment() | dict(job.environment) | dict(environment or {}),
                start_new_session=True,
            )

    def poll(self) -> Ended | None:
        """Return how it ended, with its memory and that of what it started, once it has."""
        pid, status, usage = os.wait4(self._process.pid, os.WNOHANG)
        if not pid:
            return None
        self._process.returncode = os.waitstatus_to_exitcode(status)
        unit = 2**20 if sys.platform == "darwin" else 2**10
        return Ended(self.number, self._process.returncode, usage.ru_maxrss / unit)

    def stop(self) -> None:
        """Ask it to save what it has and to end."""
        self._signal(signal.SIGTERM)

    def end(self, until: float) -> Ended:
        """Wait for it, and kill it when the time is over or somebody wants it at once."""
        try:
            while (ended := self.poll()) is None and time.monotonic() < until:
                time.sleep(PAUSE / 4)
        except BaseException:
            self._signal(signal.SIGKILL)
            raise
        if ended is None:
            self._signal(signal.SIGKILL)
            while (ended := self.poll()) is None:
                time.sleep(PAUSE / 4)
        return ended

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


def carry_out(job: Job) -> Ended:
    """Carry out a job in this process's place, as the worker of a cluster does."""
    child = Child(job)
    try:
        while (ended := child.poll()) is None:
            time.sleep(PAUSE)
        return ended
    except BaseException:  # the cluster wants its place back
        child.stop()
        child.end(time.monotonic() + PATIENCE)
        raise


def main(arguments: list[str]) -> None:
    """Run the program as the child of a process, and end when that does."""
    parent = int(arguments[0])
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGTERM)
    if os.getppid() != parent:  # it has gone already
        sys.exit(1)
    sys.argv[1:] = arguments[1:]
    runpy.run_module("harness", run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
