"""cMedQA2's files: questions and answers by number, and candidates that name the split and the right ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.data.csv_rows import read_csv

from .published import SPLITS, Found
from .question import Question, cleaned

_WORDS = {"train": "train", "validation": "dev", "test": "test"}


def splits(folder: Path) -> tuple[str, ...]:
    """Name the splits whose candidates a folder has."""
    if not all((folder / f"{name}.csv").is_file() for name in ("question", "answer")):
        return ()
    return tuple(split for split in SPLITS if _candidates(folder, split).is_file())


def _candidates(folder: Path, split: str) -> Path:
    return folder / f"{_WORDS[split]}_candidates.txt"


def read(folder: Path, split: str) -> Iterator[Found]:
    """Yield the questions of a split, each with its right answers."""
    questions = {
        row["question_id"]: row["content"] for _, row in read_csv(folder / "question.csv", _QUESTION)
    }
    answers = {row["ans_id"]: row["content"] for _, row in read_csv(folder / "answer.csv", _ANSWER)}
    right: dict[str, list[str]] = {}
    path = _candidates(folder, split)
    columns = ("question_id", "pos_ans_id") if split == "train" else ("question_id", "ans_id", "label")
    for _, row in read_csv(path, columns):
        if row.get("label", "1") == "1":
            found = right.setdefault(row["question_id"], [])
            answer = answers.get(row[columns[1]], "")
            if answer and answer not in found:
                found.append(answer)
    for number, texts in right.items():
        question, notes = cleaned(Question(questions.get(number, ""), answers=tuple(texts), id=number))
        yield Found(path, 0, question, notes=notes)


_QUESTION = ("question_id", "content")
_ANSWER = ("ans_id", "question_id", "content")
