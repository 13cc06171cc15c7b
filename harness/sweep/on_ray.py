"""Cells on a Ray cluster: cores, GPUs and memory are Ray's resources, and Ray finds each cell its place."""

from __future__ import annotations

import logging
import os
import re
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from harness.api.bounds import OneOf
from harness.api.errors import MissingDependency, StageError, UsageError
from harness.engine.values import make_options

from .child import PATIENCE, carry_out
from .executor import Ended, Job
from .file import Options
from .machine import MIB

PLACE = re.compile(r"(?:ray://)?(?P<host>[^:/]+):(?P<port>\d+)")
START = "`ray start --head` begins a cluster, and prints what every other machine runs to join it"
REACHED_IN = 5.0  # seconds; Ray itself tries for many minutes
STOPPED = "stopped"
# Whose cells need no GPU sees those that there are, as without Ray.
LEAVE_DEVICES = {"RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}


@dataclass(frozen=True, slots=True)
class RayOptions:
    """What `[sweep.ray]` may hold."""

    address: str = "auto"  # HOST:PORT of the head; auto: RAY_ADDRESS, or the cluster that this machine is in
    placement: Annotated[str, OneOf("pack", "spread")] = "pack"  # or all machines alike
    resources: Mapping[str, float] = field(default_factory=dict)  # further ones of each cell, by their names


class OnRay:
    """Tasks of a Ray cluster."""

    def __init__(self, options: Options) -> None:
        try:
            import ray
        except ImportError:
            raise MissingDependency("ray is not installed", hint="pip install 'assay-bench[ray]'") from None
        own: RayOptions = make_options(RayOptions, options.ray, "[sweep.ray]", "sweep.ray")
        self._ray: Any = ray
        self._address = os.environ.get("RAY_ADDRESS", own.address) if own.address == "auto" else own.address
        self._connect()
        self._each = {"CPU": float(options.cpus or 1), "GPU": float(self._gpus(options)), **own.resources}
        self._stated = options.stated_mib
        self._strategy = "SPREAD" if own.placement == "spread" else "DEFAULT"
        self._workers = options.workers or self._room()
        self._running: dict[int, Any] = {}

    def describe(self) -> str:
        """Say which cluster it is, and what a cell gets of it."""
        machines = sum(node["Alive"] for node in self._ray.nodes())
        each = ", ".join(f"{name} {amount:g}" for name, amount in self._each.items() if amount)
        return f"on Ray: {machines} machines, {self._workers} at once, each with {each}"

    def takes(self, job: Job) -> bool:
        """Whether less runs than may; what has no place in the cluster yet waits in it."""
        return len(self._running) < self._workers

    def submit(self, job: Job) -> None:
        """Hand a cell to the cluster."""
        further = {name: amount for name, amount in self._each.items() if name not in ("CPU", "GPU")}
        task = self._ray.remote(carry_out).options(
            num_cpus=self._each["CPU"],
            num_gpus=self._each["GPU"],
            memory=int(min(job.memory_mib or self._stated, self._largest()) * MIB) or None,
            resources=further or None,
            scheduling_strategy=self._strategy,
            max_retries=0,  # the sweep counts tries
            name=job.log.stem,
        )
        self._running[job.number] = task.remote(job)

    def ended(self) -> Iterable[Ended]:
        """Return the tasks that have ended, those too that their machine took with it."""
        if not self._running:
            return
        numbers = {task: number for number, task in self._running.items()}
        ready, _ = self._ray.wait(list(numbers), num_returns=len(numbers), timeout=0)
        for task in ready:
            del self._running[numbers[task]]
            yield self._how(numbers[task], task)

    def stop(self, number: int) -> None:
        """Interrupt a task, which lets its cell save."""
        self._ray.cancel(self._running[number])

    def close(self) -> None:
        """Interrupt all tasks, wait until they have saved, and leave the cluster."""
        running = list(self._running.values())
        self._running.clear()
        for task in running:
            self._ray.cancel(task)
        if running:
            self._ray.wait(running, num_returns=len(running), timeout=PATIENCE)
        self._ray.shutdown()

    def _how(self, number: int, task: Any) -> Ended:
        try:
            ended: Ended = self._ray.get(task)
        except self._ray.exceptions.TaskCancelledError:
            return Ended(number, StageError.exit_code, reason=STOPPED)
        except self._ray.exceptions.RayError as error:
            last = str(error).strip().splitlines() or [type(error).__name__]
            return Ended(number, StageError.exit_code, reason=f"Ray: {last[-1].strip()}")
        return ended

    def _connect(self) -> None:
        if place := PLACE.fullmatch(self._address):
            try:
                socket.create_connection((place["host"], int(place["port"])), REACHED_IN).close()
            except OSError as error:
                said = error.strerror or error
                raise UsageError(f"no Ray cluster answers at {self._address}: {said}", hint=START) from error
        for name, value in LEAVE_DEVICES.items():
            os.environ.setdefault(name, value)
        try:
            self._ray.init(self._address, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, RuntimeError, ValueError) as error:
            where = "here" if self._address == "auto" else f"at {self._address}"
            raise UsageError(f"there is no Ray cluster {where}", hint=START) from error

    def _gpus(self, options: Options) -> int:
        there = int(self._ray.cluster_resources().get("GPU", 0))
        return min(1, there) if options.gpus is None else options.gpus

    def _room(self) -> int:
        """Return how many cells have a place at once; what has none on any machine is an error."""
        wanted = {name: amount for name, amount in self._each.items() if amount}
        found = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        room = sum(int(min(each.get(name, 0) / amount for name, amount in wanted.items())) for each in found)
        if not room:
            said = ", ".join(f"{name} {amount:g}" for name, amount in wanted.items())
            self._ray.shutdown()
            raise UsageError(
                f"no machine of the Ray cluster has {said}", hint="ray status shows what is there"
            )
        return room

    def _largest(self) -> float:
        found = [node["Resources"].get("memory", 0.0) for node in self._ray.nodes() if node["Alive"]]
        return float(max(found)) / MIB
