"""How many n-grams an answer shares with its references: looked up, never counted twice.

The n-grams of the references form a chain of sorted keys: a key of order n is the rank of its first
n - 1 tokens together with its last token, so keys stay within 64 bits at any order and vocabulary. An
answer's n-grams are looked up along the same chain; those not found cannot match and fall out early.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .rows import Ints
from .tokens import Tokens


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """The different n-grams of one order."""

    keys: Ints
    counts: Ints  # the largest count in any one reference of the row
    owners: Ints  # the row of each key


class ReferenceGrams:
    """The n-grams of all references, by row."""

    def __init__(self, references: Tokens, rows: Ints, total_rows: int) -> None:
        """Take the tokens of the references and the row that each reference belongs to."""
        self.total_rows = total_rows
        self._tokens = references
        self._several = len(rows) != total_rows
        self._units = references.owners()
        self._room = np.repeat(references.bounds[1:], references.lengths) - np.arange(len(references.ids))
        self._rank = rows[self._units]
        self._at = np.arange(len(references.ids))
        self._levels: list[Level] = []

    def level(self, order: int) -> Level:
        """Return the references' n-grams of one order."""
        while len(self._levels) < order:
            self._add_level()
        return self._levels[order - 1]

    def _add_level(self) -> None:
        n = len(self._levels) + 1
        inside = self._room[self._at] >= n
        rank, self._at = self._rank[inside], self._at[inside]
        keys = (rank << 32) | self._tokens.ids[self._at + (n - 1)]
        unique, self._rank, counts = np.unique(keys, return_inverse=True, return_counts=True)
        owners = (unique >> 32) if n == 1 else self._levels[-1].owners[unique >> 32]
        if self._several:
            counts = self._largest_counts(len(unique))
        self._levels.append(Level(unique, counts, owners))

    def _largest_counts(self, size: int) -> Ints:
        units = self._units[self._at]
        pairs, counts = np.unique((self._rank << 32) | units, return_counts=True)
        largest = np.zeros(size, dtype=np.int64)
        np.maximum.at(largest, pairs >> 32, counts)
        return largest


class Overlap:
    """What some answers share with the references; an order is looked up when it is first asked for."""

    def __init__(self, grams: ReferenceGrams, hypotheses: Tokens) -> None:
        """Take the references' n-grams and one answer a row."""
        self._grams = grams
        self._tokens = hypotheses
        self._rank = hypotheses.owners()
        self._at = np.arange(len(hypotheses.ids))
        self._room = np.repeat(hypotheses.bounds[1:], hypotheses.lengths) - self._at
        self._found: list[Ints] = []

    def matches(self, order: int) -> list[Ints]:
        """Return for n = 1 … order the clipped matches of each row."""
        while len(self._found) < order:
            self._look_up(len(self._found) + 1)
        return self._found[:order]

    def _look_up(self, n: int) -> None:
        level = self._grams.level(n)
        inside = self._room[self._at] >= n
        rank, at = self._rank[inside], self._at[inside]
        keys = (rank << 32) | self._tokens.ids[at + (n - 1)]
        rank = np.searchsorted(level.keys, keys)
        hit = np.append(level.keys, -1)[rank] == keys
        self._rank, self._at = rank[hit], at[hit]
        matches = np.minimum(np.bincount(self._rank, minlength=len(level.keys)), level.counts)
        summed = np.bincount(level.owners, weights=matches, minlength=self._grams.total_rows)
        self._found.append(summed.astype(np.int64))


def gram_totals(tokens: Tokens, order: int) -> list[Ints]:
    """Return for n = 1 … order the number of n-grams of each text."""
    return [np.maximum(tokens.lengths - n + 1, 0) for n in range(1, order + 1)]
