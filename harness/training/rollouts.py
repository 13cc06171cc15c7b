"""Rows that come to be while training: prompts are answered, and what is said is judged and learned from."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from harness.api import DataError, PromptRow, Request, StageError, TrainData, TrainRow

from .batching import EncodedRows, Left, MicroBatch, Step, plan
from .distributed import Group
from .modes import caching
from .source import Report
from .state import Position
from .together import answering

if TYPE_CHECKING:
    from .stages.policy import Policy

FILE = "rollout.pt"


@dataclass(frozen=True, slots=True)
class Said:
    """An answer: the prompt as it was read, the tokens, the text, and how often it was given."""

    prompt: Mapping[str, Sequence[int]]
    tokens: tuple[int, ...]
    text: str
    ended: bool
    count: int = 1


class Asked(NamedTuple):
    """A prompt with all that was said to it."""

    request: Request
    said: tuple[Said, ...]


class Lesson(NamedTuple):
    """What is learned of a rollout: rows, all that its answers weigh, facts of it, and some examples."""

    rows: EncodedRows
    weight: float
    facts: Mapping[str, float]
    examples: Sequence[Mapping[str, Any]] = ()


class Rollouts:
    """Steps over answers that the model itself has just given.

    `prompts` prompts are answered `samples` times each and learned from in `passes` times `updates` steps.
    Answers depend on the weights, the seed and the place in the data alone, so that a training that dies
    goes on as if nothing had happened; what is half learned is kept in the state.
    """

    sets: Sequence[EncodedRows] = ()

    def __init__(self, data: TrainData, stage: Policy, group: Group) -> None:
        self.stage = stage
        self.options = stage.options
        self.spec = stage.spec
        self.group = group
        self.silent = 0  # rollouts in a row of which nothing could be learned
        self.heard = False  # whether there was one of which something could
        self._held: Lesson | None = None
        self.requests, self.left, self.digest = self._prompts(data)
        self.taught = list(data.taught) if self.options.supervised else []

    def close(self) -> None:
        """Nothing goes on between steps."""

    def wait(self) -> None:
        """Nothing goes on between steps."""

    def _prompts(self, data: TrainData) -> tuple[list[Request], Left, str]:
        """Return the prompts that leave room for an answer, how many do not, and a digest of all tokens."""
        rows = [row.request for row in data.train if isinstance(row, PromptRow)]
        mine = list(islice(rows, self.group.rank, None, self.group.world_size))
        ids = [list(self.stage.read(request)["input_ids"]) for request in mine]
        told = self.group.gather([(len(one), hashlib.sha256(repr(one).encode()).hexdigest()) for one in ids])
        known = {place: fact for rank, facts in enumerate(told) for place, fact in self._placed(rank, facts)}
        room = self.spec.max_length - self.stage.asking.max_new_tokens
        kept = [request for place, request in enumerate(rows) if known[place][0] <= room]
        if not kept:
            needed = min(size for size, _ in known.values()) + self.stage.asking.max_new_tokens
            raise DataError(
                f"no prompt leaves room for an answer of {self.stage.asking.max_new_tokens} tokens "
                f"within train.max_length = {self.spec.max_length}",
                hint=f"--set train.max_length={needed} lets the shortest in",
            )
        if left := len(rows) - len(kept):
            self.stage.run.event(
                "note",
                text=f"{left} of {len(rows)} prompts leave no room for an answer of "
                f"{self.stage.asking.max_new_tokens} tokens within train.max_length = {self.spec.max_length} "
                "and are left out",
            )
        whole = hashlib.sha256("".join(known[place][1] for place in range(len(rows))).encode())
        return kept, Left(too_long=len(rows) - len(kept)), whole.hexdigest()[:16]

    def _placed(self, rank: int, facts: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        return ((rank + index * self.group.world_size, fact) for index, fact in enumerate(facts))

    @property
    def _rollouts(self) -> int:
        """How many rollouts an epoch has."""
        count: int = ceil(len(self.requests) / self.options.prompts)
        return count

    def total_steps(self) -> int:
        """Count the steps of the whole training."""
        limit = self.spec.max_steps
        if self.spec.epochs is None and limit is not None:
            return limit
        epochs = 1.0 if self.spec.epochs is None else self.spec.epochs
        steps: int = max(1, round(epochs * self._rollouts) * self.options.passes * self.options.updates)
        return steps if limit is None else min(steps, limit)

    def steps(self, position: Position, report: Report) -> Iterator[Step]:
        """Yield steps from `position` on, keeping it up to date, until nothing is told apart any more."""
        while True:
            lesson = self._held or self._lesson(position, report)
            if not self._held and not self._heard(lesson):
                return
            planned = self._planned(lesson, position)
            for place in range(position.updates, len(planned)):
                self._held = lesson if place + 1 < len(planned) else None
                if self._held is None:
                    self._pass_on(position)
                else:
                    position.updates += 1
                yield planned[place]
            if not planned:
                self._pass_on(position)

    def _pass_on(self, position: Position) -> None:
        position.updates = 0
        position.window += 1
        position.rows_before += self.options.prompts
        if position.window == self._rollouts:
            position.epoch, position.window, position.rows_before = position.epoch + 1, 0, 0

    def _planned(self, lesson: Lesson, position: Position) -> list[Step]:
        """Deal the rows to the steps of each pass, all of which have the same share of the whole weight."""
        steps: list[Step] = []
        spec = replace(self.spec, grad_accumulation=1)
        for turn in range(self.options.passes if len(lesson.rows) else 0):
            seed = [self.spec.seed, position.epoch, position.window, turn]
            batches: list[MicroBatch] = [step[0] for step in plan(lesson.rows, spec, seed)]
            updates = min(self.options.updates, len(batches))
            for chosen in np.array_split(np.arange(len(batches)), updates):
                steps.append(Step(lesson.rows, [batches[i] for i in chosen], lesson.weight / updates))
        return steps

    def _lesson(self, position: Position, report: Report) -> Lesson:
        """Answer the next prompts and make of it what is learned."""
        began = time.perf_counter()
        place = f"{self.spec.seed}/{position.epoch}/{position.window}"
        asked = said_to(self.stage, self.group, self._next(position), place)
        sampled = time.perf_counter()
        lesson = self.stage.lesson(asked, self._taught(position))
        scored = time.perf_counter()
        position.spend("sampling", sampled - began)
        position.spend("scoring", scored - sampled)
        times = {"sampling_seconds": sampled - began, "scoring_seconds": scored - sampled}
        facts = {**lesson.facts, **{name: round(value, 3) for name, value in times.items()}}
        report(position.step + 1, facts, lesson.examples)
        return lesson

    def _heard(self, lesson: Lesson) -> bool:
        """Note whether there was something to learn; where there never was, say so and give up."""
        self.silent = 0 if len(lesson.rows) else self.silent + 1
        self.heard = self.heard or bool(len(lesson.rows))
        if self.silent < self.options.silence:
            return True
        earned = f"it was {lesson.facts['reward']:g} for all"
        told = f"the reward has told no answers apart in {self.silent} rollouts, {earned}"
        if not self.heard:
            raise StageError(
                f"{told}: there is nothing to learn",
                hint="train_log.jsonl has all rewards; try another one, a higher temperature, more samples",
            )
        self.stage.run.event("note", text=f"{told}, and training ended")
        return False

    def _taught(self, position: Position) -> list[TrainRow]:
        """Draw as many answers in the data as there are prompts."""
        draw = np.random.default_rng([self.spec.seed, position.epoch, position.window])
        size = min(self.options.prompts, len(self.taught))
        return [self.taught[place] for place in draw.choice(len(self.taught), size, replace=False)]

    def _next(self, position: Position) -> list[Request]:
        order = np.random.default_rng([self.spec.seed, position.epoch]).permutation(len(self.requests))
        chosen = order[position.rows_before : position.rows_before + self.options.prompts]
        return [self.requests[place] for place in chosen]

    def save(self, folder: Path) -> None:
        """Write what is half learned, and what the stage keeps from one rollout to the next."""
        held = self._held
        lesson = None if held is None else (held.rows.state(), held.weight)
        torch.save({"lesson": lesson, "stage": self.stage.state()}, folder / FILE)

    def load(self, folder: Path) -> None:
        """Take over what `save` wrote."""
        state = torch.load(folder / FILE, weights_only=True)
        self.heard = True  # or there would be no step to go on from
        self.stage.restore(state["stage"])
        if state["lesson"] is not None:
            rows, weight = state["lesson"]
            self._held = Lesson(EncodedRows.restored(self.stage.shape, rows), weight, {})


def said_to(stage: Policy, group: Group, requests: Sequence[Request], place: str) -> list[Asked]:
    """Ask each prompt, each process its share where it has the whole model; equal answers are one.

    `place` is what chance is drawn from.
    """
    strategy = stage.strategy
    asking = replace(stage.asking, seed=int.from_bytes(hashlib.sha256(place.encode()).digest()[:4]))
    mine = requests[group.rank :: group.world_size] if strategy.whole else requests
    with caching(strategy.module, True), answering(strategy, stage.run):
        said = {
            samples[0].request.id: _merged(samples)
            for samples in (stage.sample(strategy.module, mine, asking) if mine else ())
        }
    if strategy.whole:
        said = {name: answers for part in group.gather(said) for name, answers in part.items()}
    return [Asked(request, said[request.id]) for request in requests]


def _merged(samples: Sequence[Any]) -> tuple[Said, ...]:
    counts: dict[tuple[int, ...], Said] = {}
    for sample in samples:
        known = counts.get(sample.tokens)
        ended = sample.finish != "length"
        counts[sample.tokens] = (
            replace(known, count=known.count + 1)
            if known
            else Said(sample.prompt, sample.tokens, sample.text, ended)
        )
    return tuple(counts.values())
