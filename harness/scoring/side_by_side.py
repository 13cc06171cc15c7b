"""Several files of answers, measured by as many processes as there are cores."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from harness.api.errors import LostProcess
from harness.api.example import Pairs, Score
from harness.api.metric import Metrics
from harness.children import available_cores

from .measure import measure

_held: tuple[Sequence[Pairs], Metrics] = ((), {})  # what forked processes find in their memory


def cores() -> int:
    """Count the cores that this process may run on; 1 where processes cannot be forked safely."""
    return available_cores() if hasattr(os, "sched_getaffinity") else 1


def measure_all(files: Sequence[Pairs], metrics: Metrics, processes: int) -> list[dict[str, Score]]:
    """Compute the metrics of each file.

    The first file is measured before there are others, so that all of them know what it has found out of
    the references. torch does not survive a fork: metrics that have loaded it take the files in turn.
    """
    first = measure(files[0], metrics)
    count = 1 if "torch" in sys.modules else min(processes, len(files) - 1)
    if count < 2:
        return [first, *(measure(pairs, metrics) for pairs in files[1:])]
    return [first, *_forked(files[1:], metrics, count)]


def _forked(files: Sequence[Pairs], metrics: Metrics, count: int) -> list[dict[str, Score]]:
    # here, because a single file needs none of it
    from concurrent.futures.process import BrokenProcessPool, ProcessPoolExecutor
    from multiprocessing import get_context

    global _held
    _held = files, metrics
    try:
        with ProcessPoolExecutor(count, get_context("fork")) as pool:
            return list(pool.map(_measure_held, range(len(files))))
    except BrokenProcessPool as lost:
        raise LostProcess(
            "a process that scored one of the files is gone, perhaps for want of memory",
            hint="--processes 1 scores them in turn",
        ) from lost
    finally:
        _held = (), {}


def _measure_held(place: int) -> dict[str, Score]:
    files, metrics = _held
    return measure(files[place], metrics)
