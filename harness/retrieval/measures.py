"""How good a ranking is: evidence F1 at k and at its best, recall at k, mean reciprocal rank.

A question has one set of right passages an annotator. All three are 0 where none is found, and are means
over the questions for which at least one annotator named a passage that could have been found.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

DEPTHS = (1, 2, 3, 4, 5, 6)


@dataclass(frozen=True, slots=True)
class Judged:
    """One question's ranking, and what each annotator holds to be its evidence."""

    ranking: Sequence[str]
    wanted: Sequence[frozenset[str]]


def evidence_f1(question: Judged, k: int) -> float:
    """Return the F1 of the first `k` against the annotator they suit best, as QASPER's script does."""
    found = frozenset(question.ranking[:k])
    return max((_f1(found, wanted) for wanted in question.wanted), default=0.0)


def best_evidence_f1(question: Judged) -> float:
    """Return the highest evidence F1 over all depths: what choosing the number of passages could win."""
    return max(evidence_f1(question, k) for k in DEPTHS)


def recall(question: Judged, k: int) -> float:
    """Return the share of an annotator's passages among the first `k`, of the annotator they suit best."""
    found = frozenset(question.ranking[:k])
    return max((len(found & wanted) / len(wanted) for wanted in question.wanted if wanted), default=0.0)


def reciprocal_rank(question: Judged) -> float:
    """Return one over the place of the first passage that any annotator named."""
    right = frozenset[str]().union(*question.wanted)
    return next((1 / rank for rank, name in enumerate(question.ranking, start=1) if name in right), 0.0)


def measures(questions: Iterable[Judged]) -> dict[str, list[float]]:
    """Return every measure's value for each question, in the order of a table."""
    rows = list(questions)
    table = {f"evidence-f1@{k}": [evidence_f1(row, k) for row in rows] for k in DEPTHS}
    table["evidence-f1@best"] = [best_evidence_f1(row) for row in rows]
    table |= {f"recall@{k}": [recall(row, k) for row in rows] for k in DEPTHS}
    table["mrr"] = [reciprocal_rank(row) for row in rows]
    return table


def _f1(found: frozenset[str], wanted: frozenset[str]) -> float:
    common = len(found & wanted)
    return 2 * common / (len(found) + len(wanted)) if common else 0.0
