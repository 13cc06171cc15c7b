"""One update of the weights: forward and backward over a step's micro-batches, checked, then applied."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from harness.api import LostProcess, StageError, TryAgain
from harness.api.errors import ran_out_of_memory

from .batching import Batch, EncodedRows, MicroBatch, Step, Unit, share
from .distributed import lost_others
from .objectives import Loss, Objective, precise
from .replicated import Replicated
from .stage import Collate
from .state import random_state, restore_random_state, saved_steps
from .together import CONTINUES, note_splits, noted_splits


@dataclass(frozen=True, slots=True)
class StepFacts:
    """What one update was like; `facts` are what the objective reports beside the loss."""

    loss: float
    gradient_norm: float
    tokens: int
    stop: bool
    facts: Mapping[str, float]


class Sums:
    """Sums of several batches, left on their device until they are all there."""

    def __init__(self) -> None:
        self.names: tuple[str, ...] = ()
        self._rows: list[Tensor] = []

    def add(self, loss: Loss, *, counts: bool = True) -> None:
        """Take in a batch; one that does not count leaves zeros."""
        self.names = tuple(loss.facts)
        values = [loss.sum, torch.as_tensor(loss.weight, device=loss.sum.device), *loss.facts.values()]
        row = torch.stack([precise(value.detach()) for value in values])
        self._rows.append(row if counts else torch.zeros_like(row))

    def of_batches(self) -> list[list[float]]:
        """Return of each batch the loss, its weight, and the facts."""
        rows: list[list[float]] = torch.stack(self._rows).tolist()
        return rows


class Stepper:
    """Does updates; when memory runs out, goes on with micro-batches cut in half."""

    def __init__(self, strategy: Replicated, objective: Objective, collate: Collate, directory: Path) -> None:
        self.strategy = strategy
        self.group = strategy.group
        self.objective = objective
        self.collate = collate
        self.directory = directory
        self.splits = 1

    def __call__(self, step: Step, factor: float, number: int, stop: bool) -> StepFacts:
        """Do one update at `factor` times the learning rate; `stop` is this process's wish to end."""
        while True:
            before = random_state()
            try:
                return self._attempt(step, factor, number, stop)
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
                self._halve(step, number, failure)
            restore_random_state(before)

    def _attempt(self, step: Step, factor: float, number: int, stop: bool) -> StepFacts:
        pieces = list(self._pieces(step))
        batches = [self._mine(step.rows, piece) for piece in pieces]
        sums = Sums()
        for index, batch in enumerate(batches):
            with self.strategy.accumulating(last=index == len(batches) - 1):
                inputs = {key: self._on_device(value) for key, value in batch.inputs.items()}
                with self.strategy.forward_context():
                    loss = self.objective(self.strategy.callee, inputs)
                counts = not batch.weightless  # a process without a row of its own only keeps others company
                self.strategy.backward(loss.sum * (self.group.world_size / step.weight if counts else 0.0))
            sums.add(loss, counts=counts)
        losses = sums.of_batches()
        mine = [sum(column) for column in zip(*losses, strict=True)]
        self._require_weight(mine[1], sum(batch.weight for batch in batches))
        tokens = sum(batch.tokens for batch in batches)
        total, weight, all_tokens, stops, *facts = self.group.total([*mine[:2], tokens, stop, *mine[2:]])
        if not math.isfinite(total):
            shares = zip(pieces, self.group.total([of_batch[0] for of_batch in losses]), strict=True)
            bad = next((piece for piece, share in shares if not math.isfinite(share)), pieces[0])
            raise self._refusal("the loss is not a finite number", step.rows, bad, number)
        loss_of_step = float(np.float32(total / step.weight))  # no more digits than it was computed in
        norm = self.strategy.update(factor)
        if not math.isfinite(norm) and self.strategy.scaler is None:
            what = f"the loss is {loss_of_step:.4g} and its gradient {norm}"
            raise self._refusal(what, step.rows, [unit for units in step.batches for unit in units], number)
        named = {name: value / (weight or 1.0) for name, value in zip(sums.names, facts, strict=True)}
        return StepFacts(loss_of_step, norm, int(all_tokens), stops > 0, named)

    @staticmethod
    def _require_weight(found: float, expected: float) -> None:
        """Refuse an objective that sums over something else than what its rows were counted in."""
        if not math.isclose(found, expected, rel_tol=1e-5):
            raise StageError(
                f"the objective gave its batches a weight of {found:g}, their rows weigh {expected:g}",
                hint="an objective returns a sum and what it has summed over: tokens, pairs or answers",
            )

    def _on_device(self, value: Tensor) -> Tensor:
        if self.group.device.type == "cuda":
            return value.pin_memory().to(self.group.device, non_blocking=True)
        return value

    def _pieces(self, step: Step) -> Iterator[MicroBatch]:
        """Yield what all processes do at a time; each has a share in it, since they meet after it."""
        for units in step.batches:
            size = math.ceil(len(units) / self.group.world_size / self.splits) * self.group.world_size
            for start in range(0, len(units), size):
                yield units[start : start + size]

    def _mine(self, rows: EncodedRows, piece: MicroBatch) -> Batch:
        """Return this process's share of a piece."""
        mine, weightless = share(piece, self.group.rank, self.group.world_size)
        return self.collate(rows)(mine, weightless=weightless)

    def _halve(self, step: Step, number: int, failure: BaseException) -> None:
        self.strategy.drop_gradients()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        longest = max(len(units) for units in step.batches)
        if self.splits * self.group.world_size >= longest:
            tokens = max(sum(step.rows.tokens(s) for s in unit) for units in step.batches for unit in units)
            raise StageError(
                f"out of memory at step {number} with a single row of up to {tokens} tokens at a time",
                hint="lower train.max_length, or turn on train.gradient_checkpointing",
            ) from failure
        self.splits *= 2
        if self.group.world_size > 1:
            note_splits(self.directory, self.splits)
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
        {"row": rows.sources[segment.row], **{key: rows.values(key, segment).tolist() for key in rows.keys}}
        for segment in unit
    ]
