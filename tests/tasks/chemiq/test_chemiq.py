"""ChemIQ's questions, and answers checked as it checks them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from harness import DataError, DataSpec, Example, Pairs, Prediction, Request
from harness.tasks.chemiq.metric import accuracy
from harness.tasks.chemiq.task import ChemIQ


def question(method: str, answer: str, **meta: float) -> Example:
    return Example("q", {}, (answer,), {"category": "c", "method": method, **meta})


def value(example: Example, said: str) -> float | None:
    text = ChemIQ().answer(said, Request("q", ""))
    return accuracy(Pairs([(example, Prediction("q", text))])).value


@pytest.mark.parametrize(
    ("method", "answer", "said", "right"),
    [
        ("exact_match", "3", " 3.\n", 1),
        ("exact_match", "3", "I count them. <answer>3</answer>", 1),
        ("exact_match", "3", "3.0", 0),
        ("exact_match", "3", "three", 0),
        ("exact_match", "3", "", 0),
        ("list_of_tuples", "[(0, 1), (1, 0)]", "[(1, 0), (0, 1)]", 1),
        ("list_of_tuples", "[(0, 1), (1, 0)]", "[[0, 1], [1, 0]]", 1),
        ("list_of_tuples", "[(0, 1), (1, 0)]", "[(0, 1)]", 0),
        ("list_of_tuples", "[(0, 1), (1, 0)]", "[(0, 1), {}]", 0),
        ("list_of_tuples", "[(0, 1), (1, 0)]", "(0, 1), (1, 0)", 1),
        ("list_of_tuples", "[(0, 1), (1, 0)]", "0-1", 0),
        ("canonical_smi_match", "CCO", "OCC", 1),
        ("canonical_smi_match", "CC(N)O", "C[C@H](N)O", 1),
        ("canonical_smi_match", "CCO", "CCN", 0),
        ("canonical_smi_match", "CCO", "", 0),
        ("canonical_smi_match", "CCO", "[1]", 0),
        ("canonical_smi_match", "CCO", "1if 2else 3", 0),
        ("opsin", "CCO", "ethanol", None),
    ],
)
def test_answers_are_checked_as_the_row_says(
    method: str, answer: str, said: str, right: float | None
) -> None:
    assert value(question(method, answer), said) == right


@pytest.mark.parametrize(
    ("said", "right"), [("440", 1), ("434.21", 1), ("434.2", 0), ("nan", 0), ("(1, 2)", 0)]
)
def test_a_range_takes_any_number_in_it(said: str, right: float) -> None:
    assert value(question("range", "441", low=434.21, high=447.79), said) == right


def test_nesting_that_python_refuses_is_a_wrong_answer() -> None:
    assert value(question("list_of_tuples", "[(0, 0)]"), "[" * 100_000) == 0


def test_categories_are_told_apart() -> None:
    rows = [("a", "1", "1"), ("a", "1", "2"), ("b", "1", "1")]
    pairs = [
        (Example(str(i), {}, (ref,), {"category": c, "method": "exact_match"}), Prediction(str(i), said))
        for i, (c, ref, said) in enumerate(rows)
    ]
    assert accuracy(Pairs(pairs)).details == {"a": 0.5, "b": 1}


def test_the_published_file_is_read_and_its_own_answers_are_right(test_data: Path) -> None:
    task = ChemIQ(DataSpec(source=str(test_data / "chemiq")))
    examples = list(task.examples("test"))
    methods = Counter(example.meta["method"] for example in examples)
    assert methods == {
        "exact_match": 226,
        "list_of_tuples": 184,
        "range": 20,
        "canonical_smi_match": 186,
        "opsin": 200,
    }
    pairs = [
        (e, Prediction(e.id, task.answer(e.references[0], task.request(e, task.prompt(e))))) for e in examples
    ]
    score = accuracy(Pairs(pairs))
    assert score.value == 1 and score.note.startswith("200 answers are names")
    assert score.details["smiles_to_iupac"] is None and score.details["sar"] == 1
    assert task.check().rows == {"test": 816}


GOOD = {
    "uuid": "u",
    "question_category": "sar",
    "prompt": "How many?",
    "answer": 3,
    "verification_method": "exact_match",
}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({**GOOD, "uuid": None}, "a text as 'uuid'"),
        ({**GOOD, "verification_method": "vote"}, "one of exact_match"),
        ({**GOOD, "answer": None}, "an answer"),
        ({**GOOD, "verification_method": "range", "answer_range": "3"}, "a range such as"),
        ([], "an object"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, row: Any, said: str) -> None:
    (tmp_path / "chemiq.jsonl").write_text(json.dumps(GOOD) + "\n" + json.dumps(row) + "\n")
    with pytest.raises(DataError, match=r"chemiq\.jsonl:2: expected") as caught:
        list(ChemIQ(DataSpec(source=str(tmp_path))).examples("test"))
    assert said in caught.value.message


def test_there_is_nothing_to_learn_from(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no split 'train'"):
        ChemIQ(DataSpec(source=str(tmp_path))).examples("train")
