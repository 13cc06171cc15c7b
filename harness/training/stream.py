"""The rows of a training in the order of its steps, from any position on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harness.api import DataError, RunContext, TrainData, TrainRow, UsageError

from .batching import EncodedRows, Left, Step, encode_rows, plan
from .distributed import Group
from .source import Report
from .state import Position

if TYPE_CHECKING:
    from .stage import Stage


class Share(NamedTuple):
    """What one process has encoded of a window, and how many rows the window has."""

    rows: EncodedRows
    left: Left
    window: int


def encoded_together(rows: Sequence[TrainRow], stage: Stage, group: Group) -> tuple[EncodedRows, Left]:
    """Encode rows, each process its share, and return all of them to every process."""
    return _joined(group.gather(_share(enumerate(rows), len(rows), stage, group)))


def _share(placed: Iterable[tuple[int, TrainRow]], window: int, stage: Stage, group: Group) -> Share:
    """Encode what this process has of some rows, each of which comes with its place."""
    mine = islice(placed, group.rank, None, group.world_size)
    return Share(*encode_rows(mine, stage.encode, stage.spec, stage.shape), window)


def _joined(shares: Sequence[Share]) -> tuple[EncodedRows, Left]:
    left = [share.left for share in shares]
    counts = Left(sum(one.too_long for one in left), sum(one.nothing_to_learn for one in left))
    return EncodedRows.joined([share.rows for share in shares]), counts


class RowStream:
    """Encodes rows and yields steps, epoch after epoch.

    Each process encodes its own share of the rows, and all know all tokens, so that which rows meet in a
    step does not depend on how many processes there are. Data with a length is encoded once and shuffled
    whole; a streamed corpus is read in windows of `options.window` rows, each shuffled by itself and
    encoded while the one before is learned.
    """

    def __init__(self, data: TrainData, stage: Stage, run: RunContext, group: Group) -> None:
        self.data = data
        self.stage = stage
        self.spec = stage.spec
        self.window = stage.options.window
        self.run = run
        self.group = group
        self.sized = isinstance(data.train, Sized)
        self.left = Left()
        self._reader: Iterator[TrainRow] = iter(())
        self._read = -1  # rows that the reader has given
        self._worker = ThreadPoolExecutor(1, "encoding")
        self._ahead: tuple[int, Future[Share]] | None = None
        self.first = self._first_window()

    @property
    def sets(self) -> Sequence[EncodedRows]:
        """The rows that are there before training begins."""
        return [self.first]

    @property
    def digest(self) -> str:
        """A hash of what is learned from; of a streamed corpus, of how it begins."""
        return self.first.digest

    def save(self, folder: Path) -> None:
        """Nothing is kept of rows that are there to be read again."""

    def load(self, folder: Path) -> None:
        """Nothing was kept."""

    def close(self) -> None:
        """Encode no further."""
        self._worker.shutdown(wait=False, cancel_futures=True)

    def wait(self) -> None:
        """Wait until nothing is being encoded: a tokenizer is not to be asked from two sides."""
        if self._ahead is not None:
            self._ahead[1].exception()

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
        """Return the window that begins at row `start`; None at the end of the data."""
        if self._ahead is not None and self._ahead[0] == start:
            share = self._ahead[1].result()
        else:
            share = self._encode(start)
        if not share.window:
            return None
        rows, left = _joined(self.group.gather(share))
        known = self.left
        self.left = Left(known.too_long + left.too_long, known.nothing_to_learn + left.nothing_to_learn)
        return rows

    def _encode(self, start: int) -> Share:
        rows = self._window(start)
        if start or not rows:  # in the middle of training, whose bar stands
            return _share(enumerate(rows, start), len(rows), self.stage, self.group)
        self.run.progress.start("encoding", len(rows), "rows")
        share = _share(self._counted(rows), len(rows), self.stage, self.group)
        self.run.progress.finish()
        return share

    def _counted(self, rows: Sequence[TrainRow]) -> Iterator[tuple[int, TrainRow]]:
        for place, row in enumerate(rows):
            yield place, row
            if (done := place + 1) % 100 == 0 or done == len(rows):
                self.run.progress.advance(100 if done % 100 == 0 else done % 100)

    def _encode_ahead(self, start: int) -> None:
        if not self.sized:
            self._ahead = (start, self._worker.submit(self._encode, start))

    def _window(self, start: int) -> list[TrainRow]:
        if start != self._read:
            self._reader = islice(self.data.train, start, None)
        rows = list(self._reader if self.sized else islice(self._reader, self.window))
        self._read = start + len(rows)
        return rows

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

    def steps(self, position: Position, report: Report) -> Iterator[Step]:
        """Yield steps from `position` on without end, keeping it up to date as each is asked for."""
        while True:
            rows = self.first if position.rows_before == 0 else self._encoded(position.rows_before)
            if rows is None:
                position.epoch, position.window, position.rows_before = position.epoch + 1, 0, 0
                continue
            self._encode_ahead(position.rows_before + self.window)
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
