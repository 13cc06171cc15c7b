"""Question answering where annotators differ, worked by hand."""

import pytest

from harness import Annotation, Example, Pairs, Prediction
from harness.metrics import qa


def pairs(*rows, kind="abstractive"):
    return Pairs(
        [
            (Example(str(n), {}, refs, annotations=(Annotation(kind),)), Prediction(str(n), said))
            for n, (said, *refs) in enumerate(rows)
        ]
    )


DIFFERENT = ("lithium salts", "lithium salts of weak acids", "lithium")


def test_mozi_takes_precision_recall_and_f1_each_from_the_reference_that_suits_it():
    found = pairs(DIFFERENT)
    assert qa.mozi_precision(found).value == 1  # of the first
    assert qa.mozi_recall(found).value == 1  # of the second
    assert qa.mozi_f1(found).value == pytest.approx(2 / 3)


def test_the_release_of_mozi_counts_a_question_once_a_reference():
    found = pairs(DIFFERENT, ("zinc", "zinc"))
    assert qa.mozi_recall(found).value == 1
    running = qa.mozi_recall_running(found)
    assert running.value == pytest.approx((2 / 5 + 1 + 1) / 3)
    assert running.resample([[1, 1], [0, 1]]) == pytest.approx([running.value, 1])
    assert list(running.per_example) == pytest.approx([0.7, 1])


def test_the_release_of_mozi_leaves_yes_and_no_out_of_its_terms_too():
    only = qa.mozi_f1_running(pairs(("Yes", "Yes", "No"), kind="boolean"))
    assert only.value is None and only.note
