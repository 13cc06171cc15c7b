"""The toy model: P(written letter | read letter) from counts, over the last word of a prompt.

It trains, saves, loads, generates and scores choices like a real model, so pipelines, resumption and
failures can be proved with it in milliseconds.
"""

from __future__ import annotations

import json
import math
import random
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness import (
    Checkpoint,
    Completion,
    DataError,
    GenerateSpec,
    ModelPlugin,
    ModelSession,
    Request,
    RunContext,
    StageError,
    TrainData,
    TrainPair,
    TrainSpec,
    UsageError,
    until,
)

FILE = "letters.json"
FORMAT = "toy-letters-1"


@dataclass(frozen=True, slots=True)
class ToyOptions:
    """Knobs of the toy model; all but `smoothing` exist to watch a pipeline misbehave."""

    smoothing: float = 0.01  # pseudo-count of every letter that was seen as a target
    step_delay: float = 0.0  # seconds a training step takes on top
    delay: float = 0.0  # seconds an answer takes on top
    crash_after: int = -1  # answers after which generation fails; -1: never


@dataclass(slots=True)
class LetterTable:
    """How often each written letter answered each read letter."""

    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    written: Counter[str] = field(default_factory=Counter)
    smoothing: float = 0.01

    def learn(self, pair: TrainPair) -> None:
        """Count the letters of one pair, position by position."""
        for read, written in zip(last_word(pair.prompt), pair.target, strict=False):
            self.counts[read][written] += 1
            self.written[written] += 1

    def probabilities(self, read: str) -> Mapping[str, float]:
        """Return P(written | read); a letter never read falls back to how often each was written."""
        seen = self.counts.get(read) or self.written
        total = seen.total() + self.smoothing * len(self.written)
        return {letter: (seen[letter] + self.smoothing) / total for letter in sorted(self.written)}

    def log_likelihood(self, prompt: str, text: str) -> float:
        """Return the log-likelihood of a text; letters out of place or never seen cost as much as a miss."""
        word = last_word(prompt)
        miss = math.log(self.smoothing / (self.written.total() + 1))
        pairs = zip(word, text, strict=False)
        aligned = sum(math.log(self.probabilities(r)[w]) if w in self.written else miss for r, w in pairs)
        return aligned + miss * abs(len(word) - len(text))

    def save(self, folder: Path) -> None:
        """Write the table into a checkpoint folder."""
        folder.mkdir(parents=True, exist_ok=True)
        content = {"format": FORMAT, "smoothing": self.smoothing, "counts": self.counts}
        (folder / FILE).write_text(json.dumps(content, sort_keys=True), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> LetterTable:
        """Read the table of a checkpoint folder."""
        path = folder / FILE
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise DataError(
                f"{folder} is no checkpoint of the toy model: it has no {FILE}",
                hint="name the checkpoint folder of a run of --model toy",
            ) from None
        except ValueError as error:
            raise DataError(f"{path} is damaged: {error}") from None
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise DataError(f"{path} is not in the format {FORMAT}")
        table = cls(smoothing=content["smoothing"])
        for read, counts in content["counts"].items():
            table.counts[read].update(counts)
            table.written.update(counts)
        return table


def last_word(prompt: str) -> str:
    """Return what the model reads of a prompt."""
    words = prompt.split()
    return words[-1] if words else ""


class Toy(ModelPlugin):
    """Counts letters; answers letter by letter."""

    Options = ToyOptions

    def train(self, data: TrainData, spec: TrainSpec, run: RunContext) -> Checkpoint:
        """Count the letters of the training pairs, batch by batch, and save the table."""
        pairs = [row for row in data.train if isinstance(row, TrainPair)]
        if not pairs:
            raise DataError("the toy model learns from pairs and the training split has none")
        steps = _steps(spec, len(pairs))
        table = LetterTable(smoothing=self.options.smoothing)
        run.progress.start("training", steps)
        for step, batch in enumerate(_batches(pairs, spec, steps), start=1):
            loss = -sum(table.log_likelihood(p.prompt, p.target) for p in batch) / len(batch)
            for pair in batch:
                table.learn(pair)
            time.sleep(self.options.step_delay)
            run.event("train_step", step=step, loss=round(loss, 6))
            run.progress.advance(1, loss=loss)
        run.progress.finish()
        folder = run.directory / "checkpoint"
        if run.is_main:
            table.save(folder)
        return Checkpoint(folder, step=steps)

    def open(self, checkpoint: Checkpoint | None, run: RunContext) -> ToySession:
        """Read the table of a checkpoint."""
        if checkpoint is None:
            raise UsageError(
                "the toy model needs a checkpoint to answer",
                hint="--checkpoint DIR; a run without --no-train trains one",
            )
        return ToySession(LetterTable.load(checkpoint.path), self.options)


class ToySession(ModelSession):
    """A table of letters that is asked."""

    def __init__(self, table: LetterTable, options: ToyOptions) -> None:
        self.table = table
        self.options = options

    def generate(
        self, requests: Sequence[Request], spec: GenerateSpec, run: RunContext
    ) -> Iterator[Completion]:
        """Answer each request letter by letter, greedily or by sampling."""
        if spec.decoder not in ("greedy", "sampling"):
            raise UsageError(
                f"the toy model has no decoder '{spec.decoder}'", hint="--set generate.decoder=greedy"
            )
        for number, request in enumerate(requests):
            self._misbehave(number)
            word = last_word(request.prompt)
            # Seeded by request, so that an answer does not depend on which others are asked with it.
            dice = random.Random(f"{spec.seed}/{request.id}")
            letters = [
                _write(self.table.probabilities(letter), spec, dice) for letter in word[: spec.max_new_tokens]
            ]
            text, finish = until("".join(letters), spec.stop)
            if finish == "stop" and len(word) > spec.max_new_tokens:
                finish = "length"
            yield Completion(request.id, text, finish, len(request.prompt), len(letters))

    def choose(
        self, requests: Sequence[Request], spec: GenerateSpec, run: RunContext
    ) -> Iterator[Completion]:
        """Score the choices of each request by log-likelihood."""
        for number, request in enumerate(requests):
            self._misbehave(number)
            scores = tuple(self.table.log_likelihood(request.prompt, choice) for choice in request.choices)
            best = request.choices[scores.index(max(scores))]
            yield Completion(request.id, best, "choice", len(request.prompt), 0, scores)

    def _misbehave(self, answered: int) -> None:
        if answered == self.options.crash_after:
            raise StageError(f"the toy model crashed after {answered} answers, as it was told to")
        time.sleep(self.options.delay)


def _steps(spec: TrainSpec, rows: int) -> int:
    if spec.max_steps is not None:
        return spec.max_steps
    return math.ceil((spec.epochs if spec.epochs is not None else 1) * rows / spec.batch_size)


def _batches(pairs: list[TrainPair], spec: TrainSpec, steps: int) -> Iterator[list[TrainPair]]:
    order = random.Random(spec.seed)
    waiting: list[TrainPair] = []
    for _ in range(steps):
        while len(waiting) < spec.batch_size:
            waiting += order.sample(pairs, len(pairs))
        yield waiting[: spec.batch_size]
        del waiting[: spec.batch_size]


def _write(probabilities: Mapping[str, float], spec: GenerateSpec, dice: random.Random) -> str:
    if spec.decoder == "greedy" or spec.temperature == 0:
        return max(probabilities, key=probabilities.__getitem__)
    weights = [p ** (1 / spec.temperature) for p in probabilities.values()]
    return dice.choices(list(probabilities), weights)[0]
