"""What test rows share with training rows: the same text under a name, or nearly the same words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from .near_duplicates import THRESHOLD, WORDS, near_duplicates

NEARLY = f"whose word {WORDS}-grams overlap by {THRESHOLD:.0%} or more (Jaccard)"
Found = dict[str, set[str]]  # kind -> ids of test rows


@dataclass(frozen=True, slots=True)
class Texts:
    """A row as it is compared: what must be the same by kind, and the text that may be nearly the same."""

    id: str
    same: Mapping[str, str]
    text: str


@dataclass(frozen=True, slots=True)
class Overlap:
    """Ids of test rows by what they share with training, among `rows` test and `train_rows` training rows."""

    ids: Mapping[str, frozenset[str]]
    rows: int
    train_rows: int
    leaks: Sequence[str]  # the kinds that give a row away; others are likeness

    @property
    def leaked(self) -> frozenset[str]:
        """Return the ids of rows that training gives away."""
        return frozenset().union(*(self.ids[kind] for kind in self.leaks))


def overlap(
    train: Iterable[Texts],
    test: Sequence[Texts],
    near: str,
    leaks: Sequence[str],
    also: Callable[[Texts, Found], None] = lambda row, found: None,
) -> Overlap:
    """Compare test rows with training rows, which are read once and not kept.

    `near` names the kind of rows whose text is nearly that of a training row; `also` may add kinds of its
    own for each training row.
    """
    index: dict[tuple[str, str], list[str]] = {}
    found: Found = defaultdict(set)
    for row in test:
        for kind, value in row.same.items():
            if value:
                index.setdefault((kind, value), []).append(row.id)
    count = 0

    def texts() -> Iterator[str]:
        nonlocal count
        for row in train:
            count += 1
            for kind, value in row.same.items():
                if ids := index.get((kind, value)):
                    found[kind].update(ids)
            also(row, found)
            yield row.text

    nearly = near_duplicates(texts(), [row.text for row in test])
    found[near] = {test[place].id for place in nearly}
    ids = {kind: frozenset(found[kind]) for kind in {**found, **dict.fromkeys(leaks)}}
    return Overlap(ids, len(test), count, leaks)
