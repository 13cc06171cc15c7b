"""The toy tasks: element names in a cipher that replaces each letter by the one three places on."""

from __future__ import annotations

import random
import string
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from harness import Example, Pairs, PromptFormat, Score, Task

from .elements import ELEMENTS

SHIFT = 3
CIPHER = str.maketrans(
    string.ascii_lowercase, string.ascii_lowercase[SHIFT:] + string.ascii_lowercase[:SHIFT]
)


class Cipher(Task):
    """Write a word in cipher. A folder source holds `<split>.csv` with the columns id and word."""

    version = "1"
    metrics: tuple[str, ...] = ("letter-accuracy",)
    prompt_format = PromptFormat("toy-cipher", "Write in cipher: {word}")
    sources = {  # noqa: RUF012
        "sample": "the names of the 118 chemical elements: 71 train, 24 validation, 23 test",
        "dir": "a folder with train.csv, validation.csv and test.csv; columns id and word",
    }
    licence = "Apache-2.0"

    def examples(self, split: str) -> Iterator[Example]:
        """Yield the words of a split with their cipher as the reference."""
        for number, word in self._words(split):
            yield Example(number, {"word": word}, (word.translate(CIPHER),))

    def _words(self, split: str) -> Iterator[tuple[str, str]]:
        if self.data.source == "sample":
            return _sample(split)
        from harness.data.csv_rows import read_csv  # here, because the sample is in no file

        rows = read_csv(Path(self.data.source) / f"{split}.csv", ("id", "word"))
        return ((row["id"], row["word"]) for _, row in rows)


class CipherChoice(Cipher):
    """Pick a word's cipher out of four words of the same length."""

    metrics = ("letter-accuracy",)

    def examples(self, split: str) -> Iterator[Example]:
        """Yield the words with their choices, shuffled by the row's id."""
        for example in super().examples(split):
            yield replace(example, choices=choices_of(example))


def choices_of(example: Example) -> tuple[str, ...]:
    """Return the reference among three spellings that differ from it in one letter each."""
    (right,) = example.references
    dice = random.Random(example.id)
    choices = {right}
    while len(choices) < 4:
        place, letter = dice.randrange(len(right)), dice.choice(string.ascii_lowercase)
        choices.add(right[:place] + letter + right[place + 1 :])
    return tuple(dice.sample(sorted(choices), len(choices)))


def letter_accuracy(pairs: Pairs) -> Score:
    """Mean share of letters in their right place, over the longer of answer and reference."""
    shares = tuple(max(_share(p.text, reference) for reference in e.references) for e, p in pairs)
    value = sum(shares) / len(shares) if shares else None
    return Score("letter-accuracy", value, len(shares), shares)


def _share(text: str, reference: str) -> float:
    longer = max(len(text), len(reference))
    return sum(a == b for a, b in zip(text, reference, strict=False)) / longer if longer else 1.0


def _sample(split: str) -> Iterator[tuple[str, str]]:
    order = ("train", "train", "validation", "train", "test")
    for number, word in enumerate(ELEMENTS, start=1):
        if order[number % len(order)] == split:
            yield f"element-{number}", word
