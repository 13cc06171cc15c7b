"""Medical questions of the published files, each as one prompt, its choices and the right one."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

LETTERS = "ABCD"
SHOTS = 5  # of each subject, its last ones, which are then not asked


class Question(NamedTuple):
    """What is asked, what may be said, and what is right."""

    prompt: str
    choices: tuple[str, ...]
    answer: str


class Row(NamedTuple):
    """A question with options as it is published."""

    question: str
    options: list[str]
    letter: str

    def shown(self) -> str:
        """Return the question with its options, up to where a letter is wanted."""
        listed = "\n".join(f"{name}. {text}" for name, text in zip(LETTERS, self.options, strict=True))
        return f"{self.question.strip()}\n{listed}\nAnswer:"

    def by_letter(self, before: str = "") -> Question:
        """Ask for the letter."""
        return Question(before + self.shown(), tuple(LETTERS), self.letter)

    def by_text(self) -> Question:
        """Ask for the option's text, the options not being shown."""
        texts = tuple(option.strip() for option in self.options)
        return Question(
            f"Question: {self.question.strip()}\nAnswer:", texts, texts[LETTERS.index(self.letter)]
        )


def subjects(data: Path) -> list[list[Row]]:
    """Return the rows of each medical subject of MMLU."""
    found = []
    for path in sorted((data / "mmlu_medical/test").glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as lines:
            found.append([Row(question, options, letter) for question, *options, letter in csv.reader(lines)])
    return found


def mmlu(data: Path) -> Iterator[Question]:
    """Yield the subjects of MMLU in turn, letters asked for."""
    return (row.by_letter() for rows in zip(*subjects(data), strict=False) for row in rows)


def mmlu_after_examples(data: Path) -> Iterator[Question]:
    """Yield MMLU's subjects in turn, each question behind five of its subject with their letters."""
    asked = []
    for rows in subjects(data):
        before = "".join(f"{row.shown()} {row.letter}\n\n" for row in rows[-SHOTS:])
        asked.append([row.by_letter(before) for row in rows[:-SHOTS]])
    return (question for questions in zip(*asked, strict=False) for question in questions)


def medqa_rows(data: Path) -> Iterator[Row]:
    """Yield MedQA's test questions with four options."""
    with (data / "medqa/us_4options_phrases_no_exclude_test.jsonl").open(encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            yield Row(row["question"], [row["options"][letter] for letter in LETTERS], row["answer_idx"])


def medqa(data: Path) -> Iterator[Question]:
    """Yield MedQA's questions, letters asked for."""
    return (row.by_letter() for row in medqa_rows(data))


def medqa_by_text(data: Path) -> Iterator[Question]:
    """Yield MedQA's questions, the texts of their options asked for."""
    return (
        row.by_text() for row in medqa_rows(data) if len(set(map(str.strip, row.options))) == len(LETTERS)
    )


def pubmedqa(data: Path) -> Iterator[Question]:
    """Yield PubMedQA's test questions behind their abstracts."""
    rows = json.loads((data / "pubmedqa/ori_pqal.json").read_text(encoding="utf-8"))
    truth = json.loads((data / "pubmedqa/test_ground_truth.json").read_text(encoding="utf-8"))
    for name, answer in truth.items():
        abstract = "\n".join(rows[name]["CONTEXTS"])
        prompt = f"Abstract: {abstract}\nQuestion: {rows[name]['QUESTION']}\nAnswer:"
        yield Question(prompt, ("yes", "no", "maybe"), answer)


SETS: dict[str, Callable[[Path], Iterator[Question]]] = {
    "MMLU medical, letters": mmlu,
    "MedQA, letters": medqa,
    "PubMedQA, yes, no, maybe": pubmedqa,
    "MMLU medical, letters, 5 examples": mmlu_after_examples,
    "MedQA, texts of options": medqa_by_text,
}


# Of these a third as many is asked: their questions are long, or read again for each option on one side.
LONG = ("PubMedQA, yes, no, maybe", "MMLU medical, letters, 5 examples", "MedQA, texts of options")


def first(name: str, data: Path, rows: int) -> list[Question]:
    """Return the first questions of a set."""
    return list(islice(SETS[name](data), rows))
