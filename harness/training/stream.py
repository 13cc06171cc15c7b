"""The rows of a training in the order of its steps, from any position on."""

from __future__ import annotations

from collections.abc import Iterator, Sized
from itertools import islice

from harness.api import DataError, RunContext, TrainData, TrainRow, UsageError

from .batching import EncodedRows, Left, Step, encode_rows, plan
from .stage import Stage
from .state import Position


class RowStream:
    """Encodes rows and yields steps, epoch after epoch.

    Data with a length is encoded once and shuffled whole; a streamed corpus is read in windows of
    `options.window` rows, each shuffled by itself, and never held whole.
    """

    def __init__(self, data: TrainData, stage: Stage, run: RunContext) -> None:
        self.data = data
        self.stage = stage
        self.spec = stage.spec
        self.window = stage.options.window
        self.run = run
        self.sized = isinstance(data.train, Sized)
        self.left = Left()
        self._reader: Iterator[TrainRow] = iter(())
        self._read = -1  # rows that the reader has given
        self.first = self._first_window()

    def _first_window(self) -> EncodedRows:
        rows = self._encoded(0)
        if rows is None:
            raise DataError("there are no rows to learn from", hint="the training split is empty")
        if not len(rows):
            raise self._nothing()
        if left := self.left.too_long:
            seen = (
                f"{left} of {'' if self.sized else 'the first '}{len(rows) + self.left.total} training rows"
            )
            were = ("is", "was") if left == 1 else ("are", "were")
            limit = f"train.max_length = {self.spec.max_length} tokens"
            self.run.event("note", text=f"{seen} {were[0]} longer than {limit} and {were[1]} left out")
        return rows

    def _nothing(self) -> DataError:
        if not self.left.too_long:
            return DataError(
                "no row has a token to learn: all labels are masked",
                hint="labels other than -100 are learned; encode() gives them",
            )
        sizes = (max(map(len, self.stage.encode(row).values())) for row in self._window(0))
        limit = self.spec.max_length
        shortest = min(size for size in sizes if size > limit)
        return DataError(
            f"no row fits into train.max_length = {limit} tokens: {self.left.too_long} are longer",
            hint=f"--set train.max_length={shortest} lets the shortest in",
        )

    def _encoded(self, start: int) -> EncodedRows | None:
        """Encode the window that begins at row `start`; None at the end of the data."""
        rows = self._window(start)
        if not rows:
            return None
        if start:  # in the middle of training, whose bar stands
            encoded, left = encode_rows(rows, self.stage.encode, self.spec, self.stage.shape, first=start)
            self._count(left)
            return encoded
        self.run.progress.start("encoding", len(rows), "rows")
        encoded, left = encode_rows(
            self._counted(rows), self.stage.encode, self.spec, self.stage.shape, first=start
        )
        self.run.progress.finish()
        self._count(left)
        return encoded

    def _count(self, left: Left) -> None:
        known = self.left
        self.left = Left(known.too_long + left.too_long, known.nothing_to_learn + left.nothing_to_learn)

    def _window(self, start: int) -> list[TrainRow]:
        if start != self._read:
            self._reader = islice(self.data.train, start, None)
        rows = list(self._reader if self.sized else islice(self._reader, self.window))
        self._read = start + len(rows)
        return rows

    def _counted(self, rows: list[TrainRow]) -> Iterator[TrainRow]:
        for done, row in enumerate(rows, start=1):
            yield row
            if done % 100 == 0 or done == len(rows):
                self.run.progress.advance(100 if done % 100 == 0 else done % 100)

    def total_steps(self) -> int:
        """Count the steps of the whole training."""
        limit = self.spec.max_steps
        if limit is not None and self.spec.epochs is None:
            return limit
        if not self.sized:
            if limit is None:
                raise UsageError("a streamed corpus has no known length", hint="give train.max_steps")
            return limit
        epochs = 1.0 if self.spec.epochs is None else self.spec.epochs
        total, epoch = 0, 0
        while epoch < epochs and (limit is None or total < limit):
            size = len(plan(self.first, self.spec, self._seed(epoch, 0)))
            total += round(size * min(1.0, epochs - epoch))
            epoch += 1
        return max(1, total if limit is None else min(total, limit))

    def _seed(self, epoch: int, window: int) -> list[int]:
        return [self.spec.seed, epoch, window]

    def steps(self, position: Position) -> Iterator[Step]:
        """Yield steps from `position` on without end, keeping it up to date as each is asked for."""
        while True:
            rows = self.first if position.rows_before == 0 else self._encoded(position.rows_before)
            if rows is None:
                position.epoch, position.window, position.rows_before = position.epoch + 1, 0, 0
                continue
            planned = plan(rows, self.spec, self._seed(position.epoch, position.window))
            for batches in planned[position.updates :]:
                position.updates += 1
                yield Step.of(rows, batches)
            position.updates = 0
            if self.sized:
                position.epoch += 1
            else:
                position.window += 1
                position.rows_before += self.window
