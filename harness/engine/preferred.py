"""Preferences out of answers: of what a run said to one request, the best against the worst."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.api.errors import DataError, UsageError
from harness.api.example import Request
from harness.api.spec import RunSpec, TrainSpec
from harness.files.json_files import read_json
from harness.training.rewards import Answer, Rewards, check

from .data import TaskData, open_task
from .journal import finished
from .judge import TaskJudge
from .registry import Registry
from .run_dir import SPEC
from .stage import reasoning_tags
from .values import from_mapping


@dataclass(frozen=True, slots=True)
class Preferred:
    """The preferences of a run, and how many requests gave none: asked once, or answered equally well."""

    rows: Sequence[Mapping[str, Any]]
    single: int
    ties: int


def preferences_of(registry: Registry, directory: Path, reward: Mapping[str, float]) -> Preferred:
    """Judge all that a run said by weighted metrics of its task, and pair the answers to each request."""
    if not (directory / SPEC).exists():
        raise DataError(f"{directory} holds no run", hint="a run's folder has a spec.json")
    spec = from_mapping(RunSpec, read_json(directory / SPEC)["spec"])
    if spec.data.split != spec.data.train_split:
        raise UsageError(
            f"{directory} answers the {spec.data.split} split, and what is learned from it cannot be "
            "scored on it any more",
            hint="run-bench generate … --split train --set generate.decoder=sampling --set generate.n_best=8",
        )
    found = registry.tasks.get(spec.task)
    data = open_task(registry, found, spec.data, spec.model, spec.task_options)
    answers = _answers(data, spec, directory)
    judged = _rewards(registry, data, spec, directory, reward)(answers)
    groups: dict[tuple[Any, ...], dict[str, tuple[float, Request]]] = defaultdict(dict)
    for answer, earned in zip(answers, judged.total, strict=True):
        request = answer.request  # one that is asked several times has several ids
        key = (request.prompt, request.messages, tuple(request.inputs.items()))
        groups[key][answer.text] = (earned, request)
    several = [group for group in groups.values() if len(group) > 1]
    rows = [row for group in several if (row := _preference(group))]
    return Preferred(rows, len(groups) - len(several), len(several) - len(rows))


def _answers(data: TaskData, spec: RunSpec, directory: Path) -> list[Answer]:
    """Return all that was said, whatever is empty left out."""
    rows = data.scored(spec.data.split, spec.data.limit)
    said = finished(directory, [data.request(row) for row in rows])
    found = [
        Answer(data.named(row), text)
        for row in rows
        if row.id in said
        for text in (said[row.id].text, *said[row.id].alternatives)
        if text.strip()
    ]
    if not found:
        raise DataError(f"{directory} holds no answer", hint="the run has not been asked yet")
    return found


def _preference(group: Mapping[str, tuple[float, Request]]) -> dict[str, Any] | None:
    """Return the best of the answers to a request against the worst; nothing where all earn the same."""
    order = sorted(group, key=lambda text: group[text][0])
    (least, request), (most, _) = group[order[0]], group[order[-1]]
    if least == most:
        return None
    turns = [{"role": turn.role, "content": turn.text} for turn in request.messages]
    return {
        "prompt": [*turns, {"role": "user", "content": request.prompt}] if turns else request.prompt,
        "chosen": order[-1],
        "rejected": order[0],
        "margin": round(most - least, 6),
        "inputs": dict(request.inputs),
    }


def _rewards(
    registry: Registry, data: TaskData, spec: RunSpec, directory: Path, reward: Mapping[str, float]
) -> Rewards:
    train = TrainSpec("dpo", reward=dict(reward))
    names = dict.fromkeys((*train.earned_metrics, *data.task.metrics))
    metrics = registry.load_metrics(names, near=data.registered.plugin)
    tags = reasoning_tags(directory, spec.generate.reasoning)
    judge = TaskJudge([data], replace(spec.data, train_limit=spec.data.limit), metrics, tags)
    check(train, judge.metrics, model=False)
    return Rewards(train, judge, None)
