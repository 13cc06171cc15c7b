"""What real weights are asked is as published: the right answer is among the choices, no example is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.real_weights.questions import SETS, first


@pytest.mark.parametrize("name", SETS)
def test_every_question_has_its_answer_among_different_choices(test_data: Path, name: str) -> None:
    asked = first(name, test_data, 50)
    assert len(asked) == 50
    assert all(question.answer in question.choices for question in asked)
    assert all(len(set(question.choices)) == len(question.choices) for question in asked)


def test_questions_after_examples_are_none_of_them(test_data: Path) -> None:
    for question in first("MMLU medical, letters, 5 examples", test_data, 50):
        *examples, asked = question.prompt.split("\n\n")
        assert not any(asked in example for example in examples)
