"""A small task with real metrics, and submissions to it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness import Completion, Example, MetricEntry, Pairs, Prediction, Request, Score, Task, TaskView
from harness.files.finished import digests, write_record
from harness.files.json_files import read_sealed, write_sealed
from harness.files.rows import write_rows
from harness.leaderboards.board.store import Store
from harness.leaderboards.intake.submission import Submission
from harness.metrics.statistics import mean_score

WORDS = "acid base salt ether ester amide amine imine nitro azide oxime thiol ketone phenol".split()


def exact(pairs: Pairs) -> Score:
    """Share of answers that are a reference."""
    return mean_score("exact", [float(p.text in e.references) for e, p in pairs])


def length_error(pairs: Pairs) -> Score:
    """Mean difference in length, lower is better."""
    return mean_score("length-error", [float(abs(len(p.text) - len(e.references[0]))) for e, p in pairs])


METRICS: dict[str, tuple[MetricEntry, Any]] = {
    "exact": (MetricEntry("exact", "share that is right", "-", scale=100.0), exact),
    "length-error": (
        MetricEntry("length-error", "letters off", "-", higher_is_better=False, range=(0.0, None)),
        length_error,
    ),
}


class Words(Task):
    """A task whose rows, training targets and leaks are given; the rest of a task as it comes."""

    def __init__(
        self,
        rows: Sequence[Example],
        training: Sequence[str] = (),
        leaks: Mapping[str, frozenset[str]] | None = None,
        version: str = "1",
    ) -> None:
        super().__init__()
        self.version = version
        self._rows = rows
        self._training = training
        self._leaks = leaks or {}

    def examples(self, split: str) -> Iterator[Example]:
        if split == "train":
            return (Example(f"t{i}", {}, (text,)) for i, text in enumerate(self._training))
        return iter(self._rows)

    def seen_in_training(
        self, train: Iterable[Example], rows: Sequence[Example]
    ) -> Mapping[str, frozenset[str]]:
        return self._leaks

    def answer(self, text: str, request: Request) -> str:
        return text.strip(" ?\n")


def make_view(
    rows: int = 200,
    seed: int = 0,
    *,
    examples: Sequence[Example] = (),
    training: Sequence[str] = (),
    leaks: Mapping[str, frozenset[str]] | None = None,
    task: Task | None = None,
    **facts: Any,
) -> TaskView:
    """Return a task of words; the same seed gives the same rows."""
    rng = random.Random(seed)
    examples = examples or [
        Example(f"row-{i}", {"word": rng.choice(WORDS)}, (" ".join(rng.sample(WORDS, 3)),))
        for i in range(rows)
    ]
    task = task or Words(examples, training, leaks)
    defaults: dict[str, Any] = {
        "name": "words",
        "split": "test",
        "task": task,
        "digest": f"words-{rows}-{seed}",
        "examples": examples,
        "metrics": METRICS,
        "request": lambda example: Request(example.id, f"Say {example.inputs['word']}", example.inputs),
        "read": lambda example, said: Prediction(
            example.id, task.answer(said.text, Request(example.id, "")), said.text, said.choice_scores
        ),
        "training": (lambda: list(task.examples("train"))) if training or leaks else None,
    }
    return TaskView(**(defaults | facts))


def make_submission(
    view: TaskView, accuracy: float, name: str = "model", seed: int = 0, **about: Any
) -> Submission:
    """Return answers of which about a share `accuracy` is right."""
    rng = random.Random(f"{name} {seed}")
    outputs = {}
    for example in view.examples:
        right = rng.random() < accuracy
        text = example.references[0] if right else " ".join(rng.sample(WORDS, 2))
        outputs[example.id] = Completion(example.id, text)
    facts = {
        "schema": 1,
        "name": name,
        "task": view.name,
        "task_version": view.task.version,
        "split": view.split,
        "data": {"source": "files", "digest": view.digest},
    }
    return Submission(facts | about, outputs)


@pytest.fixture
def view() -> TaskView:
    return make_view()


@pytest.fixture
def opened(view: TaskView) -> Callable[..., TaskView]:
    """Return what opens the one task there is."""

    def open_task(task: str, split: str, wanted: str = "", source: str = "", reading: Any = None) -> TaskView:
        from harness import DataError

        if wanted and wanted != view.digest:
            raise DataError(f"no data of {task} has the digest {wanted}")
        return view

    return open_task


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "board")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return the directory of a finished run of a trained model, as the engine leaves it."""
    trained = tmp_path / "runs/trained/m/20260101-aaaa"
    (trained / "checkpoint").mkdir(parents=True)
    done = {"path": "checkpoint", "format": "full"}
    write_sealed(trained / "checkpoint.json", done)
    header = {"__metadata__": {}, "a": {"shape": [10, 20]}, "b": {"shape": [5]}, "c": {"shape": []}}
    packed = json.dumps(header).encode()
    weights = trained / "checkpoint/model.safetensors"
    weights.write_bytes(len(packed).to_bytes(8, "little") + packed + b"\0" * 824)
    rows: list[dict[str, object]] = [{"step": i, "loss": 1.0 / i} for i in range(1, 1001)]
    rows.insert(3, {"step": 3, "validation": {"loss": 1.0}})
    (trained / "train_log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    directory = tmp_path / "runs/words/m/20260102-bbbb"
    directory.mkdir(parents=True)
    record: dict[str, Any] = {
        "spec": {
            "model": "m",
            "preset": "tiny",
            "task": "words",
            "data": {"split": "test", "limit": None},
            "generate": {"num_beams": 1, "seed": 0},
            "train": [{"base": "/home/me/weights/base", "seed": 3}],
            "seed": 3,
        },
        "task_version": "1",
        "data_source": "/home/me/data/words",
        "data_digest": "d",
        "checkpoint_digest": "c",
        "prompt_digest": "p",
        "training": [{"key": "k", "directory": "/gone/20260101-aaaa", "stage": "sft", "digest": "c"}],
        "environment": {"assay": "1", "device": "cpu", "packages": {"torch": "2", "secret-tool": "1"}},
        "series": "s",
        "command": ["run-bench", "--data", "/home/me/data/words"],
        "run_id": "20260102-bbbb",
        "seconds": {"train": 10.0, "generate": 2.0},
    }
    write_record(directory, record)
    say(directory, {"id": "a", "raw": " said ", "text": "said", "finish": "stop"})
    return directory


def change(run: Path, **facts: Any) -> None:
    """Change a run's record as if it had been written so."""
    record = read_sealed(run / "record.json")
    write_record(run, {**record, **facts, "files": digests(run)})


def say(run: Path, *rows: Mapping[str, Any]) -> None:
    """Let a run have said other things."""
    write_rows(run / "predictions.jsonl", rows)
    change(run)
