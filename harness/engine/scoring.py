"""From completions to numbers: answers read, metrics computed with their intervals, both kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.api.example import Completion, Example, Pairs, Prediction, Score
from harness.files.json_files import write_json
from harness.files.rows import write_rows

from .clean_subset import clean_subset
from .measure import score_as_json, score_pairs
from .prepared import Prepared
from .run_dir import PREDICTIONS, SCORES
from .stage import reasoning_tags


@dataclass(frozen=True, slots=True)
class Scored:
    """The scores of a run and, row for row, what they were computed from."""

    scores: Mapping[str, Score]
    rows: Sequence[Mapping[str, Any]]
    overlap: Mapping[str, Any] = field(default_factory=dict)  # rows that training gives away


def score_run(
    prepared: Prepared, directory: Path, examples: Sequence[Example], completions: Sequence[Completion]
) -> Scored:
    """Read answers and compute every metric with its interval."""
    data = prepared.data
    tags = reasoning_tags(directory, prepared.spec.generate.reasoning)
    pairs = [
        (example, data.asking.read(example, data.request(example), completion, tags))
        for example, completion in zip(examples, completions, strict=True)
    ]

    def targets() -> Iterator[str]:
        for example in data.learned(data.task.data.train_split):
            yield data.target(example)

    parsed = prepared.bench.parsed(prepared.spec)
    has_training = data.task.data.train_split in data.task.splits()
    scored = Pairs(pairs, training_targets=targets if has_training else None, cache={"shared": parsed})
    scores = score_pairs(scored, prepared.metrics)
    overlap: Mapping[str, Any] = {}
    if has_training:
        train = data.learned(data.task.data.train_split)
        overlap = clean_subset(
            data.task, train, scored, lambda part: score_pairs(part, prepared.metrics, intervals=False)
        )
    rows = [
        {
            "id": example.id,
            "inputs": dict(example.inputs),
            "references": list(example.references),
            "text": prediction.text,
            "raw": prediction.raw,
            "finish": completion.finish,
            **_present(prediction),
            "scores": {n: s.per_example[i] for n, s in scores.items() if s.per_example is not None},
        }
        for i, ((example, prediction), completion) in enumerate(zip(pairs, completions, strict=True))
    ]
    return Scored(scores, rows, overlap)


def _present(prediction: Prediction) -> dict[str, Any]:
    """Return what else a prediction has."""
    more = {
        "choice_scores": list(prediction.choice_scores),
        "reasoning": prediction.reasoning,
        "evidence": list(prediction.evidence),
        "log_likelihood": prediction.log_likelihood,
    }
    return {name: value for name, value in more.items() if value not in ([], "", None)}


def save_scored(directory: Path, scored: Scored) -> None:
    """Write predictions and scores, each whole or not at all."""
    write_rows(directory / PREDICTIONS, scored.rows)
    write_json(directory / SCORES, {name: score_as_json(score) for name, score in scored.scores.items()})
