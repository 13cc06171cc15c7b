"""How good a ranking of passages is: evidence F1 at k and at its best, recall at k, mean reciprocal rank.

A prediction's evidence is its ranking, best first. Annotators name the right passages; only those that the
row holds as passages count, since no other can be found, and a row without any has no value. All measures
are 0 where nothing right is found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness import Example, Pairs, Prediction, Score

from .qa import FLOATING, rests_on
from .statistics import mean_score

DEPTHS = (1, 2, 3, 4, 5, 6)


@dataclass(frozen=True, slots=True)
class Ranked:
    """One question's ranking, and what each annotator who names any passage holds to be its evidence."""

    ranking: Sequence[str]
    wanted: Sequence[frozenset[str]]

    @staticmethod
    def of(example: Example, prediction: Prediction) -> Ranked:
        """Read a row."""
        known = {passage.id for passage in example.passages}
        wanted = [frozenset(annotation.evidence) & known for annotation in example.annotations]
        return Ranked(rests_on(example, prediction), [names for names in wanted if names])

    def f1(self, k: int) -> float:
        """Return the F1 of the first `k` against the annotator they suit best, as QASPER's script does."""
        found = frozenset(self.ranking[:k])
        return max((_f1(found, wanted) for wanted in self.wanted), default=0.0)

    def best_f1(self) -> float:
        """Return the highest F1 over all depths: what choosing the number of passages could win."""
        return max(self.f1(k) for k in DEPTHS)

    def recall(self, k: int) -> float:
        """Return the share of an annotator's passages among the first `k`, of the one they suit best."""
        found = frozenset(self.ranking[:k])
        return max((len(found & wanted) / len(wanted) for wanted in self.wanted), default=0.0)

    def reciprocal_rank(self) -> float:
        """Return one over the place of the first passage that any annotator named."""
        right = frozenset[str]().union(*self.wanted)
        return next((1 / rank for rank, name in enumerate(self.ranking, start=1) if name in right), 0.0)


def _f1(found: frozenset[str], wanted: frozenset[str]) -> float:
    common = len(found & wanted)
    return 2 * common / (len(found) + len(wanted)) if common else 0.0


@dataclass(frozen=True, slots=True)
class RankingMetric:
    """The mean of a measure over questions."""

    name: str
    measure: Callable[[Ranked], float]

    def __call__(self, pairs: Pairs) -> Score:
        """Return the mean over the rows for which an annotator named a passage."""
        rows = [Ranked.of(example, said) for example, said in pairs]
        return mean_score(self.name, [self.measure(row) if row.wanted else None for row in rows])


@dataclass(frozen=True, slots=True)
class OfEveryone:
    """The F1 of the first passage as the script of QASPER's baselines counts it, meaned over all questions.

    It is 0 unless every annotator marked that passage. Marked tables and figures are not wanted.
    """

    name: str

    def __call__(self, pairs: Pairs) -> Score:
        """Return the mean over all rows, also those for which nobody marked anything."""
        return mean_score(self.name, [self._value(row, rests_on(row, said)[:1]) for row, said in pairs])

    def _value(self, example: Example, first: Sequence[str]) -> float:
        texts = {passage.id: passage.text for passage in example.passages}
        marked = [annotation.evidence for annotation in example.annotations]
        if not first or not marked or not all(first[0] in names for names in marked):
            return 0.0
        wanted = [sum(FLOATING not in texts.get(name, name) for name in names) for names in marked]
        return 2 / (1 + max(1, min(wanted)))


def _f1_at(depth: int) -> RankingMetric:
    return RankingMetric(f"evidence-f1@{depth}", lambda question: question.f1(depth))


def _recall_at(depth: int) -> RankingMetric:
    return RankingMetric(f"recall@{depth}", lambda question: question.recall(depth))


evidence_f1_1, evidence_f1_2, evidence_f1_3, evidence_f1_4, evidence_f1_5, evidence_f1_6 = map(_f1_at, DEPTHS)
recall_1, recall_2, recall_3, recall_4, recall_5, recall_6 = map(_recall_at, DEPTHS)
evidence_f1_best = RankingMetric("evidence-f1@best", Ranked.best_f1)
evidence_f1_qasper_baselines = OfEveryone("evidence-f1@qasper-baselines")
mrr = RankingMetric("mrr", Ranked.reciprocal_rank)
