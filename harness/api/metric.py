"""What a metric plugin offers: an entry that is also its card, and a function from rows to a score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:  # a listing scores nothing
    from .example import Pairs, Score

Terms = list[tuple[str, str]]  # what a value is made of: names and values, in the order of reading


@dataclass(frozen=True, slots=True)
class MetricEntry:
    """A metric on the shelf, with the definition its numbers stand for.

    `scale` is what a value is multiplied by in tables (100 for shares). `silence_wins` declares that
    under this definition an empty answer can beat a wrong one; tables then mark the column.
    `reference_free` declares that references are not looked at, so that answers alone can be scored.
    `ranked=False` declares that a value says what answers are like, or how others count them, and not how
    good they are: tables show it and rank nothing by it. `vote` is `"package.module:function"` of a metric by
    which an answer is right (1) or wrong (0): `(pairs) -> list[str]`, what it takes each answer for, empty
    for none. Rows with several answers are then told by pass@k and by their majority, too.
    `reads` are the fields of `Example` and `Prediction` that it looks at beside the answer, and `training`
    for the training rows.
    """

    name: str
    summary: str
    target: str
    requires: tuple[str, ...] = ()
    version: str = "1"
    higher_is_better: bool = True
    range: tuple[float | None, float | None] = (0.0, 1.0)
    scale: float = 1.0
    silence_wins: bool = False
    reference_free: bool = False
    ranked: bool = True
    reads: tuple[str, ...] = ("references",)
    vote: str = ""
    kind: str = "text"  # text | molecule | property | design | qa | ranking | choice
    definition: str = ""
    edge_cases: str = ""
    source: str = ""
    tags: tuple[str, ...] = ()


class Metric(Protocol):
    """A function from scored rows to a score. Order of rows never matters to the value.

    One that can say what the value of a row is made of is `Explaining`, too.
    """

    def __call__(self, pairs: Pairs, /) -> Score:
        """Return the score of all rows together."""
        ...


Metrics = Mapping[str, tuple[MetricEntry, Metric]]  # imported, by name, in the order of their columns


@runtime_checkable
class Explaining(Protocol):
    """A metric that says what the value of a row is made of."""

    def explain(self, pairs: Pairs, score: Score, /) -> Terms:
        """Return the terms of the one row in `pairs`."""
        ...
