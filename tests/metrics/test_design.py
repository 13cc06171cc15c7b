"""Metrics of open requests: judged by what was asked, never by a reference."""

from __future__ import annotations

from typing import Any

import pytest

from harness import DataError, Example, Pairs, Prediction, Score
from harness.chem.constraints import Constraint, as_meta
from harness.metrics import design
from harness.metrics.rows import make_pairs

ASKED = as_meta([Constraint("rings", 1, 1), Constraint("atoms", 1, 1, of="Cl")])
CHLOROBENZENE, BENZENE, ETHANE = "Clc1ccccc1", "c1ccccc1", "CC"


def asked(*answers: Any, **meta: Any) -> Pairs:
    """Return rows that ask for a ring and a chlorine atom; their reference is something else."""
    facts = {"constraints": ASKED, **meta}
    return Pairs(
        [(Example(str(i), {}, ("N",), facts), Prediction(str(i), text)) for i, text in enumerate(answers)]
    )


def test_rows_are_judged_one_by_one() -> None:
    pairs = asked(CHLOROBENZENE, BENZENE, ETHANE, "N")
    assert design.all_met(pairs).per_example == (1, 0, 0, 0)
    assert design.share_met(pairs).per_example == (1, 0.5, 0, 0)
    assert design.share_met(pairs).value == 0.375


@pytest.mark.parametrize("answer", ["", " ", None, "C1CC", "Clc1ccccc1 indeed", "Clc1ccccc1.C", "no idea"])
@pytest.mark.parametrize("metric", [design.all_met, design.share_met])
def test_an_empty_invalid_or_patched_answer_never_gains(metric: Any, answer: Any) -> None:
    unwanted = as_meta([Constraint("matches", high=0, of="[U]"), Constraint("weight", high=1000)])
    assert metric(asked(answer, constraints=unwanted)).per_example == (0,)


def test_answers_that_are_molecules_and_not_whole_are_counted() -> None:
    note = design.all_met(asked("Clc1ccccc1.C", "[CH3]", "C1CC", "", CHLOROBENZENE)).note
    assert note.startswith("2 answers are molecules and not whole")


def test_unseen_combinations_are_told_apart() -> None:
    pairs = Pairs([*asked(CHLOROBENZENE, combination="seen"), *asked(BENZENE, combination="unseen")])
    assert design.all_met(pairs).value == 0.5
    score = design.all_met_unseen(pairs)
    assert (score.value, score.per_example) == (0, (None, 0))
    assert design.all_met_unseen(asked(CHLOROBENZENE)).value is None


def test_repeats_of_a_request_are_taken_together() -> None:
    first = asked(CHLOROBENZENE, "c1ccccc1Cl", BENZENE, "C1CC", request="first")
    second = asked(ETHANE, BENZENE, "", "", request="second")
    pairs = Pairs([row for rows in zip(first, second, strict=True) for row in rows])
    assert design.distinct_answers(pairs).value == 0.5
    assert design.met_once(pairs).value == 0.5


@pytest.mark.parametrize("metric", [design.distinct_answers, design.met_once])
def test_what_is_asked_once_has_no_variety(metric: Any) -> None:
    score: Score = metric(asked(CHLOROBENZENE, BENZENE))
    assert score.value is None and "task.repeats" in score.note


@pytest.mark.parametrize(
    "metric",
    [design.all_met, design.all_met_unseen, design.share_met, design.distinct_answers, design.met_once],
)
def test_rows_of_other_tasks_are_left_out(metric: Any) -> None:
    assert metric(make_pairs([BENZENE], [BENZENE])).value is None


def test_constraints_that_are_none_are_an_error() -> None:
    with pytest.raises(DataError, match="a list of constraints"):
        design.all_met(asked(BENZENE, constraints="rings"))


def test_what_is_asked_is_explained_one_by_one() -> None:
    pairs = asked(BENZENE)
    assert design.share_met.explain(pairs, design.share_met(pairs)) == [
        ("rings", "1, asked 1: met"),
        ("atoms Cl", "0, asked 1: not met"),
    ]
    pairs = asked("C.C")
    assert design.all_met.explain(pairs, design.all_met(pairs))[0][0] == "whole molecule"
