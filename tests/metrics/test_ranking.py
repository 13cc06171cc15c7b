"""Measures of a ranking, worked by hand."""

import pytest

from harness import Annotation, Example, Pairs, Passage, Prediction
from harness.metrics import ranking


def row(found, *wanted, name="q"):
    passages = tuple(Passage(one, one) for one in "abcd")
    notes = tuple(Annotation("extractive", tuple(names)) for names in wanted)
    return Example(name, {}, ("",), passages=passages, annotations=notes), Prediction(
        name, "", evidence=tuple(found)
    )


TWO = row("abcd", "bd", "c")
NOTHING = row("ab", ["c", "a heading"], "")


def value(metric, *rows):
    return metric(Pairs(rows)).value


def test_evidence_f1_suits_the_best_annotator_at_each_depth():
    assert value(ranking.evidence_f1_1, TWO) == 0
    assert value(ranking.evidence_f1_2, TWO) == pytest.approx(2 * 1 / (2 + 2))
    assert value(ranking.evidence_f1_4, TWO) == pytest.approx(2 * 2 / (4 + 2))
    assert value(ranking.evidence_f1_best, TWO) == pytest.approx(2 / 3)


def test_recall_and_the_reciprocal_rank():
    recalls = (ranking.recall_1, ranking.recall_2, ranking.recall_3, ranking.recall_4)
    assert [value(metric, TWO) for metric in recalls] == [0, 0.5, 1, 1]
    assert value(ranking.mrr, TWO) == 0.5
    assert value(ranking.mrr, NOTHING) == value(ranking.recall_2, NOTHING) == 0
    assert value(ranking.mrr, TWO, NOTHING) == 0.25
    assert value(ranking.mrr, TWO, row("ab", ["a heading"])) == 0.5
    assert value(ranking.mrr, row("ab", "")) is None


def test_evidence_that_is_no_passage_cannot_be_missed():
    assert value(ranking.recall_1, row("c", ["c", "a heading"])) == 1


def test_the_script_of_qaspers_baselines_asks_that_everyone_marked_the_passage():
    metric = ranking.evidence_f1_qasper_baselines
    assert value(metric, row("bd", "bd", "bac")) == pytest.approx(2 / (1 + 2))  # of the first passage alone
    assert value(metric, row("b", "bd", "c")) == value(metric, row("b", "b", "")) == 0
    assert value(metric, row("b", "b"), row("b", "")) == 0.5  # questions without evidence count
    assert value(metric, row("b", ["b", "FLOAT SELECTED: a table"])) == 1


def test_a_ranking_may_name_passages_by_their_text():
    example, said = row("ba", "b")
    passages, marked = (Passage("p0", "a"), Passage("p1", "b")), (Annotation("", ("p1",)),)
    by_text = Example("q", {}, ("",), passages=passages, annotations=marked)
    for metric in (ranking.evidence_f1_1, ranking.mrr, ranking.evidence_f1_qasper_baselines):
        assert value(metric, (by_text, said)) == value(metric, (example, said)) == 1
