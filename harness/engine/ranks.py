"""Inside somebody else's launcher: rank 0 runs the program, the other ranks take part in its stages.

The ranks meet at the address that the launcher set. Rank 0 announces each stage by its directory, and a stage
ends when every rank has said how its part went. Nothing but these few words goes through the meeting point:
what a stage needs is in its directory.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from harness.api.errors import HarnessError, StageError, UsageError

END = "end"
LONG = timedelta(days=365)
AFTER_A_FAILURE = timedelta(seconds=60)  # a rank that waits for one that failed will not answer at all


def inside_a_launcher() -> bool:
    """Whether somebody else's launcher (torchrun, SLURM, accelerate, deepspeed) started several of us."""
    return "RANK" in os.environ and int(os.environ.get("WORLD_SIZE", "1")) > 1


def join() -> Ranks | None:
    """Meet the other ranks of the launcher that started this process, if one did."""
    return Ranks() if inside_a_launcher() else None


class Ranks:
    """The ranks of one launch, and what rank 0 has announced to them so far."""

    def __init__(self) -> None:
        # Here, because only a launch of several processes needs torch to meet.
        from torch.distributed import PrefixStore  # type: ignore[attr-defined]
        from torch.distributed.rendezvous import rendezvous

        try:
            store, self.rank, self.world_size = next(rendezvous("env://"))
        except (ValueError, OSError, RuntimeError) as error:
            raise UsageError(
                f"RANK and WORLD_SIZE are set, but the ranks cannot meet: {error}",
                hint="start the program with torchrun, or unset RANK and WORLD_SIZE",
            ) from error
        self._store: Any = PrefixStore("assay", store)
        self._stages = 0
        self._lost = ""

    def together(self, stage: str, directory: Path, work: Callable[[], None]) -> None:
        """Run a stage on every rank: announce it, do rank 0's part, and hear how the others fared."""
        if self._lost:
            raise StageError(self._lost)
        self._announce(stage, directory)
        failure: HarnessError | None = None
        try:
            work()
        except HarnessError as error:
            failure = error
        for rank in range(1, self.world_size):
            said = self._hear(rank, AFTER_A_FAILURE if failure else LONG)
            if said and failure is None:
                failure = StageError(f"{stage} failed on rank {rank}: {said}")
        if failure is not None:
            raise failure

    def dismiss(self) -> None:
        """Let the other ranks end, if they have not already."""
        with suppress(RuntimeError):
            self._announce(END, Path())

    def follow(self, work: Callable[[Path, str], None]) -> None:
        """Take part in every stage that rank 0 announces, until it says that there are no more."""
        while True:
            self._stages += 1
            key = f"{self._stages}"
            self._store.wait([key], LONG)
            stage, directory = json.loads(self._store.get(key))
            if stage == END:
                return
            said = ""
            try:
                work(Path(directory), stage)
            except HarnessError as error:
                said = error.message
            self._store.set(f"{key}/{self.rank}", json.dumps(said))

    def _announce(self, stage: str, directory: Path) -> None:
        self._stages += 1
        self._store.set(f"{self._stages}", json.dumps([stage, str(directory)]))

    def _hear(self, rank: int, patience: timedelta) -> str:
        key = f"{self._stages}/{rank}"
        try:
            self._store.wait([key], patience)
        except RuntimeError:  # torch's DistStoreError
            self._lost = f"rank {rank} did not come back from an earlier stage"
            return self._lost
        return str(json.loads(self._store.get(key)))
