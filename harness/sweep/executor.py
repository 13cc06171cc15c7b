"""What carries cells out: one small interface, and what passes through it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Job:
    """A cell to be carried out: its run as arguments of the program, and what it needs.

    `directory` is where its relative paths are seen from, `log` where all it says is appended;
    `memory_mib` is what runs of its model have needed at most, 0 where none was measured.
    """

    number: int
    command: tuple[str, ...]
    directory: Path
    log: Path
    memory_mib: float = 0.0
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a cell ended: its exit code, as Python gives it, the memory it needed, what the executor says."""

    number: int
    code: int
    peak_mib: float = 0.0
    reason: str = ""


class Executor(Protocol):
    """Where cells run. Nothing here waits, except `close` for what it stops."""

    def describe(self) -> str:
        """Say in a few words where cells run, and how many at once."""
        ...

    def takes(self, job: Job) -> bool:
        """Whether there is room for a job now."""
        ...

    def submit(self, job: Job) -> None:
        """Begin a job."""
        ...

    def ended(self) -> Iterable[Ended]:
        """Return the jobs that have ended since the last call."""
        ...

    def stop(self, number: int) -> None:
        """Ask a job to save what it has and to end; it is among the ended when it has."""
        ...

    def close(self) -> None:
        """Stop whatever runs, and wait until it has ended."""
        ...
