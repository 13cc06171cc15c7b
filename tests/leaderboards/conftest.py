"""A small task with real metrics, and submissions to it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness import Example, MetricEntry, Pairs, Score
from harness.leaderboards.store import Store
from harness.leaderboards.submission import Output, Submission
from harness.leaderboards.task_view import TaskView
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


def make_view(rows: int = 200, seed: int = 0, **facts: Any) -> TaskView:
    """Return a task of words; the same seed gives the same rows."""
    rng = random.Random(seed)
    examples = [
        Example(f"row-{i}", {"word": rng.choice(WORDS)}, (" ".join(rng.sample(WORDS, 3)),))
        for i in range(rows)
    ]
    defaults: dict[str, Any] = {
        "task": "words",
        "split": "test",
        "source": "files",
        "sample": False,
        "version": "1",
        "digest": f"words-{rows}-{seed}",
        "examples": examples,
        "metrics": METRICS,
        "answer": lambda example, text: text.strip(),
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
        outputs[example.id] = Output(text, "stop")
    facts = {
        "schema": 1,
        "name": name,
        "task": view.task,
        "task_version": view.version,
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

    def open_task(task: str, split: str, wanted: str = "", source: str = "") -> TaskView:
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
    (trained / "checkpoint.json").write_text(json.dumps(done))
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
        "command": ["run-bench", "--data", "/home/me/data/words"],
        "run_id": "20260102-bbbb",
        "seconds": {"train": 10.0, "generate": 2.0},
    }
    (directory / "record.json").write_text(json.dumps(record))
    predictions = [{"id": "a", "raw": " said ", "text": "said", "finish": "stop"}]
    (directory / "predictions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in predictions))
    return directory
