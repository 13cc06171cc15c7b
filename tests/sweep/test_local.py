"""Cells as real processes: stopped and saved, killed with their parent, as many as there is room for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pytest

from harness.api.errors import UsageError
from harness.files.rows import read_rows
from harness.sweep import local, machine
from harness.sweep.executor import Ended, Job
from harness.sweep.file import Options
from harness.sweep.local import Local


def job(tmp_path: Path, *arguments: str, number: int = 0, memory: float = 0.0) -> Job:
    return Job(number, arguments, tmp_path, tmp_path / "logs" / f"{number}.txt", memory)


def climbing(tmp_path: Path, number: int, *sets: str) -> Job:
    what = [
        "--model",
        "climb",
        "--task",
        "toy",
        "--plugin",
        "climb.py",
        "--eval-every",
        "5",
        "--max-steps",
        "9999",
    ]
    return job(tmp_path, "run", *what, *(f"--set={one}" for one in sets), number=number)


def until(found: Callable[[], object], patience: float = 60.0) -> None:
    """Wait until something is so."""
    over = time.monotonic() + patience
    while not found():
        assert time.monotonic() < over, "it never came"
        time.sleep(0.02)


def all_ended(executor: Local, count: int) -> dict[int, Ended]:
    ended: dict[int, Ended] = {}
    until(lambda: ended.update({e.number: e for e in executor.ended()}) or len(ended) == count)
    return ended


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that says what this machine has."""

    def say(total: float = 10_000, free: float = 9_000, cores: int = 8, gpus: tuple[str, ...] = ()) -> None:
        monkeypatch.setattr(machine, "memory", lambda: (total, free))
        monkeypatch.setattr(local, "available_cores", lambda: cores)
        monkeypatch.setattr(machine, "gpus", lambda: list(gpus))

    return say


def test_cells_are_stopped_with_what_they_had_saved_or_end_by_themselves(tmp_path: Path, climb: Path) -> None:
    executor = Local(Options(workers=3, memory_gb=0.01))
    executor.submit(climbing(tmp_path, 1, "model.pause=0.01"))
    executor.submit(job(tmp_path, "list", "nonsense", number=2))
    events = lambda: [r for p in tmp_path.glob("runs/trained/climb/*/events.jsonl") for r in read_rows(p)]  # noqa: E731
    until(lambda: any(row["event"] == "validation" for row in events()))
    executor.stop(1)
    ended = all_ended(executor, 2)
    assert ended[1].code == 128 + signal.SIGTERM
    assert ended[2].code == 2
    assert ended[1].peak_mib > 5
    assert "the same command continues" in (tmp_path / "logs/1.txt").read_text()
    assert "error: argument what: invalid choice: 'nonsense'" in (tmp_path / "logs/2.txt").read_text()


def test_a_cell_ends_when_its_sweep_is_killed(tmp_path: Path, climb: Path) -> None:
    (tmp_path / "sweep.toml").write_text(
        "[run]\nmodel='climb'\ntask='toy'\nplugins=['climb.py']\n[train]\nmax_steps=99999\n[model]\npause=0.01\n"
    )
    command = [sys.executable, "-m", "harness", "sweep", "sweep.toml", "--quiet"]
    sweep = subprocess.Popen(command, cwd=tmp_path, start_new_session=True)
    lock = lambda: list(tmp_path.glob("runs/trained/climb/.*.lock"))  # noqa: E731
    until(lambda: lock() and lock()[0].read_text())
    cell = int(lock()[0].read_text())
    sweep.kill()
    sweep.wait()
    until(lambda: not _runs(cell))


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_whoever_closes_it_has_nothing_running_any_more(tmp_path: Path, climb: Path, monkeypatch) -> None:
    monkeypatch.setattr(local, "PATIENCE", 0.0)  # such a cell is killed
    executor = Local(Options())
    executor.submit(climbing(tmp_path, 1, "model.pause=0.01"))
    executor.close()
    assert list(executor.ended()) == []


class Standing:
    """A process that runs as long as it is let."""

    made: ClassVar[list[dict[str, str]]] = []

    def __init__(self, job: Job, environment: dict[str, str]) -> None:
        self.number, self.over = job.number, False
        self.made.append(environment)

    def poll(self) -> Ended | None:
        return Ended(self.number, 0) if self.over else None


@pytest.fixture
def standing(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    monkeypatch.setattr(local, "Child", Standing)
    monkeypatch.setattr(Standing, "made", [])
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    return Standing.made


def test_each_cell_gets_gpus_of_its_own(tmp_path: Path, free, standing) -> None:
    free(gpus=("0", "2", "3"), cores=12)
    executor = Local(Options(memory_gb=0.1))
    for number in range(3):
        assert executor.takes(job(tmp_path, number=number))
        executor.submit(job(tmp_path, number=number))
    assert [made["CUDA_VISIBLE_DEVICES"] for made in standing] == ["0", "2", "3"]
    assert {made["OMP_NUM_THREADS"] for made in standing} == {"4"}
    assert not executor.takes(job(tmp_path, number=3))
    first = executor._running[1][0]
    assert isinstance(first, Standing)
    first.over = True
    assert [ended.number for ended in executor.ended()] == [1]
    executor.submit(job(tmp_path, number=3))
    assert standing[-1]["CUDA_VISIBLE_DEVICES"] == "2"


def test_more_gpus_than_there_are_is_an_error(free) -> None:
    free(gpus=("0",))
    with pytest.raises(UsageError, match=r"sweep\.gpus is 2, and this machine has 1"):
        Local(Options(gpus=2))


def test_measured_cells_share_the_memory_beyond_the_reserve(tmp_path: Path, free, standing) -> None:
    free(total=10_000, free=9_000)  # 1,000 stay free, 8,000 are shared
    executor = Local(Options(workers=9))
    executor.submit(job(tmp_path, number=0, memory=5000))
    assert executor.takes(job(tmp_path, memory=3000))
    assert not executor.takes(job(tmp_path, memory=3001))
    free(total=10_000, free=900)
    assert not executor.takes(job(tmp_path, memory=10))


def test_of_cells_that_nobody_measured_one_runs_at_a_time(tmp_path: Path, free, standing) -> None:
    free()
    executor = Local(Options(workers=9))
    executor.submit(job(tmp_path, number=0))
    assert not executor.takes(job(tmp_path))
    assert executor.takes(job(tmp_path, memory=100))
    stated = Local(Options(workers=9, memory_gb=1))
    stated.submit(job(tmp_path, number=0))
    assert stated.takes(job(tmp_path))


def test_one_cell_may_have_all_there_is(tmp_path: Path, free, standing) -> None:
    free(free=100)
    assert Local(Options()).takes(job(tmp_path, memory=50_000))


def test_a_machine_says_what_it_has(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, 1")
    assert machine.gpus() == ["3", "1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert machine.gpus() == []
    total, free = machine.memory()
    assert 0 < free <= total
    mib = machine.MIB
    texts = {"max": f"{64 * mib}", "current": f"{32 * mib}", "stat": f"inactive_file {16 * mib}"}
    for name, text in texts.items():
        (tmp_path / f"memory.{name}").write_text(text + "\n")
    monkeypatch.setattr(machine, "GROUP", tmp_path)
    assert machine.memory() == (64, 48)
