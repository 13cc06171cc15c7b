"""Parts of a batch that are learned side by side on a CPU, each in a thread of its own.

torch computes one operation on all cores, and a small model has operations too small for that: two threads
with half of a batch each are faster. What comes out depends on the number of lanes, never on how many
cores there are or on which thread is first.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

import torch
from torch import nn

from . import threads

T = TypeVar("T")


class Lanes:
    """Threads for as many tasks at a time as there are lanes; the thread that calls is one of them."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._others = (
            ThreadPoolExecutor(count - 1, "lane", partial(threads.use_cores, count)) if count > 1 else None
        )

    def together(self, tasks: Sequence[Callable[[], T]]) -> list[T]:
        """Return what tasks return, in their order; a failure is raised when all have ended."""
        if self._others is None:
            return [task() for task in tasks]
        others = [self._others.submit(task) for task in tasks[1:]]
        try:
            first = tasks[0]()
        finally:
            wait(others)
        return [first, *(other.result() for other in others)]

    @contextmanager
    def open(self) -> Iterator[None]:
        """Share torch's own threads out among the lanes for a while; end the lanes afterwards."""
        before = torch.get_num_threads()
        if self.count > 1:
            threads.use_cores(self.count)
        try:
            yield
        finally:
            torch.set_num_threads(before)
            if self._others is not None:
                self._others.shutdown()


def twin(model: nn.Module) -> nn.Module:
    """Return other modules around the very same weights, so that two threads can call them at once."""
    shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    return copy.deepcopy(model, shared)
