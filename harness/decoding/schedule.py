"""The loop: longest requests first, rows that end make room for new ones, memory that runs out costs a batch.

Nothing generated is lost when memory runs out: texts so far are kept, and read again in smaller company.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from harness.api.errors import StageError, ran_out_of_memory

from .budget import Budget
from .jobs import Job
from .language_model import LanguageModel
from .rows import Rows
from .search import Batch, Search

READ_TOKENS = 8192  # prompt tokens read in one forward, so that activations stay small beside the cache
REFILL_SHARE = 4  # new requests are read in when one row in so many is free


class Schedule:
    """Runs jobs through a search, and hands back each as soon as it has ended."""

    def __init__(self, lm: LanguageModel, search: Search, budget: Budget, jobs: Sequence[Job]) -> None:
        self.lm, self.search, self.budget = lm, search, budget
        # sorted() is stable: requests of one length stay in the order of the file
        self.queue = deque(sorted(jobs, key=lambda job: -job.length))
        self.batch: Batch | None = None
        self._reading: list[Job] = []
        self._ended: list[Job] = []
        self.seconds = 0.0  # of the loop's own, without what the caller does between completions
        self.steps = 0
        self.new_tokens = 0
        self.peak_rows = 0
        self.lengths: Counter[int] = Counter()

    def run(self) -> Iterator[list[Job]]:
        """Yield after every step the jobs that have ended in it, which may be none."""
        while self.queue or self.batch:
            started = time.perf_counter()
            if not self._turn():
                self._shrink()
            self.seconds += time.perf_counter() - started
            ended, self._ended = self._ended, []
            yield ended

    @property
    def rate(self) -> float:
        """New tokens a second so far."""
        return round(self.new_tokens / self.seconds, 1) if self.seconds else 0.0

    def facts(self) -> dict[str, Any]:
        """Return what goes into the record."""
        return {
            **self.budget.facts(),
            "seconds": round(self.seconds, 3),
            "new_tokens": self.new_tokens,
            "tokens_per_second": self.rate,
            "steps": self.steps,
            "peak_rows": self.peak_rows,
            "prompts_by_length": {f"<={length}": n for length, n in sorted(self.lengths.items())},
        }

    def _turn(self) -> bool:
        """Take one step; False when memory ran out."""
        try:
            with torch.inference_mode():
                admitted = False
                while self._admit():
                    admitted = True
                started = time.perf_counter()
                rows = self._live
                self.peak_rows = max(self.peak_rows, rows)
                self._step()
                if not admitted:
                    self.budget.stepped(time.perf_counter() - started, rows)
        except (RuntimeError, MemoryError) as error:
            if not ran_out_of_memory(error):
                raise
            return False
        return True

    @property
    def _live(self) -> int:
        return self.batch.live if self.batch else 0

    def _step(self) -> None:
        assert self.batch is not None
        self.steps += 1
        self.new_tokens += self.batch.texts
        self._ended += self.search.choose(self.batch)
        if self.batch.live:
            self.batch.advance()
        else:
            self.batch = None

    def _admit(self) -> bool:
        jobs = self._next_jobs()
        if not jobs:
            return False
        self._reading = jobs
        batches = []
        share = max(1, READ_TOKENS // (max(job.length for job in jobs) + len(jobs[0].live or ())))
        for start in range(0, len(jobs), share):
            batches.append(self._read(jobs[start : start + share]))
        first, *others = [self.batch, *batches] if self.batch else batches
        if others:
            first.join(others)
        self.batch = first
        self._reading = []
        self.budget.weigh(first.rows.bytes_per_column, max(map(_planned, jobs)))
        return True

    def _read(self, jobs: Sequence[Job]) -> Batch:
        for job in jobs:
            job.live = job.live or self.search.start(job)
        slots = [hypothesis for job in jobs for hypothesis in job.live]
        rows = Rows.read(
            self.lm,
            [slot.job.prompt for slot in slots],
            [slot.tokens for slot in slots],
            keep_hidden=self.search.keep_hidden,
        )
        return Batch(rows, slots)

    def _next_jobs(self) -> list[Job]:
        if not self.queue or (self.batch and not self.lm.rows_may_join):
            return []
        running = self.batch.jobs if self.batch else []
        room = self.budget.room(max(_planned(job) for job in [self.queue[0], *running]))
        free = room - len(running)
        if running and free < min(len(self.queue), max(1, room // REFILL_SHARE)):
            return []
        jobs: list[Job] = []
        while self.queue and len(jobs) < free:
            if jobs and not self._may_start_together(jobs[0], self.queue[0]):
                break
            job = self.queue.popleft()
            self.lengths[1 << (job.length - 1).bit_length()] += not job.live
            jobs.append(job)
        return jobs

    def _may_start_together(self, one: Job, other: Job) -> bool:
        if not self.lm.rows_may_join:  # such rows cannot stand at different steps
            return _step_of(one) == _step_of(other)
        # beside further inputs, generated tokens are read apart from the prompt: all rows have some or none
        return len(one.prompt) == 1 or bool(_step_of(one)) == bool(_step_of(other))

    def _shrink(self) -> None:
        jobs = [*(self.batch.jobs if self.batch else ()), *self._reading]
        self.batch, self._reading = None, []
        if self.lm.device.type == "cuda":
            torch.cuda.empty_cache()
        if len(jobs) <= 1:
            name = f"request '{jobs[0].request.id}' ({jobs[0].length} prompt tokens)" if jobs else "a request"
            raise StageError(
                f"memory ran out with {name} decoded alone",
                hint="use a smaller precision, fewer beams, fewer new tokens, or shorter prompts",
            )
        self.budget.ran_out(len(jobs) * self.search.width * max(map(_planned, jobs)))
        self.queue.extendleft(reversed(jobs))


def _planned(job: Job) -> int:
    return job.length + job.max_new


def _step_of(job: Job) -> int:
    return len(job.live[0].tokens) if job.live else 0
