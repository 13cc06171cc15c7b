"""Cells as jobs of SLURM, through submitit, from a machine that has `sbatch`."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.api.errors import MissingDependency, StageError, UsageError, nearest

from .child import PATIENCE, PAUSE, carry_out
from .executor import Ended, Job
from .file import Options
from .machine import MIB

QUEUED = 100  # cells in the queue at once, where nothing is said
MARGIN = 1.2  # a job that needs more than it asked for is killed
OWN = ("cluster", "timeout_min")


@dataclass(frozen=True, slots=True)
class Cell:
    """What a job runs; preempted or out of time, it goes back into the queue and continues."""

    job: Job

    def __call__(self) -> Ended:
        """Carry the cell out."""
        return carry_out(self.job)

    def checkpoint(self) -> Any:
        """Return what is queued again: the same, since its run continues where it stopped."""
        import submitit

        return submitit.helpers.DelayedSubmission(self)


class OnSlurm:
    """Jobs of SLURM; with `cluster = "local"` processes of this machine, to try a sweep out."""

    def __init__(self, options: Options, folder: Path) -> None:
        try:
            import submitit
        except ImportError:
            raise MissingDependency(
                "submitit is not installed", hint="pip install 'assay-bench[slurm]'"
            ) from None
        self._submitit = submitit
        self._cluster = options.slurm.get("cluster", "slurm")
        self._folder = folder
        wanted = {f"slurm_{key}": value for key, value in options.slurm.items() if key not in OWN}
        wanted |= {"name": "run-bench", "timeout_min": options.slurm.get("timeout_min", 24 * 60)}
        wanted |= {"gpus_per_node": options.gpus} if options.gpus else {}
        self._wanted = wanted | ({"cpus_per_task": options.cpus} if options.cpus else {})
        self._stated = options.stated_mib
        self._workers = options.workers or QUEUED
        self._running: dict[int, Any] = {}
        self._queue(0)  # what is wrong is said now

    def describe(self) -> str:
        """Say which queue it is."""
        return f"on SLURM ({self._cluster}): {self._workers} in the queue at once"

    def takes(self, job: Job) -> bool:
        """Whether the queue holds less than it may."""
        return len(self._running) < self._workers

    def submit(self, job: Job) -> None:
        """Put a cell into the queue."""
        queue = self._queue(job.memory_mib * MARGIN or self._stated)
        try:
            self._running[job.number] = queue.submit(Cell(job))
        except (OSError, RuntimeError, self._submitit.core.utils.FailedJobError) as error:
            raise StageError(f"SLURM took no job: {str(error).strip().splitlines()[-1]}") from error

    def ended(self) -> Iterable[Ended]:
        """Return the jobs that have ended, however they did."""
        for number, job in list(self._running.items()):
            if job.done():
                del self._running[number]
                yield self._how(number, job)

    def stop(self, number: int) -> None:
        """Cancel a job, which lets its cell save."""
        self._running[number].cancel(check=False)

    def close(self) -> None:
        """Cancel all jobs and wait until they have ended."""
        running = list(self._running.values())
        self._running.clear()
        for job in running:
            job.cancel(check=False)
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and not all(job.done() for job in running):
            time.sleep(PAUSE)

    def _how(self, number: int, job: Any) -> Ended:
        try:
            ended: Ended = job.result()
        except self._submitit.core.utils.UncompletedJobError:  # without a result, or with an error for one
            reason = f"job {job.job_id} ended as {job.state}, its words are in {job.paths.stderr}"
            return Ended(number, StageError.exit_code, reason=reason)
        return ended

    def _queue(self, memory_mib: float) -> Any:
        memory = {"mem_gb": memory_mib * MIB / 2**30} if memory_mib else {}
        try:
            queue = self._submitit.AutoExecutor(self._folder, cluster=self._cluster)
        except (RuntimeError, ValueError) as error:
            raise UsageError(
                f"there is no SLURM here: {error}",
                hint='run it where sbatch is; cluster = "local" in [sweep.slurm] tries it out here',
            ) from error
        try:
            queue.update_parameters(**self._wanted, **memory)
        except NameError as error:
            known = [*self._submitit.SlurmExecutor._valid_parameters(), *OWN]
            asked = (key.removeprefix("slurm_") for key in self._wanted if key.startswith("slurm_"))
            name = next(key for key in asked if key not in known)
            raise UsageError(f"[sweep.slurm] has no '{name}'", hint=nearest(name, known)) from error
        return queue
