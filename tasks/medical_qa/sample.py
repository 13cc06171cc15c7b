"""The built-in rows: facts of a hand-written table, stated in a corpus and asked in questions.

Every fact is stated, in both languages and several wordings. The facts of validation and test are asked
nowhere in training, in either language: who answers has read them, and was never shown the answer. Of
others no answer is shown either, but answers are compared: what is learned of them is learned by judging.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from harness.data.table_file import read_table

from .wording import WORDINGS

SEED = 19
TEST, VALIDATION, JUDGED = 0.28, 0.10, 0.14  # shares of the facts of each relation
LANGUAGES = {"en": ("subject", "answer"), "zh": ("主语", "答案")}
CHOICES = 4


@dataclass(frozen=True, slots=True)
class Fact:
    """One row of the table in one language; `answers` are all answers of its relation."""

    id: str
    relation: str
    language: str
    subject: str
    answer: str
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of the sample with its choices, the right one among them."""

    id: str
    question: str
    answer: str
    choices: tuple[str, ...]
    language: str
    relation: str

    @property
    def wrong(self) -> tuple[str, ...]:
        """The other choices."""
        return tuple(choice for choice in self.choices if choice != self.answer)


@lru_cache(maxsize=1)
def facts() -> dict[str, list[Fact]]:
    """Return the facts of each split; a fact is in the same one in both languages."""
    rows = [dict(row.values) for row in read_table(Path(__file__).with_name("facts.tsv"))]
    splits: dict[str, list[Fact]] = {"train": [], "validation": [], "test": [], "judged": []}
    for relation in dict.fromkeys(row["relation"] for row in rows):
        members = [row for row in rows if row["relation"] == relation]
        dice = random.Random(f"{SEED}/{relation}")
        for place, number in enumerate(dice.sample(range(len(members)), len(members))):
            share = (place + 0.5) / len(members)
            splits[_split(share)] += _in_both_languages(members, number)
    return splits


def _split(share: float) -> str:
    if share < TEST:
        return "test"
    if share < TEST + VALIDATION:
        return "validation"
    return "judged" if share < TEST + VALIDATION + JUDGED else "train"


def _in_both_languages(members: list[dict[str, str]], number: int) -> Iterator[Fact]:
    row = members[number]
    for language, (subject, answer) in LANGUAGES.items():
        answers = tuple(dict.fromkeys(member[answer] for member in members))
        id = f"{row['relation']}-{number:02d}-{language}"
        yield Fact(id, row["relation"], language, row[subject], row[answer], answers)


def statements() -> Iterator[tuple[str, str]]:
    """Yield (id, text) of all statements of all facts."""
    for fact in (fact for split in facts().values() for fact in split):
        for number, wording in enumerate(WORDINGS[fact.relation, fact.language].statements):
            text = wording.format(s=fact.subject, a=fact.answer)
            yield f"{fact.id}-{number}", text[0].upper() + text[1:]


def questions(split: str) -> Iterator[Asked]:
    """Yield the questions of a split; those that are scored are asked in the first two wordings alone."""
    for fact in facts()[split]:
        wordings = WORDINGS[fact.relation, fact.language].questions
        for number, wording in enumerate(wordings[:2] if split in ("validation", "test") else wordings):
            id = f"{fact.id}-{number}"
            dice = random.Random(f"{SEED}/{id}")
            others = [answer for answer in fact.answers if answer != fact.answer]
            choices = dice.sample([fact.answer, *dice.sample(others, CHOICES - 1)], CHOICES)
            question = wording.format(s=fact.subject)
            yield Asked(
                id,
                question[0].upper() + question[1:],
                fact.answer,
                tuple(choices),
                fact.language,
                fact.relation,
            )
