"""What answers earn: metrics of the task, a reward model, a function, each with its weight and its name."""

from __future__ import annotations

import importlib
import importlib.util
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.api import Completion, Judge, MetricEntry, Request, StageError, TrainSpec, UsageError, nearest

METRIC = "metric:"
MODEL = "reward"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to be judged: what was asked and what was said, in `tokens` tokens, to its end or not."""

    request: Request
    text: str
    tokens: int = 0
    ended: bool = True


Earn = Callable[[Sequence[Answer]], Sequence[float]]


@dataclass(frozen=True, slots=True)
class Judged:
    """What some answers earn in all, the terms it is the sum of, and metrics that are watched beside it."""

    total: Sequence[float]
    terms: Mapping[str, Sequence[float]]
    beside: Mapping[str, Sequence[float | None]] = field(default_factory=dict)

    def with_terms(self, terms: Mapping[str, Sequence[float]]) -> Judged:
        """Return the same with further terms in the sum."""
        total = [sum(values) for values in zip(self.total, *terms.values(), strict=True)]
        return Judged(total, {**self.terms, **terms}, self.beside)


class Rewards:
    """Judges answers by the terms that a specification names.

    An answer that is empty, or of which a metric has no value, earns no more than the worst. `model` is
    what a reward model says of answers.
    """

    def __init__(self, spec: TrainSpec, judge: Judge | None, model: Earn | None) -> None:
        self.weights = spec.rewards
        self.judge = judge
        self._earn: dict[str, Earn] = {}
        for name in self.weights:
            if name == MODEL and model is not None:
                self._earn[name] = model
            elif not name.startswith(METRIC):
                self._earn[name] = function(name)

    def __call__(self, answers: Sequence[Answer]) -> Judged:
        """Return what answers earn, term by term."""
        rows = self._measured(answers)
        terms: dict[str, Sequence[float]] = {}
        for name, weight in self.weights.items():
            metric = name.startswith(METRIC)
            earned = self._of_metric(name, rows, answers) if metric else self._asked(name, answers)
            _require_numbers(name, earned, answers)
            terms[name] = [weight * value for value in earned]
        total = [sum(values) for values in zip(*terms.values(), strict=True)]
        names = dict.fromkeys(name for row in rows for name in row)
        return Judged(total, terms, {name: [row.get(name) for row in rows] for name in names})

    def _measured(self, answers: Sequence[Answer]) -> Sequence[Mapping[str, float]]:
        if self.judge is None:
            return [{}] * len(answers)
        return self.judge([Completion(answer.request.id, answer.text) for answer in answers])

    def _of_metric(
        self, name: str, rows: Sequence[Mapping[str, float]], answers: Sequence[Answer]
    ) -> list[float]:
        metric = name.removeprefix(METRIC)
        assert self.judge is not None
        entry = self.judge.metrics[metric]
        sign = 1.0 if entry.higher_is_better else -1.0
        values = [
            None if metric not in row or not answer.text.strip() else sign * row[metric]
            for row, answer in zip(rows, answers, strict=True)
        ]
        known = [value for value in values if value is not None]
        if not known and any(answer.text.strip() for answer in answers):
            raise StageError(
                f"metric '{metric}' has no value of a single row, so that no answer can earn by it",
                hint="name one that has, such as an exact match or a similarity",
            )
        worst = min([*known, _least(entry)])
        worst = worst if math.isfinite(worst) else 0.0  # all are empty, of a metric without an end
        return [worst if value is None else value for value in values]

    def _asked(self, name: str, answers: Sequence[Answer]) -> Sequence[float]:
        earned = list(self._earn[name](answers))
        if len(earned) != len(answers):
            raise StageError(f"reward '{name}' gave {len(earned)} numbers for {len(answers)} answers")
        return earned


def check(spec: TrainSpec, metrics: Mapping[str, MetricEntry], *, model: bool) -> None:
    """Refuse what could not be earned by, before a model is loaded."""
    names = list(spec.rewards)
    if not names:
        raise UsageError(
            f"stage '{spec.stage}' learns from rewards, and none is named",
            hint="--set train.reward=metric:NAME, a stage before it, or module:function",
        )
    for name in names:
        if name == MODEL:
            if not model:
                raise UsageError(
                    "the reward is a model, and no stage or checkpoint is named for it",
                    hint='stages = ["sft", "reward", …], or --set train.inputs.reward=DIR',
                )
        elif name.startswith(METRIC):
            _check_metric(name.removeprefix(METRIC), metrics)
        else:
            function(name)
    _require_ungameable(names, metrics)


def _check_metric(name: str, metrics: Mapping[str, MetricEntry]) -> None:
    if name not in metrics:
        raise UsageError(f"no metric '{name}' judges the rows of this training", hint=nearest(name, metrics))


def _require_ungameable(names: Sequence[str], metrics: Mapping[str, MetricEntry]) -> None:
    """Refuse metrics under which saying nothing can win, where there is nothing else to earn."""
    cards = [metrics[name.removeprefix(METRIC)] for name in names if name.startswith(METRIC)]
    if len(cards) == len(names) and all(card.silence_wins for card in cards):
        raise UsageError(
            f"metric '{cards[0].name}' alone is no reward: by its definition, silence can beat an answer",
            hint=f'add one that is not so, as in reward = {{ "{cards[0].name}" = 1, validity = 1 }}',
        )


def _least(entry: MetricEntry) -> float:
    """Return what the worst answer earns by a metric, infinity where its card has no end."""
    low, high = entry.range
    end = low if entry.higher_is_better else high
    return math.inf if end is None else end if entry.higher_is_better else -end


def _require_numbers(name: str, values: Sequence[float], answers: Sequence[Answer]) -> None:
    for value, answer in zip(values, answers, strict=True):
        if not (isinstance(value, int | float) and math.isfinite(value)):
            raise StageError(
                f"reward '{name}' is {value!r:.40} for answer {answer.text!r:.60} to '{answer.request.id}'",
                hint="a reward is a finite number for whatever a model may say, the empty text too",
            )


def function(name: str) -> Earn:
    """Import `module:function`, of the path or of a file here; it takes a request and what was answered."""
    module_name, _, attribute = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as absent:
        module = _from_file(module_name, absent)
    found: Any = getattr(module, attribute, None)
    if not callable(found):
        raise UsageError(
            f"reward '{name}' names no function", hint=nearest(attribute, vars(module)) or "module:function"
        )
    return lambda answers: [found(answer.request, answer.text) for answer in answers]


def _from_file(name: str, absent: ModuleNotFoundError) -> Any:
    path = Path(name.replace(".", "/") + ".py")
    if absent.name is None or not name.startswith(absent.name) or not path.is_file():
        raise UsageError(
            f"reward '{name}:…' needs a module '{absent.name}', and there is none",
            hint="metric:NAME is a metric of the task, module:function a function of yours in a file here",
        ) from absent
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
