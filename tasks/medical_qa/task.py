"""The tasks that have built-in rows: multiple choice, short answers, and the corpus that holds the facts."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness import Example, Preference, Task, TrainPair, TrainRow

from . import sample
from .base import WORDS, Questions
from .published import Found
from .question import Question
from .sets import Exam

HELD_OUT = 4  # the wording of each statement that is not read, so that reading can be measured
HELD_BACK = (
    2  # the wording of each question in which no answers are compared, so that comparing can be measured
)
SPLITS = ("train", "validation", "test")
_SAMPLE = (
    "a hand-written table of 201 facts, English and Chinese: facts of the test are asked nowhere in training"
)


class Sampled(Questions):
    """Questions that are built in, or in any published form in files."""

    single = False
    synthetic = ("sample",)
    licence = "Apache-2.0 (built-in rows)"

    def splits(self) -> tuple[str, ...]:
        """Name the splits."""
        return SPLITS if self.data.source == "sample" else super().splits()

    def found(self, split: str) -> Iterator[Found]:
        """Yield the rows of a split."""
        if self.data.source != "sample":
            yield from super().found(split)
            return
        for asked in sample.questions(split):
            yield Found(Path("sample"), 0, self.question(asked))

    @abstractmethod
    def question(self, asked: sample.Asked) -> Question:
        """Return a built-in question as this task asks it."""


class Choice(Sampled, Exam):
    """Multiple choice."""

    sources: Mapping[str, str] = {"sample": _SAMPLE, "dir": "questions with options, in any published form"}

    def question(self, asked: sample.Asked) -> Question:
        """Ask with the choices."""
        right = "ABCD"[asked.choices.index(asked.answer)]
        return Question(asked.question, asked.choices, right, id=asked.id, subject=asked.relation)


class Short(Sampled):
    """Short answers, in the same words as the choices of the other task."""

    chosen = False
    metrics = ("exact-match", "rouge-l@zh")
    sources: Mapping[str, str] = {"sample": _SAMPLE, "dir": "questions with answers, in any published form"}

    def question(self, asked: sample.Asked) -> Question:
        """Ask without the choices."""
        return Question(asked.question, answers=(asked.answer,), id=asked.id, subject=asked.relation)


class Corpus(Task):
    """The facts of the table as sentences, and the questions of training with their answers, to be read."""

    version = "1"
    metrics = ("perplexity-token",)
    sources: Mapping[str, str] = {
        "sample": "every fact in four sentences of each language; a fifth is the test"
    }
    synthetic = ("sample",)
    licence = "Apache-2.0"

    def splits(self) -> tuple[str, ...]:
        """Name the splits."""
        return SPLITS

    def examples(self, split: str) -> Iterator[Example]:
        """Yield the sentences: all to learn from, one of each fact to measure, while reading and after."""
        rows, held_out = list(sample.statements()), f"-{HELD_OUT}"
        read = [row for row in rows if not row[0].endswith(held_out)]
        kept = [row for row in rows if row[0].endswith(held_out)]
        for id, text in {"train": read, "validation": kept[::2], "test": kept[1::2]}[split]:
            yield Example(id, {"text": text}, (text,))
        for asked in sample.questions("train") if split == "train" else ():
            words = WORDS[asked.language]
            text = f"{words.question}{asked.question}\n{words.answer} {asked.answer}"
            yield Example(f"{asked.id}-asked", {"text": text}, (text,))

    def training_rows(self, example: Example, prompt: str) -> Iterator[TrainRow]:
        """Yield a text without a prompt, which may be learned among questions as well as alone."""
        yield TrainPair("", example.inputs["text"])


class Prompts(Short):
    """Questions to be answered and judged, about facts whose answers are compared and never shown.

    Validation asks about the same facts, in the wording in which no answers are compared.
    """

    sources: Mapping[str, str] = {"sample": "questions of which answers are judged, without choices"}

    def found(self, split: str) -> Iterator[Found]:
        """Yield the questions of a split."""
        asked = compared(split, ("judged",))
        yield from (Found(Path("sample"), 0, self.question(one)) for one in asked)


class Preferences(Sampled):
    """Two answers to each question of the sample: the right one, and in turn each of the wrong choices.

    Validation asks the same facts in a wording that training does not use: what is right of facts that
    nobody judged, a reward model of the sample's size does not know.
    """

    metrics = ("exact-match",)
    chosen = False
    sources: Mapping[str, str] = {"sample": "the right answer to each question, and a wrong one"}

    def found(self, split: str) -> Iterator[Found]:
        """Yield the questions of a split, each with its wrong answer as what is known beside it."""
        for asked in compared(split):
            for number, wrong in enumerate(asked.wrong):
                yield Found(Path("sample"), 0, self.question(asked, wrong, f"{asked.id}-{number}"))

    def question(self, asked: sample.Asked, wrong: str = "", id: str = "") -> Question:
        """Ask without the choices, the right answer first and a wrong one after it."""
        return Question(asked.question, answers=(asked.answer, wrong), id=id, subject=asked.relation)

    def example(self, question: Question, choices: tuple[str, ...], id: str) -> Example:
        """Keep the wrong answer out of what is accepted."""
        made = super().example(question, choices, id)
        right, wrong = made.references
        return replace(made, references=(right,), meta={**made.meta, "rejected": wrong})

    def training_rows(self, example: Example, prompt: str) -> Iterator[TrainRow]:
        """Yield the preference."""
        yield Preference(prompt, example.references[0], example.meta["rejected"], example.inputs)


def compared(split: str, of: Sequence[str] = ("train", "judged")) -> Iterator[sample.Asked]:
    """Yield the questions of a split of which two answers are compared, about some of the facts."""
    if split == "test":
        yield from sample.questions("test")
        return
    for asked in (asked for name in of for asked in sample.questions(name)):
        if asked.id.endswith(f"-{HELD_BACK}") == (split == "validation"):
            yield asked
