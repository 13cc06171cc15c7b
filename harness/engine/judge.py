"""Judges single answers to training requests by the metrics of their tasks, as a run would score them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.api.example import Completion, Example, Pairs, Prediction, Request
from harness.api.metric import Metric, MetricEntry
from harness.api.spec import DataSpec

from .data import TaskData
from .registry import Registered, Registry

Row = tuple[TaskData, Example, Request]


def judging(
    registry: Registry, tasks: Sequence[TaskData], earned: Sequence[str]
) -> dict[str, Registered[MetricEntry]]:
    """Find the metrics that judge answers while training: those of the tasks, and those earned by."""
    names = [(name, data) for data in tasks for name in data.task.metrics]
    names += [(name, tasks[0]) for name in earned]
    return {name: registry.metrics.get(name, near=data.registered.plugin) for name, data in names}


class TaskJudge:
    """Gives each answer its value under each metric that has one of a single row."""

    def __init__(
        self,
        parts: Sequence[TaskData],
        data: DataSpec,
        metrics: Mapping[str, tuple[MetricEntry, Metric]],
        tags: Sequence[str] = (),
    ) -> None:
        self.metrics = {name: entry for name, (entry, _) in metrics.items()}
        self._measures = {name: metric for name, (_, metric) in metrics.items()}
        self._tags = tags
        self._rows: dict[str, Row] = {}
        for part in parts:
            splits = {data.train_split: data.train_limit, data.validation_split: None}
            for split in splits.keys() & part.task.splits():
                for example, request in part.named_rows(split, splits[split]):
                    self._rows[request.id] = (part, example, request)

    def __call__(self, completions: Sequence[Completion]) -> Sequence[Mapping[str, float]]:
        """Return for each completion metric name -> value of that row; a metric without one is absent."""
        found: list[dict[str, float]] = [{} for _ in completions]
        pairs = Pairs([self._read(completion) for completion in completions])
        for name, metric in list(self._measures.items()):
            values = metric(pairs).per_example
            if values is None:  # it speaks of all rows together, and so of none
                del self._measures[name]
                continue
            for row, value in zip(found, values, strict=True):
                if value is not None:
                    row[name] = float(value)
        return found

    def _read(self, completion: Completion) -> tuple[Example, Prediction]:
        part, example, request = self._rows[completion.request_id]
        return example, part.asking.read(example, request, completion, self._tags)
