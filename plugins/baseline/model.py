"""The baselines. They remember training pairs; the checkpoint is a file of what was remembered."""

from __future__ import annotations

import json
import random
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from typing import ClassVar

from harness import (
    Answers,
    Checkpoint,
    Completion,
    DataError,
    GenerateSpec,
    ModelPlugin,
    ModelSession,
    Request,
    RunContext,
    TrainData,
    TrainPair,
    TrainSpec,
    UsageError,
    until,
)

from .similarity import Neighbours, most_typical

FILE = "remembered.jsonl"


class Baseline(ModelPlugin):
    """Remembers rows in `train` and answers from them; a subclass says what and how."""

    name: ClassVar[str]

    @abstractmethod
    def keep(self, pairs: list[TrainPair]) -> list[TrainPair]:
        """Return the pairs that answering needs."""

    @abstractmethod
    def answerer(self, kept: list[TrainPair], seed: int) -> Callable[[Request], str]:
        """Return a function that answers requests out of the kept pairs."""

    def train(self, data: TrainData, spec: TrainSpec, run: RunContext) -> Checkpoint:
        """Write down what is remembered of the training pairs."""
        pairs = [row for row in data.train if isinstance(row, TrainPair)]
        if not pairs:
            raise DataError(f"{self.name} learns from pairs and the training split has none")
        folder = run.directory / "checkpoint"
        if run.is_main:
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / FILE).open("w", encoding="utf-8") as stream:
                stream.write(json.dumps({"baseline": self.name}) + "\n")
                for pair in self.keep(pairs):
                    stream.write(json.dumps([dict(pair.inputs), pair.prompt, pair.target]) + "\n")
        return Checkpoint(folder)

    def open(self, checkpoint: Checkpoint | None, run: RunContext) -> Remembering:
        """Read what was remembered."""
        if checkpoint is None:
            raise UsageError(
                f"{self.name} needs a checkpoint to answer",
                hint="it learns from training rows: --data with a train split, without --no-train",
            )
        kept = read_checkpoint(checkpoint.path / FILE, self.name)
        return Remembering(partial(self.answerer, kept))


class Remembering(ModelSession):
    """A baseline that is asked; `answerer` makes for a seed the function that answers."""

    def __init__(self, answerer: Callable[[int], Callable[[Request], str]]) -> None:
        self._answerer = cache(answerer)

    def generate(
        self, requests: Sequence[Request], spec: GenerateSpec, run: RunContext
    ) -> Iterator[Completion]:
        """Answer each request."""
        answer = self._answerer(spec.seed)
        for request in requests:
            yield Completion(request.id, *until(answer(request), spec.stop))

    def choose(
        self, requests: Sequence[Request], spec: GenerateSpec, run: RunContext
    ) -> Iterator[Completion]:
        """Take the choice that shares most words with the baseline's answer, the first of equals."""
        answer = self._answerer(spec.seed)
        for request in requests:
            words = set(answer(request).lower().split())
            scores = tuple(float(len(words & set(choice.lower().split()))) for choice in request.choices)
            best = request.choices[scores.index(max(scores))]
            yield Completion(request.id, best, "choice", choice_scores=scores)


class Frequent(Baseline):
    """The most frequent answer; where every answer is unique, the most typical one stands in."""

    name = "baseline/frequent"

    def keep(self, pairs: list[TrainPair]) -> list[TrainPair]:
        """Keep the one pair whose answer is given."""
        counts = Counter(pair.target for pair in pairs)
        top = max(counts.values())
        tied = [target for target, count in counts.items() if count == top]
        answer = tied[0] if len(tied) == 1 else most_typical(tied)
        return [next(pair for pair in pairs if pair.target == answer)]

    def answerer(self, kept: list[TrainPair], seed: int) -> Callable[[Request], str]:
        """Answer the same to everything."""
        return lambda request: kept[0].target


class Nearest(Baseline):
    """The answer of the nearest training row."""

    name = "baseline/nearest"

    def keep(self, pairs: list[TrainPair]) -> list[TrainPair]:
        """Keep every pair."""
        return pairs

    def answerer(self, kept: list[TrainPair], seed: int) -> Callable[[Request], str]:
        """Answer with the target of the most similar row."""
        neighbours = Neighbours(kept)
        return lambda request: kept[neighbours.nearest(request)].target


class Random(Baseline):
    """The answer of a training row drawn for each request, the same for the same seed and request."""

    name = "baseline/random"

    def keep(self, pairs: list[TrainPair]) -> list[TrainPair]:
        """Keep every answer."""
        return [TrainPair("", pair.target) for pair in pairs]

    def answerer(self, kept: list[TrainPair], seed: int) -> Callable[[Request], str]:
        """Answer with a row drawn by seed and request, not by order."""
        return lambda request: kept[int(random.Random(f"{seed}/{request.id}").random() * len(kept))].target


class FirstPassage(ModelPlugin):
    """The first passage of the evidence; nothing where none is shown."""

    def open(self, checkpoint: Checkpoint | None, run: RunContext) -> ModelSession:
        """Answer with what stands in the request."""
        return Answers(lambda request: request.passages[0].text if request.passages else "")


def read_checkpoint(path: Path, name: str) -> list[TrainPair]:
    """Read what a baseline remembered."""
    try:
        with path.open(encoding="utf-8") as stream:
            header, *rows = (json.loads(line) for line in stream)
        written = header["baseline"]
        pairs = [TrainPair(prompt, target, inputs) for inputs, prompt, target in rows]
    except FileNotFoundError:
        raise DataError(f"{path.parent} is no checkpoint of {name}: it has no {FILE}") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is damaged: {error}") from error
    if written != name or not pairs:
        raise DataError(f"{path} was written by {written}, not by {name}")
    return pairs
