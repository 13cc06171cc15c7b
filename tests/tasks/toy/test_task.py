"""The toy tasks give the same rows every time, and say what is wrong with a folder of data."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import DataError, DataSpec, Example, Pairs, Prediction
from harness.tasks.toy.task import Cipher, CipherChoice, letter_accuracy


def test_the_splits_share_all_element_names_out() -> None:
    task = Cipher()
    rows = {split: [example.inputs["word"] for example in task.examples(split)] for split in task.splits()}
    assert {split: len(words) for split, words in rows.items()} == {"train": 71, "validation": 24, "test": 23}
    assert len({word for words in rows.values() for word in words}) == 118


def test_prompt_and_reference_are_the_word_and_its_cipher() -> None:
    example = next(example for example in Cipher().examples("train") if example.inputs["word"] == "oxygen")
    assert Cipher().prompt(example) == "Write in cipher: oxygen"
    assert example.references == ("rabjhq",)


def test_choices_hold_the_reference_once_and_stay_the_same() -> None:
    task = CipherChoice()
    for example in task.examples("test"):
        request = task.request(example, task.prompt(example))
        assert request.choices.count(example.references[0]) == 1
        assert len(set(request.choices)) == 4
        assert request == task.request(example, task.prompt(example))


def test_a_folder_of_csv_files_is_read(tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text("id,word\n1,zebra\n2,yak\n")
    rows = list(Cipher(DataSpec(source=str(tmp_path))).examples("test"))
    assert [(row.id, row.references) for row in rows] == [("1", ("cheud",)), ("2", ("bdn",))]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"id,name\n1,zebra\n", ":1: expected the column word once, found id, name"),
        (b"", ":1: expected the column id once, found nothing"),
        (b"id,word\n1,\xff\n", ":2: expected UTF-8 text, found byte 0xff"),
        (b"id,word\n1,yak\n2\n", r":3: expected 2 columns \(id, word\), found 1"),
        (b"id,word\n1,yak\n2,\n", ":3: expected a text in 'word', found nothing"),
    ],
)
def test_a_bad_file_is_named_with_its_fault(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "test.csv").write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        list(Cipher(DataSpec(source=str(tmp_path))).examples("test"))
    assert "test.csv" in caught.value.message


def test_an_absent_file_is_named_with_what_it_should_hold(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no test\.csv") as caught:
        list(Cipher(DataSpec(source=str(tmp_path))).examples("test"))
    assert "id, word" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "value"), [("abcd", 1.0), ("abxx", 0.5), ("", 0.0), ("abcdabcd", 0.5), ("ab", 0.5)]
)
def test_letter_accuracy_is_the_share_in_place_over_the_longer(text: str, value: float) -> None:
    rows = Pairs([(Example("1", {}, ("abcd",)), Prediction("1", text))])
    assert letter_accuracy(rows).value == value


def test_letter_accuracy_of_no_rows_is_undefined() -> None:
    assert letter_accuracy(Pairs([])).value is None
