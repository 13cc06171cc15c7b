"""A batch: rows of the model, the texts that stand on them, and the move that is made at each step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import torch

from .jobs import Hypothesis, Job
from .rows import Rows

DEAD_SHARE = 8  # rows that ended are dropped when they are one in so many: dropping copies the cache


class Search(Protocol):
    """A way to choose tokens. Requests that share a search have their tokens chosen together."""

    keep_hidden: bool  # whether it looks at the hidden states of all positions

    def choose(self, part: Part, moves: Moves) -> list[Job]:
        """Enter the move of each row of a part, and return the jobs that have ended."""
        ...


class Part:
    """The rows of a batch whose tokens one search chooses; None stands on a row that has ended."""

    def __init__(self, rows: Rows, slots: Sequence[Hypothesis | None], places: Sequence[int]) -> None:
        self.rows = rows
        self.places = places
        self.whole = len(places) == len(slots)
        self.slots = list(slots) if self.whole else [slots[place] for place in places]

    @property
    def raw(self) -> torch.Tensor:
        """The model's own logits of each row's next token."""
        return self.rows.logits if self.whole else self.rows.logits[list(self.places)]

    def logits(self) -> torch.Tensor:
        """Return the logits that the next token of each row is chosen from, as its request shapes them."""
        return shaped(self.raw, self.slots)


def shaped(logits: torch.Tensor, slots: Sequence[Hypothesis | None]) -> torch.Tensor:
    """Do in place to each row of logits what the request of its text asks for."""
    for place, slot in enumerate(slots):
        if slot is not None and not slot.job.manner.shaper.idle:
            slot.job.manner.shaper.apply(logits[place], slot)
    return logits


class Moves:
    """What comes next on each row: the row it grows from, the token it is read on by, and its text.

    Rows beyond those that are there are added behind them.
    """

    def __init__(self, rows: int, pad: int) -> None:
        self.parents = list(range(rows))
        self.tokens = [pad] * rows
        self.slots: list[Hypothesis | None] = [None] * rows
        self.grown = 0  # texts that got a token

    def put(self, place: int, parent: int, token: int, text: Hypothesis) -> None:
        """Say what comes next on a row."""
        self.parents[place], self.tokens[place], self.slots[place] = parent, token, text

    def add(self, parent: int, token: int, text: Hypothesis) -> None:
        """Ask for one more row."""
        self.parents.append(parent)
        self.tokens.append(token)
        self.slots.append(text)


class Batch:
    """Rows of the model and the texts that stand on them; None stands on a row that has ended."""

    def __init__(self, rows: Rows, slots: Sequence[Hypothesis | None]) -> None:
        self.rows = rows
        self.slots = list(slots)
        self._parents: list[int] = list(range(len(slots)))
        self._tokens: list[int] | None = None

    @property
    def live(self) -> int:
        """How many rows have not ended."""
        return len(self.slots) - self.slots.count(None)

    @property
    def jobs(self) -> list[Job]:
        """The requests whose rows live, in the order of their rows."""
        return list(dict.fromkeys(slot.job for slot in self.slots if slot is not None))

    def choose(self) -> tuple[list[Job], int]:
        """Choose the next token of every text; return the jobs that end with it, and how many texts grew."""
        ended: list[Job] = []
        moves = Moves(len(self.slots), self.rows.lm.pad)
        for search, part in self._parts():
            ended += search.choose(part, moves)
        self._parents, self._tokens, self.slots = moves.parents, moves.tokens, moves.slots
        return ended, moves.grown

    def advance(self) -> None:
        """Make the move that was chosen."""
        assert self._tokens is not None
        dead = self.slots.count(None)
        if dead * DEAD_SHARE >= len(self.slots):
            self._drop_dead()
        if self._parents != list(range(len(self.rows))):
            self.rows = self.rows.kept(self._parents, recent=self._recent)
        self.rows.step(self._tokens)
        self._parents, self._tokens = list(range(len(self.slots))), None

    def join(self, others: Sequence[Batch]) -> None:
        """Take in the rows of other batches, and drop those that have ended."""
        self._drop_dead()
        self.rows = self.rows.joined(self._parents, [other.rows for other in others])
        for other in others:
            self.slots += other.slots
        self._parents = list(range(len(self.slots)))

    def drop(self, job: Job) -> None:
        """Let a request's rows end."""
        self.slots = [None if slot is not None and slot.job is job else slot for slot in self.slots]

    @property
    def _recent(self) -> int:
        """By how many of their last columns rows of one request can differ."""
        if self.rows.keep_hidden:  # candidates that were read for one and the same text
            return 1
        # the newest token is not yet read
        return max(len(slot.tokens) for slot in self.slots if slot is not None) - 1

    def _parts(self) -> Iterator[tuple[Search, Part]]:
        places: dict[Search, list[int]] = {}
        for place, slot in enumerate(self.slots):
            if slot is not None:
                places.setdefault(slot.job.manner.search, []).append(place)
        if len(places) == 1:  # rows that have ended are taken along, which is cheaper than to leave them out
            [search] = places
            yield search, Part(self.rows, self.slots, range(len(self.slots)))
            return
        for search, own in places.items():
            yield search, Part(self.rows, self.slots, own)

    def _drop_dead(self) -> None:
        living = [index for index, slot in enumerate(self.slots) if slot is not None]
        self._parents = [self._parents[index] for index in living]
        self.slots = [self.slots[index] for index in living]
        if self._tokens is not None:
            self._tokens = [self._tokens[index] for index in living]
