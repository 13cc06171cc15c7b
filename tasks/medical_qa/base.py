"""What all sets of medical questions share: where rows come from, how they are asked, what is checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from harness import DataReport, Example, Passage, Task, TaskOptions, UsageError
from harness.data.hub import HubFiles, fetch

from . import published
from .published import Found, Wanted
from .question import Question

CHOICES = "{choices}"  # where the harness lists the choices, if the way of asking wants them listed


@dataclass(frozen=True, slots=True)
class MedicalOptions(TaskOptions):
    """`notice` is told with every result; empty: nothing is.

    `context` shows what stands beside a question, such as an abstract; `auto`: as the set is meant.
    `think` asks to think step by step before the answer. `orders` asks every question so many times, each
    time with its choices moved on by one place: how often the answer stays the same is a column then.
    """

    notice: str = "Answers to medical questions by a model are no medical advice."
    context: str = "auto"
    think: bool = False
    orders: int = 1


@dataclass(frozen=True, slots=True)
class Words:
    """What a prompt says around a question, in one language."""

    question: str
    answer: str
    think: str


WORDS = {
    "en": Words(
        "Question: ", "Answer:", 'Think step by step, and end with the words "The answer is" and the letter.'
    ),
    "zh": Words("问题：", "答案：", "请一步一步地分析，最后写“答案是”和选项字母。"),
}


class Questions(Task):
    """A set of questions in files; a subclass is its card and says which rows are its own.

    `names` are what files that mix sets call it, `subjects` those it has, where it is a part of a larger
    set. `single`: each question has one right answer. `count`: how many choices it has, 0 where that differs.
    """

    Options = MedicalOptions
    options: MedicalOptions
    version = "1"
    sources: Mapping[str, str] = {"dir": "its published files"}
    hub: ClassVar[Mapping[str, HubFiles]] = {}
    hub_revision: ClassVar[str] = ""
    names: ClassVar[tuple[str, ...]] = ()
    subjects: ClassVar[tuple[str, ...]] = ()
    single: ClassVar[bool] = True
    count: ClassVar[int] = 0
    chosen: ClassVar[bool] = True
    shows_context: ClassVar[bool] = False

    @property
    def wanted(self) -> Wanted:
        """Which rows of a file are this set's."""
        return Wanted(self._is_own, self.single, self.chosen, self.count)

    def _is_own(self, question: Question) -> bool:
        of_set = not (self.names and question.set) or question.set.lower() in self.names
        subject = question.subject.lower().replace(" ", "_")
        return of_set and (not (self.subjects and subject) or subject in self.subjects)

    def splits(self) -> tuple[str, ...]:
        """Name the splits of the chosen source."""
        return tuple(self.hub) if self.data.source == "hub" else published.splits(Path(self.data.source))

    def examples(self, split: str) -> Iterator[Example]:
        """Yield the questions of a split; a row that cannot be scored ends it, or is left out and counted."""
        odd: Counter[str] = Counter()
        if self.options.notice and self.options.notice not in self.notes:
            self.notes.append(self.options.notice)
        for found in self.found(split):
            odd.update(note.kind for note in found.notes)
            if found.fault is not None:
                self._leave_out(found, odd)
            elif found.question is not None:
                yield from self._orders(found.question)
        self.notes += [
            f"{split}: {kind} in {count:,} row{'s' * (count > 1)}" for kind, count in sorted(odd.items())
        ]

    def found(self, split: str) -> Iterator[Found]:
        """Yield what the rows of a split hold."""
        return published.read(self.files_of(split), self.wanted)

    def files_of(self, split: str) -> Sequence[Path]:
        """Return the files of a split."""
        if self.data.source != "hub":
            return published.files(Path(self.data.source), split)
        if split not in self.hub:
            raise UsageError(f"the hub has no split '{split}'", hint="it has: " + ", ".join(self.hub))
        fetched = fetch(self.hub[split], split, self.data.revision or self.hub_revision)
        self.notes.append(f"{self.hub[split].repository} at commit {fetched.commit}")
        return fetched.files

    def _leave_out(self, found: Found, odd: Counter[str]) -> None:
        assert found.fault is not None
        if not self.data.skip_bad_rows:
            hint = "run-bench data check lists all such rows; --skip-bad-rows leaves them out"
            raise found.fault.at(found.path, found.line, hint)
        odd[f"{found.fault.kind} (left out)"] += 1

    def _orders(self, question: Question) -> Iterator[Example]:
        count = max(self.options.orders, 1) if question.choices else 1
        if count > 1 and count > len(question.choices):
            count = len(question.choices)
        for order in range(count):
            choices = (*question.choices[order:], *question.choices[:order])
            yield self.example(question, choices, f"{question.id}@{order}" if order else question.id)

    def example(self, question: Question, choices: tuple[str, ...], id: str) -> Example:
        """Turn a question into what is asked and what is wanted."""
        context = question.context if self._shows_context else ""
        inputs = {"question": question.text, **({"context": context} if context else {})}
        parts = {"language": question.language, "set": question.set, "subject": question.subject}
        meta = {"groups": {name: part for name, part in parts.items() if part}, "question": question.id}
        passages = (Passage("context", context),) if context else ()
        return Example(id, inputs, question.references, meta, choices=choices, passages=passages)

    @property
    def _shows_context(self) -> bool:
        if self.options.context not in ("auto", "true", "false"):
            raise UsageError(f"task.context is {self.options.context}", hint="it is auto, true or false")
        return self.shows_context if self.options.context == "auto" else self.options.context == "true"

    def prompt(self, example: Example) -> str:
        """Return the question in its own language, after what stands beside it."""
        words = WORDS[example.meta["groups"]["language"]]
        lines = [example.inputs["context"], ""] if "context" in example.inputs else []
        lines += [words.question + example.inputs["question"]]
        lines += [CHOICES] if example.choices else []
        return "\n".join([*lines, words.think if self.options.think else words.answer])

    def target(self, example: Example) -> str:
        """Return the answer, or all of them."""
        return "; ".join(example.references) if example.choices else example.references[0]

    def check(self) -> DataReport:
        """Validate every row of the chosen source."""
        if self.data.source in ("sample", "hub"):
            return super().check()
        return published.check(self.splits(), self.found)

    def seen_in_training(
        self, train: Iterable[Example], rows: Sequence[Example]
    ) -> Mapping[str, frozenset[str]]:
        """Return which rows training holds word for word, signs and spaces aside."""
        known = {_key(example) for example in train}
        return {"question": frozenset(example.id for example in rows if _key(example) in known)}


def _key(example: Example) -> str:
    return Question(example.inputs["question"], tuple(sorted(example.choices))).key
