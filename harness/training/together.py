"""Processes that share sharded weights take the same steps, and cut their work alike when memory runs out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from harness.api import GenerateSpec, LaunchSpec, LostProcess, RunContext, StageError, TryAgain
from harness.api.errors import ran_out_of_memory

from .distributed import lost_others
from .replicated import Replicated
from .settings import asked_strategy

STATE = "state"
TOGETHER = 8192  # tokens of a batch that all of them ask a sharded model at once
SPLITS = "splits.json"
CONTINUES = "the same command continues from the last state with half as much at a time"
MOST = 256  # pieces; where even one of them is too large, starting again does not help


def noted_splits(directory: Path) -> int:
    """Return into how many pieces work was cut before processes were started again."""
    noted = directory / SPLITS
    return int(noted.read_text(encoding="utf-8")) if noted.exists() else 1


def note_splits(directory: Path, splits: int) -> None:
    """Remember into how many pieces work is to be cut."""
    (directory / SPLITS).write_text(str(splits), encoding="utf-8")


def asked_together(run: RunContext, launch: LaunchSpec) -> GenerateSpec:
    """Return how to generate while training; under sharded weights every process asks in the same batches.

    `auto` measures how many rows pay, and processes that measured differently would wait for each other.
    """
    generate = run.spec.generate
    if launch.processes * launch.nodes == 1 or asked_strategy(launch) not in ("fsdp", "zero3"):
        return generate
    tokens = TOGETHER if generate.batch_tokens == "auto" else int(generate.batch_tokens)
    return replace(generate, batch_tokens=str(max(1, tokens // noted_splits(run.directory / STATE))))


@contextmanager
def answering(strategy: Replicated, run: RunContext) -> Iterator[None]:
    """Let all processes answer the same requests under sharded weights, or start again with less.

    A process that runs out of memory there cannot go on in smaller batches by itself: the others would wait
    for it in every layer.
    """
    directory = run.directory / STATE
    splits = noted_splits(directory)
    try:
        yield
    except (RuntimeError, MemoryError) as failure:
        if strategy.whole:
            raise
        if lost_others(failure):
            if noted_splits(directory) > splits:
                raise TryAgain("out of memory in another process", hint=CONTINUES) from failure
            raise LostProcess("another process was lost while answering", hint=CONTINUES) from failure
        if not ran_out_of_memory(failure):
            raise
        if splits >= MOST:
            raise StageError(
                "memory ran out while answering, however few requests at a time",
                hint="lower generate.max_new_tokens, or share the weights among more processes",
            ) from failure
        note_splits(directory, 2 * splits)
        raise TryAgain("out of memory while answering", hint=CONTINUES) from failure
