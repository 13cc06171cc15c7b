"""Promoter prediction: the sample's rule, and published files."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import DataError, DataSpec
from harness.tasks.promoter.sample import SIZES, is_promoter, sample
from harness.tasks.promoter.task import Promoter


def test_the_sample_follows_its_rule_is_even_and_repeats_nothing() -> None:
    rows = [row for split in sample().values() for row in split]
    assert {split: len(found) for split, found in sample().items()} == SIZES
    assert all(is_promoter(sequence) == positive for sequence, positive in rows)
    assert sum(positive for _, positive in rows) * 2 == len(rows)
    assert len({sequence for sequence, _ in rows}) == len(rows)


def test_one_motif_alone_does_not_give_the_answer_away() -> None:
    others = [sequence for sequence, positive in sample()["train"] if not positive]
    assert 0.4 < sum("TATA" in sequence for sequence in others) / len(others) < 0.9


def test_a_row_asks_with_its_sequence_and_offers_both_answers() -> None:
    task = Promoter()
    example = next(task.examples("test"))
    request = task.request(example, task.prompt(example))
    assert request.choices == ("no", "yes")
    assert example.inputs["dna"] in request.prompt
    assert example.references[0] in request.choices


def test_files_in_the_form_of_gue_are_read(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("sequence,label\nacgt,1\nGGGN,0\n", encoding="utf-8")
    (tmp_path / "dev.csv").write_text("sequence,label\nACGT,1\n", encoding="utf-8")
    task = Promoter(DataSpec(source=str(tmp_path)))
    assert task.splits() == ("train", "validation")
    rows = list(task.examples("train"))
    assert [row.inputs["dna"] for row in rows] == ["ACGT", "GGGN"]
    assert [row.references for row in rows] == [("yes",), ("no",)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("seq,label\nACGT,1\n", "expected the column sequence once, found seq, label"),
        ("sequence,label\nACGT,2\n", "label 0 or 1"),
        ("sequence,label\nACXT,1\n", "X in a nucleotide sequence"),
        ("sequence,label\nACGT\n", "expected 2 columns"),
    ],
)
def test_a_bad_row_is_named_with_its_line(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "test.csv").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=message) as caught:
        list(Promoter(DataSpec(source=str(tmp_path))).examples("test"))
    assert "test.csv:" in caught.value.message


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_bytes(b"sequence,label\n\xff\xfe,1\n")
    with pytest.raises(DataError, match="expected UTF-8 text"):
        list(Promoter(DataSpec(source=str(tmp_path))).examples("test"))


def test_a_missing_split_says_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no test\.csv") as caught:
        list(Promoter(DataSpec(source=str(tmp_path))).examples("test"))
    assert "sequence, label" in caught.value.hint
