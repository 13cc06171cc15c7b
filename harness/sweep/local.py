"""Cells as processes of this machine: each its own GPUs, a share of the cores, and room in memory."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

from harness.api.errors import UsageError
from harness.children import available_cores

from . import machine
from .child import PATIENCE, Child
from .executor import Ended, Job
from .file import Options

CORES = 2  # of each cell, where nothing is said
RESERVE = 0.1  # of all memory that stays free


class Local:
    """Processes of this machine.

    A cell of a model that was measured starts where the peaks of all that run leave room for its own. Of
    models that were not measured yet one cell runs at a time; nothing starts while the reserve is touched.
    """

    def __init__(self, options: Options) -> None:
        found = machine.gpus()
        self._gpus = min(1, len(found)) if options.gpus is None else options.gpus
        if self._gpus > len(found):
            raise UsageError(
                f"sweep.gpus is {self._gpus}, and this machine has {len(found)}",
                hint="CUDA_VISIBLE_DEVICES says which of them may be used",
            )
        self._free = found
        cores = available_cores()
        room = len(found) // self._gpus if self._gpus else max(1, cores // (options.cpus or CORES))
        self._workers = options.workers or room
        if self._gpus:
            self._workers = min(self._workers, room)
        self._threads = options.cpus or max(1, cores // self._workers)
        self._stated = options.stated_mib
        total, free = machine.memory()
        self._reserve = RESERVE * total
        self._room = free - self._reserve
        self._running: dict[int, tuple[Child, list[str], float]] = {}

    def describe(self) -> str:
        """Say how many processes run, and with what."""
        devices = f"{self._gpus} GPU each, " if self._gpus else ""
        processes = f"{self._workers} process{'es' if self._workers > 1 else ''} at once"
        memory = f"{self._room / 1024:.1f} GiB of memory to share"
        return f"here: {processes}, {devices}{self._threads} threads each, {memory}"

    def takes(self, job: Job) -> bool:
        """Whether a worker, its GPUs and its memory are free; one cell alone may have all there is."""
        if not self._running:
            return True
        if len(self._running) >= self._workers or len(self._free) < self._gpus:
            return False
        if machine.memory()[1] < self._reserve:
            return False
        needs = [need for _, _, need in self._running.values()]
        own = self._need(job)
        return sum(needs) + own <= self._room and (own > 0 or all(needs))

    def submit(self, job: Job) -> None:
        """Start a process."""
        mine, self._free = self._free[: self._gpus], self._free[self._gpus :]
        threads = os.environ.get("OMP_NUM_THREADS") or str(self._threads)  # who sets it knows why
        environment = {"OMP_NUM_THREADS": threads}
        if self._gpus:
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(mine)
        self._running[job.number] = (Child(job, environment), mine, self._need(job))

    def ended(self) -> Iterable[Ended]:
        """Return the processes that have ended, and take back what they had."""
        for child, gpus, _ in list(self._running.values()):
            if (ended := child.poll()) is not None:
                del self._running[child.number]
                self._free += gpus
                yield ended

    def stop(self, number: int) -> None:
        """Ask a process to save and to end."""
        self._running[number][0].stop()

    def close(self) -> None:
        """Stop all processes at once and wait until they have saved."""
        running = [child for child, _, _ in self._running.values()]
        self._running.clear()
        for child in running:
            child.stop()
        until = time.monotonic() + PATIENCE
        for child in running:
            child.end(until)

    def _need(self, job: Job) -> float:
        return job.memory_mib or self._stated
