"""What a table needs to know of a task: its rows, metrics, versions, and how an answer is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from harness import Example, Metric, MetricEntry, Pairs, Prediction, PromptTokens

# How the model of a run reads the prompt of a row, given the run's spec and the directory of its training.
ReadPrompt = Callable[[Example, Mapping[str, Any], Path | None], PromptTokens]


BLIND = "blind"  # the source of rows whose references are not public


@dataclass(frozen=True, slots=True)
class TaskView:
    """A task opened on one data source and split."""

    task: str
    split: str
    source: str
    sample: bool
    version: str
    digest: str
    examples: Sequence[Example]
    metrics: Mapping[str, tuple[MetricEntry, Metric]]
    answer: Callable[[Example, str], str]
    training_targets: Callable[[], Iterable[str]] | None = None
    overlap: Callable[[], Mapping[str, frozenset[str]]] = dict
    prompt: Callable[[Example, str], str] | None = None  # of a row, as a model plugin wants it
    tokens: ReadPrompt | None = None
    picture: Callable[[Example, str], str] | None = None  # SVG of a row beside an answer
    summary: str = ""
    vocab: Path | None = None  # where metrics find vocabularies that are not ours to ship
    cache: dict[object, object] = field(default_factory=dict, compare=False, repr=False)

    def pairs(self, rows: Sequence[tuple[Example, Prediction]]) -> Pairs:
        """Return rows to score; all scorings of one view share their work on references."""
        targets = self.training_targets
        return Pairs(rows, training_targets=targets, vocab=self.vocab, cache={"shared": self.cache})

    @property
    def molecules(self) -> bool:
        """Whether the answers are molecules."""
        return any(entry.kind == "molecule" for entry, _ in self.metrics.values())

    def by_id(self) -> dict[str, Example]:
        """Return the rows by their id."""
        return {example.id: example for example in self.examples}


class OpenTask(Protocol):
    """Opens tasks for tables; whoever calls this package brings it.

    `wanted` is the data digest that a submission names: where several sources of a task are known, the
    one with this digest is opened.
    """

    def __call__(self, task: str, split: str, wanted: str = "", source: str = "") -> TaskView:
        """Return the task on the data of that digest, or on `source`."""
        ...


def blind(task: str, rows: int, metrics: Mapping[str, tuple[MetricEntry, Metric]], version: str) -> TaskView:
    """Return a view of rows whose inputs and references are not public: only answers can be looked at."""
    return TaskView(
        task=task,
        split="blind",
        source=BLIND,
        sample=False,
        version=version,
        digest=f"blind-{rows}",
        examples=[Example(str(i), {}, ()) for i in range(1, rows + 1)],
        metrics=metrics,
        answer=lambda _, text: text.strip(),
        summary="references are not public: only what needs none is scored",
    )
