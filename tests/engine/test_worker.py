"""One rank of a stage: what it does, what it says when it fails, and how it asks for another start."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness import RunSpec, TrainSpec
from harness.engine import agent, worker
from harness.engine.launchers import AGAIN
from harness.engine.stage import Generation, Training
from harness.files.json_files import read_json, write_sealed
from harness.files.rows import read_rows

SPEC = RunSpec("toy", "toy", train_tasks=("toy",), train=(TrainSpec(max_steps=1, batch_size=4),))
TRAINING = Training(SPEC, excluded=("scidpr",), quiet=True)
FAILS = """
    from harness import DataError, ModelEntry, ModelPlugin, TryAgain, hookimpl

    @hookimpl
    def harness_models():
        return [ModelEntry("fails", "f", f"{__name__}:Fails")]

    class Fails(ModelPlugin):
        def train(self, data, spec, run):
            raise {raised}
"""


@pytest.fixture
def run() -> Iterator[Callable[[Path, str], int]]:
    """Return a function that is one worker of this very program."""
    kept = signal.getsignal(signal.SIGTERM)
    yield lambda directory, stage: worker.main([str(directory), stage, str(os.getpid())])
    signal.signal(signal.SIGTERM, kept)


def test_a_worker_does_the_stage_that_its_directory_describes(tmp_path: Path, run: Any) -> None:
    write_sealed(tmp_path / "spec.json", TRAINING)
    assert run(tmp_path, "train") == 0
    assert read_json(tmp_path / "checkpoint.json")["step"] == 1
    asked = tmp_path / "run"
    asked.mkdir()
    generation = Generation(replace(SPEC, train=()), str(tmp_path), ("119",), quiet=True)
    write_sealed(asked / "generation.json", replace(generation, requests=(first_row(),)))
    assert run(asked, "generate") == 0
    assert len(list(read_rows(asked / "completions.jsonl"))) == 1


def first_row() -> str:
    from harness.engine.plugin_manager import load_plugins
    from harness.engine.registry import Registry

    task = Registry(load_plugins(entry_points=False)).tasks.get("toy").load()()
    return str(next(iter(task.examples("test"))).id)


@pytest.mark.parametrize(
    ("raised", "code", "error"),
    [
        ('DataError("a row is torn", hint="mend it")', 4, "DataError"),
        ('ValueError("a bug")', 5, "StageError"),
        ("SystemExit(0)", 5, "StageError"),
    ],
)
def test_a_worker_that_fails_leaves_what_it_failed_with(tmp_path, write_plugin, run, raised, code, error):
    plugin = write_plugin(FAILS.replace("{raised}", raised), f"fails_{code}_{len(raised)}")
    spec = replace(SPEC, model="fails")
    write_sealed(tmp_path / "spec.json", replace(TRAINING, spec=spec, plugins=(str(plugin),)))
    assert run(tmp_path, "train") == code
    assert read_json(tmp_path / "failure.json")["error"] == error
    assert "Traceback" in (tmp_path / "log.txt").read_text()


def test_a_worker_may_ask_to_be_started_again(tmp_path, write_plugin, run, capsys):
    plugin = write_plugin(FAILS.replace("{raised}", 'TryAgain("batches were too large")'), "fails_again")
    spec = replace(SPEC, model="fails")
    write_sealed(tmp_path / "spec.json", replace(TRAINING, spec=spec, plugins=(str(plugin),)))
    assert run(tmp_path, "train") == AGAIN
    assert "note: batches were too large; the stage is started again" in capsys.readouterr().err
    assert not (tmp_path / "failure.json").exists()


def test_a_plugin_that_is_gone_is_the_workers_failure_too(tmp_path, run):
    write_sealed(tmp_path / "spec.json", replace(TRAINING, plugins=("gone.py",)))
    assert run(tmp_path, "train") == 3
    assert "there is no file gone.py" in read_json(tmp_path / "failure.json")["message"]


def test_a_worker_that_is_told_to_stop_ends_as_one_that_was_terminated(tmp_path, monkeypatch, run):
    def stopped(directory: Path, stage: str) -> None:
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(worker, "work", stopped)
    assert run(tmp_path, "train") == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def torch_log(monkeypatch: pytest.MonkeyPatch) -> logging.StreamHandler[Any]:
    """Return the handler of the one logger that there is while the test runs; pytest keeps its own."""
    logger = logging.Logger("torch.distributed")
    handler = logging.StreamHandler(sys.stderr)
    logger.addHandler(handler)
    monkeypatch.setattr(logging.root.manager, "loggerDict", {logger.name: logger})
    return handler


def failed(*codes: int) -> BaseException:
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure

    failures = {rank: ProcessFailure(rank, 1, code, "") for rank, code in enumerate(codes)}
    return ChildFailedError("worker", failures)


@pytest.mark.parametrize(("codes", "code"), [((1,), 1), ((1, 1), 1), ((AGAIN,), AGAIN), ((1, AGAIN), AGAIN)])
def test_one_rank_that_asks_for_another_start_speaks_for_those_that_failed_for_the_want_of_it(
    monkeypatch, torch_log, codes, code
):
    def ends(arguments: list[str]) -> None:
        raise failed(*codes)

    monkeypatch.setattr(agent, "main", ends)
    assert agent.run(["--standalone"]) == code


def test_an_agent_that_is_told_to_stop_says_by_which_signal(monkeypatch, torch_log):
    from torch.distributed.elastic.multiprocessing.api import SignalException

    def ends(arguments: list[str]) -> None:
        raise SignalException("stopped", signal.SIGTERM)

    monkeypatch.setattr(agent, "main", ends)
    assert agent.run([]) == 128 + signal.SIGTERM


def test_what_torch_says_of_workers_that_end_well_goes_to_the_log_of_the_stage(monkeypatch, torch_log):
    monkeypatch.setattr(agent, "main", lambda arguments: None)
    assert agent.run([]) == 0
    assert torch_log.stream is sys.stdout
