"""How a row is asked, and how what a model says is read: shots, choices and their order, reasoning.

A question with choices is asked in one of three ways. `likelihood`: the log-likelihood of each choice's
text. `letters`: the choices stand in the prompt, and the likelihood of each letter is asked for. `letter`:
they stand in the prompt, and the model says which. Whatever the way and the order, what comes back is told in
the words and the order of the data.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from harness.api.errors import DataError, UsageError
from harness.api.example import Completion, Example, Prediction, Request
from harness.api.prompt import PromptFormat
from harness.api.task import Task
from harness.scoring.alphabet import LETTERS

from .shots import BY_SEED, Shots

PLACE = "{choices}"  # where a format lists the choices
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Asking:
    """A task with its prompt format and the way it is asked in; `way` is empty where nothing is chosen."""

    task: Task
    prompt: PromptFormat | None
    way: str = ""
    shots: Shots | None = None

    @property
    def scored(self) -> bool:
        """Whether the model scores choices instead of saying something."""
        return self.way in ("likelihood", "letters")

    @property
    def listed(self) -> bool:
        """Whether choices are known by letters."""
        return self.way in ("letters", "letter")

    def render(self, example: Example) -> str:
        """Return the exact prompt of a row, after those that show how it is done."""
        return "".join(
            f"{self._question(shot)}{_joint(self._question(shot))}{self.target(shot)}\n\n"
            for shot in self._shots(example)
        ) + self._question(example)

    def request(self, example: Example) -> Request:
        """Return what a model is asked; the references stay here."""
        shown = self.arranged(example)
        request = self.task.request(shown, self.render(example))
        if not self.listed:
            return request
        return replace(request, choices=tuple(LETTERS[: len(shown.choices)]) if self.scored else ())

    def target(self, example: Example) -> str:
        """Return what a model should learn to say."""
        return self.task.target(self.learned(example))

    def learned(self, example: Example) -> Example:
        """Return a row as it is learned from: where choices are listed, its references are letters."""
        if not (self.listed and example.choices):
            return example
        shown = self.arranged(example)
        right = [LETTERS[i] for i, choice in enumerate(shown.choices) if choice in example.references]
        if not right:
            raise DataError(f"row '{example.id}': no choice is a reference: {example.references[:1]}")
        return replace(shown, references=("".join(right),), annotations=shown.annotations[:1])

    def arranged(self, example: Example) -> Example:
        """Return a row with its choices in the order in which they are shown."""
        order = self._order(example)
        return (
            replace(example, choices=tuple(example.choices[place] for place in order)) if order else example
        )

    def read(
        self, example: Example, request: Request, completion: Completion, tags: Sequence[str] = ()
    ) -> Prediction:
        """Read an answer out of what the model said, in the words and the order of the data."""
        reasoning, said = apart(completion.text, tags)
        scores = self._in_order(example, completion.choice_scores)
        if scores:
            text = example.choices[max(range(len(scores)), key=scores.__getitem__)] if self.listed else said
        else:
            text = self._letters(example, said) if self.listed else self.task.answer(said, request)
        shown = tuple(passage.id for passage in request.passages)
        return Prediction(
            example.id,
            text,
            completion.text,
            scores,
            reasoning,
            shown if completion.evidence is None else completion.evidence,
            completion.log_likelihood,
            completion.new_tokens,
            tuple(self.read(example, request, again, tags) for again in completion.repeats),
            self._in_order(example, completion.greedy),
        )

    def _question(self, example: Example) -> str:
        shown = self.arranged(example)
        if self.prompt is None:
            return self._listed_in(self.task.prompt(shown), shown)
        if PLACE in self.prompt.template:
            return self.prompt.render({**shown.inputs, "choices": as_list(shown.choices)})
        return self._with_list(self.prompt.render(shown.inputs), shown)

    def _listed_in(self, text: str, shown: Example) -> str:
        """Put the list where a task's own prompt has its place, and take the place away without a list."""
        if PLACE not in text:
            return self._with_list(text, shown)
        listed = f"{as_list(shown.choices)}\n" if self.listed else ""
        return text.replace(f"{PLACE}\n", listed, 1)

    def _with_list(self, text: str, shown: Example) -> str:
        return f"{text}\n{as_list(shown.choices)}\nAnswer:" if self.listed else text

    def _shots(self, example: Example) -> Sequence[Example]:
        return self.shots.before(example) if self.shots else ()

    def _order(self, example: Example) -> list[int]:
        seed = self.task.options.permute
        if seed is None or not example.choices:
            return []
        return random.Random(f"{seed}/{example.id}").sample(range(len(example.choices)), len(example.choices))

    def _in_order(self, example: Example, scores: Sequence[T]) -> tuple[T, ...]:
        """Return what was said of each choice in the order of the data."""
        order = self._order(example)
        if not (order and len(scores) == len(order)):
            return tuple(scores)
        places = {place: score for place, score in zip(order, scores, strict=True)}
        return tuple(places[place] for place in range(len(order)))

    def _letters(self, example: Example, said: str) -> str:
        """Read letters, and name the choices behind them by the letters they have in the data."""
        from harness.scoring.letters import letters  # here, because its patterns take long to compile

        order = self._order(example) or range(len(example.choices))
        named = [LETTERS.index(letter) for letter in letters(said, self.arranged(example).choices)]
        return "".join(sorted(LETTERS[order[place]] for place in named))


def way_of(task: Task, kind: str, prompt: PromptFormat | None, *, chooses: bool | None) -> str:
    """Settle how a task's choices are asked for; a model that cannot score them says a letter."""
    wanted = task.options.ask
    if kind != "choose":
        if wanted != "auto":
            raise UsageError(f"task.ask is {wanted}, and this task has no choices", hint="leave task.ask out")
        return ""
    if wanted in ("likelihood", "letters") and chooses is False:
        raise UsageError(
            f"task.ask is {wanted}, and this model cannot score choices", hint="--set task.ask=letter"
        )
    if wanted != "auto":
        return wanted
    if not chooses:
        return "letter"
    return "letters" if prompt is not None and PLACE in prompt.template else "likelihood"


def apart(text: str, tags: Sequence[str]) -> tuple[str, str]:
    """Part thinking aloud from the answer; thoughts without an end leave no answer."""
    if len(tags) != 2:
        return "", text
    begin, end = tags
    before, opened, rest = text.partition(begin)
    if not opened:  # the template may have opened it in the prompt
        thought, closed, answer = text.partition(end)
        return (thought.strip(), answer) if closed else ("", text)
    thought, closed, answer = rest.partition(end)
    return (thought.strip(), before + answer) if closed else (rest.strip(), "")


def unclosed(text: str, tags: Sequence[str]) -> bool:
    """Whether thoughts were begun and never ended."""
    return len(tags) == 2 and tags[0] in text and tags[1] not in text.partition(tags[0])[2]


def as_list(choices: Sequence[str]) -> str:
    """Return choices one a line, each after its letter."""
    return "\n".join(f"{letter}. {choice}" for letter, choice in zip(LETTERS, choices, strict=False))


def _joint(prompt: str) -> str:
    return "" if prompt[-1:].isspace() else " "


def facts(asking: Asking) -> Mapping[str, object]:
    """Return what makes the same row another prompt: shots and choices that are listed."""
    options = asking.task.options
    found: dict[str, object] = {}
    if options.shots:
        found["shots"] = [options.shots, options.shots_split, options.shots_seed]
        if options.shots_by != BY_SEED:
            found["shots_by"] = options.shots_by
    if asking.listed and not (asking.prompt is not None and PLACE in asking.prompt.template):
        found["listed"] = True
    return found
