"""How many rows are decoded at once: a budget of tokens in the cache, asked for or found by trying."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch

from harness.api.errors import StageError, UsageError, ran_out_of_memory
from harness.api.spec import GenerateSpec

Item = TypeVar("Item")
Result = TypeVar("Result")

FIRST_ROWS = 32
WORTH_IT = 1.08  # twice the rows must yield at least so much more tokens a second
STEPS_A_TRY = 4
MEMORY_SHARE = 0.5  # of what is free may go to the cache
PASS_TOKENS = 16384  # a pass over so many keeps a processor busy; more of them only take memory
SMALL_CACHE = 48 * 2**20  # bytes; rows that fit in so little begin together, in place of a climb


class Budget:
    """How many rows are decoded at once, as tokens in the cache: rows x (prompt + longest answer).

    `auto` begins with a few rows, or with all that take little memory, and doubles them while it pays.
    Its trials are the run's own first rows, which are its longest, so nothing is computed for a trial
    alone. Running out of memory halves the tokens for the rest of the run. A deterministic run decodes
    each request alone. Where a request takes one pass of the model, as to score choices, `auto` is a fixed
    number of tokens.
    """

    def __init__(self, spec: GenerateSpec, device: torch.device, *, one_pass: bool = False) -> None:
        self.device = device
        self.alone = spec.deterministic
        self.auto = spec.batch_tokens == "auto"
        self.grows = self.auto and not one_pass
        self.tokens: int | None = (
            asked_tokens(spec.batch_tokens) if not self.auto else PASS_TOKENS if one_pass else None
        )
        self.rows = FIRST_ROWS
        self._weighed = False
        self.halvings = 0
        self.tried: list[dict[str, float]] = []
        self._climbing = self.grows and not self.alone
        self._rates: list[float] = []

    def holds(self, rows: int, tokens: int) -> bool:
        """Tell whether so many rows may be decoded at once that come to hold so many tokens together."""
        if self.alone or (self.grows and rows > self.rows):
            return False
        return self.tokens is None or tokens <= self.tokens

    def room(self, length: int) -> int:
        """Return how many rows that each take up to `length` tokens may be decoded at once."""
        if self.alone:
            return 1
        rows = self.tokens // length if self.tokens is not None else self.rows
        return max(1, min(rows, self.rows) if self.grows else rows)

    def weigh(self, bytes_a_token: float, length: int) -> None:
        """Learn what a token takes in the cache, where rows take up to `length` of them.

        `auto` plans for no more than a share of what is free.
        """
        if not self.grows or self._weighed or not bytes_a_token:
            return
        self._weighed = True
        self.rows = max(self.rows, int(SMALL_CACHE / (bytes_a_token * length)))
        if self.tokens is None and (free := free_bytes(self.device)):
            self.tokens = int(free * MEMORY_SHARE / bytes_a_token)

    def stepped(self, seconds: float, rows: int) -> None:
        """Learn from one step of so many rows; climb while twice the rows pay."""
        if not self._climbing or rows < 0.75 * self.rows:
            return
        self._rates.append(rows / seconds)
        if len(self._rates) < STEPS_A_TRY:
            return
        rate = max(self._rates)  # the machine's own noise only ever slows a step down
        self._rates.clear()
        last = self.tried[-1] if self.tried else None
        self.tried.append({"rows": self.rows, "tokens_per_second": round(rate, 1)})
        if last is None or rate >= WORTH_IT * last["tokens_per_second"]:
            self.rows *= 2
            return
        self._climbing = False
        if rate < last["tokens_per_second"]:
            self.rows = int(last["rows"])

    def ran_out(self, tokens: int) -> None:
        """Remember that so many tokens were too many."""
        self.halvings += 1
        self._climbing = False
        self.tokens = max(1, min(tokens, self.tokens or tokens) // 2)

    def facts(self) -> dict[str, Any]:
        """Return what goes into the record."""
        return {
            "batching": "alone" if self.alone else "auto" if self.auto else "asked",
            "token_limit": self.tokens,  # asked for, what memory allows, or half of what ran out
            "batch_rows": self.rows if self.grows and not self.alone else None,
            "tried": self.tried,
            "out_of_memory": self.halvings,
        }


def in_batches(
    items: Sequence[Item],
    size: Callable[[Item], int],
    work: Callable[[Sequence[Item]], Sequence[Result]],
    budget: Budget,
) -> Iterator[tuple[Sequence[Item], Sequence[Result]]]:
    """Yield batches with their results, of items that come largest first; halve where memory runs out."""
    start = 0
    while start < len(items):
        batch = items[start : start + budget.room(size(items[start]))]
        if (results := _attempt(work, batch)) is not None:
            start += len(batch)
            yield batch, results
        elif len(batch) == 1:
            raise StageError(
                "memory ran out with a single request", hint="use a smaller precision or shorter prompts"
            )
        else:
            budget.ran_out(len(batch) * size(batch[0]))


def _attempt(work: Callable[[Sequence[Item]], Result], batch: Sequence[Item]) -> Result | None:
    try:
        with torch.inference_mode():
            return work(batch)
    except (RuntimeError, MemoryError) as error:
        if not ran_out_of_memory(error):
            raise
        return None


def asked_tokens(text: str) -> int:
    """Read a budget that was asked for as a number."""
    try:
        tokens = int(text)
    except ValueError:
        tokens = 0
    if tokens < 1:
        raise UsageError(
            f"batch-tokens is '{text}'; it must be 'auto' or a number of tokens", hint="for example 16384"
        )
    return tokens


def free_bytes(device: torch.device) -> int:
    """Return how much memory is free on a device."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    if "SC_AVPHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return 0
