"""From completions to numbers: answers read, metrics computed with their intervals, both kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.api.example import Completion, Example, Pairs, Prediction, Score
from harness.files.finished import PREDICTIONS, SCORES
from harness.files.json_files import write_json
from harness.files.rows import write_rows
from harness.scoring.clean_subset import CleanSubset, clean_subset
from harness.scoring.measure import measure, score_as_json, with_intervals

from .prepared import Prepared
from .stage import reasoning_tags


@dataclass(frozen=True, slots=True)
class Scored:
    """The scores of a run and, row for row, what they were computed from."""

    scores: Mapping[str, Score]
    rows: Sequence[Mapping[str, Any]]
    overlap: CleanSubset  # rows that training gives away


def score_run(
    prepared: Prepared, directory: Path, examples: Sequence[Example], completions: Sequence[Completion]
) -> Scored:
    """Read answers and compute every metric with its interval."""
    view = prepared.data.view(
        examples, prepared.metrics, reasoning_tags(directory, prepared.spec.generate.reasoning)
    )
    view = replace(view, cache=prepared.bench.parsed(prepared.spec), vocab=prepared.bench.vocab)
    pairs = view.answered({completion.request_id: completion for completion in completions})
    scores = with_intervals(measure(pairs, view.metrics))
    return Scored(scores, _rows(pairs, completions, scores), clean_subset(view, pairs))


def _rows(
    pairs: Pairs, completions: Sequence[Completion], scores: Mapping[str, Score]
) -> list[dict[str, Any]]:
    """Return what was read out of each completion; what an answer does not have leaves no trace."""
    rows = []
    for i, ((example, prediction), completion) in enumerate(zip(pairs, completions, strict=True)):
        row = {
            "id": example.id,
            "inputs": dict(example.inputs),
            "references": list(example.references),
            **_said(prediction, completion),
            "scores": {n: s.per_example[i] for n, s in scores.items() if s.per_example is not None},
        }
        rows.append(row)
    return rows


def _said(prediction: Prediction, completion: Completion) -> dict[str, Any]:
    """Return an answer with what else it has, and the further answers to the same row."""
    again = zip(prediction.repeats, completion.repeats, strict=True)
    more = {
        "prompt_tokens": completion.prompt_tokens or None,
        "new_tokens": completion.new_tokens or None,
        "choice_scores": list(prediction.choice_scores),
        "reasoning": prediction.reasoning,
        "evidence": list(prediction.evidence),
        "log_likelihood": prediction.log_likelihood,
        "repeats": [_said(*answer) for answer in again],
    }
    present = {name: value for name, value in more.items() if value not in ([], "", None)}
    return {"text": prediction.text, "raw": prediction.raw, "finish": completion.finish, **present}


def save_scored(directory: Path, scored: Scored) -> None:
    """Write predictions and scores, each whole or not at all."""
    write_rows(directory / PREDICTIONS, scored.rows)
    write_json(directory / SCORES, {name: score_as_json(score) for name, score in scored.scores.items()})
