"""Measures of a ranking, worked by hand."""

import pytest

from harness.retrieval.measures import (
    Judged,
    best_evidence_f1,
    evidence_f1,
    measures,
    recall,
    reciprocal_rank,
)

TWO = Judged(["a", "b", "c", "d"], [frozenset("bd"), frozenset("c")])
NOTHING = Judged(["a", "b"], [frozenset("z"), frozenset()])


def test_evidence_f1_suits_the_best_annotator_at_each_depth():
    assert evidence_f1(TWO, 1) == 0
    assert evidence_f1(TWO, 2) == pytest.approx(2 * 1 / (2 + 2))
    assert evidence_f1(TWO, 4) == pytest.approx(2 * 2 / (4 + 2))
    assert best_evidence_f1(TWO) == pytest.approx(2 / 3)


def test_recall_and_the_reciprocal_rank():
    assert [recall(TWO, k) for k in (1, 2, 3, 4)] == [0, 0.5, 1, 1]
    assert reciprocal_rank(TWO) == 0.5
    assert reciprocal_rank(NOTHING) == recall(NOTHING, 2) == evidence_f1(NOTHING, 2) == 0


def test_the_table_has_one_value_a_question():
    table = measures([TWO, NOTHING])
    assert {len(values) for values in table.values()} == {2}
    assert list(table)[:2] == ["evidence-f1@1", "evidence-f1@2"]
    assert table["mrr"] == [0.5, 0]
