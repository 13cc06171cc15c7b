"""One update of the weights: forward and backward over a step's micro-batches, checked, then applied."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from harness.api import LostProcess, StageError, TryAgain
from harness.api.errors import ran_out_of_memory

from .batching import Batch, Collator, EncodedRows, MicroBatch, Unit, share
from .distributed import lost_others
from .objectives import Objective
from .replicated import Replicated
from .state import random_state, restore_random_state, saved_steps

Collate = Callable[[EncodedRows], Collator]
SPLITS = "splits.json"  # into how many pieces memory makes a micro-batch be cut
CONTINUES = "the same command continues from the last state with half the micro-batch"


def noted_splits(directory: Path) -> int:
    """Return into how many pieces micro-batches were cut before processes were started again."""
    noted = directory / SPLITS
    return int(noted.read_text(encoding="utf-8")) if noted.exists() else 1


@dataclass(frozen=True, slots=True)
class StepFacts:
    """What one update was like."""

    loss: float
    gradient_norm: float
    tokens: int
    stop: bool


class Stepper:
    """Does updates; when memory runs out, goes on with micro-batches cut in half."""

    def __init__(self, strategy: Replicated, objective: Objective, collate: Collate, directory: Path) -> None:
        self.strategy = strategy
        self.group = strategy.group
        self.objective = objective
        self.collate = collate
        self.directory = directory
        self.splits = 1

    def __call__(
        self, rows: EncodedRows, step: list[MicroBatch], factor: float, number: int, stop: bool
    ) -> StepFacts:
        """Do one update at `factor` times the learning rate; `stop` is this process's wish to end."""
        while True:
            before = random_state()
            try:
                return self._attempt(rows, step, factor, number, stop)
            except (RuntimeError, MemoryError) as failure:
                if lost_others(failure):
                    if noted_splits(self.directory) > self.splits:  # it may be gone before its exit is seen
                        raise TryAgain(
                            f"out of memory at step {number} in another process", hint=CONTINUES
                        ) from failure
                    raise LostProcess(
                        f"process {self.group.rank} lost another one at step {number}",
                        hint="the same command continues from the last state",
                    ) from failure
                if not ran_out_of_memory(failure):
                    raise
                self._halve(rows, step, number, failure)
            restore_random_state(before)

    def _attempt(
        self, rows: EncodedRows, step: list[MicroBatch], factor: float, number: int, stop: bool
    ) -> StepFacts:
        learned = sum(rows.learned(unit) for batch in step for unit in batch)
        pieces = list(self._pieces(step))
        batches = [self._mine(rows, piece) for piece in pieces]
        losses: list[Tensor] = []
        for index, batch in enumerate(batches):
            last = index == len(batches) - 1
            with self.strategy.accumulating(last=last):
                inputs = {key: self._on_device(value) for key, value in batch.inputs.items()}
                with self.strategy.forward_context():
                    loss = self.objective(self.strategy.callee, inputs)
                share_of_step = batch.targets * self.group.world_size / learned
                self.strategy.backward(loss * share_of_step)
            losses.append(loss.detach() * (batch.targets / learned))
        values = torch.stack(losses).tolist()
        total, tokens, stops = self.group.total([sum(values), sum(b.tokens for b in batches), float(stop)])
        if not math.isfinite(total):
            shares = zip(pieces, self.group.total(values), strict=True)
            bad = next((piece for piece, share in shares if not math.isfinite(share)), pieces[0])
            raise self._refusal("the loss is not a finite number", rows, bad, number)
        norm = self.strategy.update(factor)
        if not math.isfinite(norm) and self.strategy.scaler is None:
            what = f"the loss is {total:.4g} and its gradient {norm}"
            raise self._refusal(what, rows, [unit for units in step for unit in units], number)
        return StepFacts(total, norm, int(tokens), stops > 0)

    def _on_device(self, value: Tensor) -> Tensor:
        if self.group.device.type == "cuda":
            return value.pin_memory().to(self.group.device, non_blocking=True)
        return value

    def _pieces(self, step: list[MicroBatch]) -> Iterator[MicroBatch]:
        """Yield what all processes do at a time; each has a share in it, since they meet after it."""
        for units in step:
            size = math.ceil(len(units) / self.group.world_size / self.splits) * self.group.world_size
            for start in range(0, len(units), size):
                yield units[start : start + size]

    def _mine(self, rows: EncodedRows, piece: MicroBatch) -> Batch:
        """Return this process's share of a piece."""
        mine, weightless = share(piece, self.group.rank, self.group.world_size)
        return self.collate(rows)(mine, weightless=weightless)

    def _halve(self, rows: EncodedRows, step: list[MicroBatch], number: int, failure: BaseException) -> None:
        self.strategy.drop_gradients()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        longest = max(len(units) for units in step)
        if self.splits * self.group.world_size >= longest:
            tokens = max(
                sum(len(rows.tokens("input_ids", s)) for s in unit) for units in step for unit in units
            )
            raise StageError(
                f"out of memory at step {number} with a single row of up to {tokens} tokens at a time",
                hint="lower train.max_length, or turn on train.gradient_checkpointing",
            ) from failure
        self.splits *= 2
        if self.group.world_size > 1:
            (self.directory / SPLITS).write_text(str(self.splits), encoding="utf-8")
            # The others wait for this process inside the step, and only their end frees them.
            raise TryAgain(
                f"out of memory at step {number} in process {self.group.rank}", hint=CONTINUES
            ) from failure

    def _refusal(self, what: str, rows: EncodedRows, units: MicroBatch, number: int) -> StageError:
        """Write down the rows on which training cannot go on, and return the failure that names them."""
        path = self.directory / "bad_batch.json"
        sources = sorted({rows.sources[segment.row] for unit in units for segment in unit})
        if self.group.rank == 0:
            facts = {"step": number, "rows": sources, "units": [_described(rows, unit) for unit in units]}
            path.write_text(json.dumps(facts), encoding="utf-8")
        shown = ", ".join(str(row) for row in sources[:8]) + (", …" if len(sources) > 8 else "")
        saved = saved_steps(self.directory)
        kept = f"the state of step {saved[-1]} is kept" if saved else "no state was saved before it"
        return StageError(
            f"{what} at step {number}, on training rows {shown}",
            hint=f"the rows are in {path}, {kept}; lower train.learning_rate, or train in fp32",
        )


def _described(rows: EncodedRows, unit: Unit) -> list[dict[str, object]]:
    return [
        {"row": rows.sources[segment.row], **{key: rows.tokens(key, segment).tolist() for key in rows.keys}}
        for segment in unit
    ]
