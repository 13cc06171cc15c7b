"""Where the steps of a training come from: rows at rest, or answers that are given while it goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from .batching import EncodedRows, Left, Step
from .state import Position

# Tells what a batch of answers was like: the step it is for, facts, and examples.
Report = Callable[[int, Mapping[str, float], Sequence[Mapping[str, Any]]], None]


class Source(Protocol):
    """Yields steps from any position on; what it cannot make again it keeps in the state."""

    left: Left

    @property
    def sets(self) -> Sequence[EncodedRows]:
        """The rows that are there before training begins."""
        ...

    @property
    def digest(self) -> str:
        """A hash of what is learned from."""
        ...

    def total_steps(self) -> int:
        """Count the steps of the whole training."""
        ...

    def steps(self, position: Position, report: Report) -> Iterator[Step]:
        """Yield steps from `position` on, keeping it up to date, until nothing more can be learned."""
        ...

    def wait(self) -> None:
        """Wait until nothing goes on beside the training."""
        ...

    def close(self) -> None:
        """Begin nothing further."""
        ...

    def save(self, folder: Path) -> None:
        """Write what cannot be made again."""
        ...

    def load(self, folder: Path) -> None:
        """Take over what `save` wrote."""
        ...
