"""A document of a task of lm-eval: what is asked of it, and what the task makes of the answers.

lm-eval asks for the likelihood of each continuation of a context by itself; here those of one context are the
choices of one row. A document with several contexts is as many rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from harness.api.example import Pairs, Prediction

META = "lm-eval"  # where a row holds its part
LIKELIHOOD, ROLLING, GENERATE = "loglikelihood", "loglikelihood_rolling", "generate_until"
Values = Mapping[str, Any]  # by metric: what a document adds to it


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """A document with everything that is asked of it."""

    task: Any
    row: Any
    instances: Sequence[Any]

    def parts(self) -> Iterator[Part]:
        """Yield what is asked of it, by context."""
        places = range(len(self.instances))
        for _, group in groupby(places, key=lambda place: _context(self.instances[place])):
            yield Part(self, tuple(group))

    def values(self, answers: Mapping[int, list[Any]]) -> Values:
        """Return what the task makes of the answers to each thing asked, behind each of its filters."""
        answered = []
        for place, instance in enumerate(self.instances):
            one = copy(instance)
            one.resps, one.filtered_resps = answers[place], {}
            answered.append(one)
        for ensemble in self.task._filters:
            ensemble.apply(answered)
        found: dict[str, Any] = {}
        for name in answered[0].filtered_resps:
            results = [one.filtered_resps[name] for one in answered]
            for metric, value in self.task.process_results(self.row, results).items():
                found[column(metric, name)] = value
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What a row asks of a document: the likelihoods of some continuations, a text, or its own likelihood."""

    document: Document
    places: tuple[int, ...]

    @property
    def kind(self) -> str:
        """What is asked, in lm-eval's words."""
        return str(self._first.request_type)

    @property
    def context(self) -> str:
        """The text that is continued, or that is read."""
        return str(self._first.args[0])

    @property
    def continuations(self) -> tuple[str, ...]:
        """The texts whose likelihood is asked for."""
        asked = [self.document.instances[place] for place in self.places]
        return tuple(instance.args[1] for instance in asked) if self.kind == LIKELIHOOD else ()

    @property
    def _first(self) -> Any:
        return self.document.instances[self.places[0]]

    def answers(self, said: Prediction) -> dict[int, list[Any]]:
        """Return what was said in lm-eval's shape; whether a choice is greedy is False where nobody knows."""
        if self.kind == GENERATE:
            return {self.places[0]: [said.text]}
        if self.kind == ROLLING:
            return {self.places[0]: [said.log_likelihood]}
        greedy = said.greedy or [False] * len(said.choice_scores)
        return {
            place: [pair]
            for place, pair in zip(self.places, zip(said.choice_scores, greedy, strict=True), strict=True)
        }


def _context(instance: Any) -> tuple[str, str]:
    return instance.request_type, instance.args[0]


def column(metric: str, filtered: str) -> str:
    """Return the name of a metric behind a filter."""
    return metric if filtered == "none" else f"{metric}@{filtered}"


def values_of(pairs: Pairs) -> list[Values]:
    """Return what each document's first row adds to each metric; further rows add nothing.

    Of a document that was not asked whole nothing is known.
    """
    if META not in pairs.cache:
        pairs.cache[META] = _values(pairs)
    found: list[Values] = pairs.cache[META]
    return found


def _values(pairs: Pairs) -> list[Values]:
    answers: dict[Document, dict[int, list[Any]]] = {}
    for example, said in pairs:
        part = example.meta[META]
        answers.setdefault(part.document, {}).update(part.answers(said))
    return [
        part.document.values(answers[part.document])
        if part.places[0] == 0 and len(answers[part.document]) == len(part.document.instances)
        else {}
        for part in (example.meta[META] for example, _ in pairs)
    ]
