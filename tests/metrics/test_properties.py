"""LPM-24's property scores and what resampling makes of them."""

import ast

import pytest

from harness.metrics import properties, vocab
from harness.metrics.rows import make_pairs
from harness.scoring import answers


@pytest.fixture
def rows(test_data, monkeypatch):
    monkeypatch.setenv("HARNESS_TEST_DATA", str(test_data))
    read = answers.read(test_data / "lpm24/evaluation/smiles2caption_example.txt")
    # The example's answers name few properties that its references do: every third answer becomes right.
    return [
        (row.references[0] if i % 3 else row.text, row.references[0]) for i, row in enumerate(read.answers)
    ]


def score(rows):
    return properties.lpm24_properties(make_pairs([said for said, _ in rows], [ref for _, ref in rows]))


def test_a_rule_of_the_tree_holds_in_every_measure(rows):
    details = score(rows).details
    tops = ["Biomedical", "Human Interaction and Organoleptics", "Agriculture and Industry"]
    tops.append("Light and electricity")
    for part in ("Accuracy", "Precision", "Recall", "F-1"):
        assert details[f"{part} Overall"] == pytest.approx(sum(details[f"{part} {top}"] for top in tops) / 4)


def test_no_property_on_either_side_counts_as_1_as_published(test_data, monkeypatch):
    monkeypatch.setenv("HARNESS_TEST_DATA", str(test_data))
    empty = score([("It is.", "It is."), ("", "It was.")])
    assert empty.value == 1.0


def test_held_out_pairs_are_read_as_python_reads_them(test_data, monkeypatch):
    monkeypatch.setenv("HARNESS_TEST_DATA", str(test_data))
    path = vocab.find(properties.COMBOS, None)
    lines = path.read_text("utf-8").splitlines()
    assert properties._read_pairs(path) == [ast.literal_eval(line.split("\t")[0]) for line in lines]
