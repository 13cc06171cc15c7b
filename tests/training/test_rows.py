"""One shape of rows a stage, found wrong before a model loads."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness import Conversation, DataError, Document, Message, TrainPair, training
from harness.training.stages import entries

PAIR = TrainPair("C", "methane")
SPOKEN = Conversation((Message("assistant", "a"),))
LIGHT = (
    "import sys; from harness import training as t; t.check_rows; t.Corpus; sys.exit('torch' in sys.modules)"
)


@pytest.mark.parametrize(
    ("rows", "stage", "sentence"),
    [
        ([], "sft", "there are no rows to learn from"),
        ([Document("x")], "sft", "stage 'sft' learns from TrainPair or Conversation, row 0 is a Document"),
        ([PAIR, SPOKEN], "sft", "row 1 is a Conversation, earlier rows are TrainPair"),
        ([PAIR, TrainPair("C", "")], "sft", "row 1 has an empty target"),
        ([Conversation((Message("user", "a"),))], "sft", "row 0 has no turn of the assistant to learn"),
        ([Document("")], "pretrain", "row 0 is an empty document"),
    ],
)
def test_the_first_wrong_row_is_named(rows: list[object], stage: str, sentence: str) -> None:
    with pytest.raises(DataError) as refused:
        training.check_rows(rows, {entry.name: entry for entry in entries()}[stage])  # type: ignore[arg-type]
    assert refused.value.message == sentence


def test_both_directions_hold_each_pair_and_its_reverse() -> None:
    both = training.BothDirections([PAIR])
    assert list(both) == [PAIR, TrainPair("methane", "C")]
    assert len(both) == 2


def test_a_corpus_is_read_anew_each_time_from_text_and_tokens(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\n\ntwo\n", encoding="utf-8")
    with gzip.open(tmp_path / "b.jsonl.gz", "wt", encoding="utf-8") as out:
        out.write(json.dumps({"tokens": [3, 4]}) + "\n" + json.dumps({"text": "three"}) + "\n")
    corpus = training.Corpus(tmp_path)
    expected = [Document("one"), Document("two"), Document("", (3, 4)), Document("three")]
    assert list(corpus) == expected and list(corpus) == expected


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b'{"text": 3}\n', "expected"), (b"{broken\n", ":1: not JSON"), (b'{"text": "\xff"}\n', "not UTF-8")],
)
def test_a_broken_corpus_names_its_line(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "c.jsonl").write_bytes(content)
    with pytest.raises(DataError, match=sentence):
        list(training.Corpus(tmp_path / "c.jsonl"))


def test_checking_rows_imports_no_torch() -> None:
    assert subprocess.run([sys.executable, "-c", LIGHT], check=False).returncode == 0
