"""Training and generation shared by processes, ours or those of somebody else's launcher."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = [sys.executable, str(ROOT / "run_bench.py")]
TOY = ["--model", "toy", "--task", "toy"]

pytestmark = pytest.mark.distributed


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the scores of the same run in one process."""
    folder = tmp_path_factory.mktemp("alone")
    subprocess.run([*PROGRAM, *TOY], cwd=folder, check=True, capture_output=True)
    return scores(folder)


def scores(folder: Path) -> bytes:
    (place,) = folder.glob("runs/toy/toy/*/scores.json")
    return place.read_bytes()


def workers(folder: Path) -> list[int]:
    """Return the processes that work on a stage below a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
            place = (path.parent / "cwd").resolve()
        except OSError:
            continue
        if b"harness.engine.worker" in words and b"harness.engine.agent" not in words and place == folder:
            found.append(int(path.parent.name))
    return sorted(found)


def wait_for(what: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Return a function that starts a command; whatever still runs at the end is killed."""
    running: list[subprocess.Popen[str]] = []

    def begin(*command: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        running.append(process)
        return process

    yield begin
    for process in running:
        process.kill()
        process.communicate()
    for worker in workers(tmp_path):
        os.kill(worker, signal.SIGKILL)


def test_a_killed_worker_costs_only_what_it_had_not_answered(start, tmp_path, expected):
    command = [*PROGRAM, *TOY, "--set", "generate.processes=2", "--set", "model.delay=0.1"]
    run = start(*command)
    wait_for(lambda: len(list(tmp_path.glob("runs/toy/toy/*/completions.*.jsonl"))) == 2)
    time.sleep(0.3)
    os.kill(workers(tmp_path)[1], signal.SIGKILL)
    out, err = run.communicate(timeout=60)
    assert (run.returncode, out) == (5, ""), err
    assert "error: stage 'generate' ended with code 1 in a worker process" in err
    assert "Traceback" not in err
    (log,) = tmp_path.glob("runs/toy/toy/*/generate.log")
    assert "SIGKILL" in log.read_text() or "-9" in log.read_text()
    kept = {path: path.read_bytes() for path in tmp_path.glob("runs/toy/toy/*/completions.*.jsonl")}
    assert sum(text.count(b"\n") for text in kept.values()) > 0
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert all(path.read_bytes().startswith(text[: text.rfind(b"\n") + 1]) for path, text in kept.items())
    assert scores(tmp_path) == expected


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--set", "generate.processes=2", "--set", "model.crash_after=3"], 5, "the toy model crashed"),
        (["--stage", "reward", "--set", "train.launch.processes=2"], 2, "has no stage 'reward'"),
    ],
)
def test_what_a_worker_fails_with_is_said_once_with_its_exit_code(tmp_path, arguments, code, said):
    done = subprocess.run(
        [*PROGRAM, *TOY, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(errors) == 1 and said in errors[0], done.stderr


def test_ctrl_c_stops_every_process_without_a_stack_trace_and_the_command_continues(
    start, tmp_path, expected
):
    command = [*PROGRAM, *TOY, "--set", "generate.processes=2", "--set", "model.delay=0.2"]
    run = start(*command)
    wait_for(lambda: len(list(tmp_path.glob("runs/toy/toy/*/completions.*.jsonl"))) == 2)
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=60)
    assert (run.returncode, out) == (130, "")
    assert "the same command continues:\n  run-bench --model toy" in err
    assert "Traceback" not in err
    assert "death signal" not in err
    assert workers(tmp_path) == []


def test_workers_end_with_a_killed_program_and_its_command_continues(start, tmp_path, expected):
    command = [*PROGRAM, *TOY, "--set", "train.launch.processes=2", "--set", "model.step_delay=3"]
    run = start(*command)
    wait_for(
        lambda: any(
            "train_step" in path.read_text() for path in tmp_path.glob("runs/trained/toy/*/events.jsonl")
        )
    )
    assert len(workers(tmp_path)) == 2
    run.kill()
    run.wait()
    wait_for(lambda: not workers(tmp_path), 15)
    command[-1] = "model.step_delay=0"
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert "training: 4 steps" in again.stderr  # the progress of the main worker
    assert scores(tmp_path) == expected


def torchrun(*arguments: object) -> list[str]:
    launch = ["-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone", str(ROOT / "run_bench.py")]
    return [sys.executable, *launch, *map(str, arguments)]


def test_inside_another_launcher_rank_zero_speaks_and_every_rank_works(tmp_path, expected):
    done = subprocess.run(torchrun(*TOY), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("letter-accuracy") == 1
    assert done.stderr.count("toy on toy: loading") == 1
    assert scores(tmp_path) == expected
    (record,) = tmp_path.glob("runs/toy/toy/*/record.json")
    assert json.loads(record.read_text())["environment"]["generation"]["workers"][0]["peak_memory_mib"] > 1
    journals = sorted(tmp_path.glob("runs/toy/toy/*/completions.*.jsonl"))
    assert [path.read_bytes().count(b"\n") for path in journals] == [12, 11]


def test_inside_another_launcher_a_failing_stage_ends_every_rank(tmp_path):
    command = torchrun(*TOY, "--set", "model.crash_after=2")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=90)
    assert done.returncode != 0
    assert done.stderr.count("error: the toy model crashed after 2 answers") == 1


DIALLER = """
import socket, time
from harness import Completion, ModelEntry, ModelPlugin, ModelSession, hookimpl

@hookimpl
def harness_models():
    return [ModelEntry("dialler", "asks another machine", f"{__name__}:Dialler", stages=())]

class Dialler(ModelPlugin):
    def open(self, checkpoint, run):
        return Asked()

class Asked(ModelSession):
    def generate(self, requests, spec, run):
        for request in requests:
            try:
                socket.create_connection(("192.0.2.1", 80), timeout=0.1)
            except Exception as error:
                (run.directory / f"refusal.{run.rank}").write_text(str(error))
                while len(list(run.directory.glob("refusal.*"))) < run.world_size:
                    time.sleep(0.01)  # a launcher ends the other ranks when one fails
                raise
            yield Completion(request.id, "")
"""


@pytest.mark.parametrize("processes", [1, 2])
def test_offline_holds_in_every_process(tmp_path, processes):
    (tmp_path / "dialler.py").write_text(DIALLER, encoding="utf-8")
    command = [*PROGRAM, "--model", "dialler", "--task", "toy", "--plugin", "dialler.py", "--offline"]
    more = ["--set", f"generate.processes={processes}", "--limit", "2"]
    done = subprocess.run([*command, *more], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode in (2, 5), done.stderr
    refusal = "a connection to 192.0.2.1 was refused: --offline was asked for"
    assert done.stderr.count(f"error: {refusal}") == 1
    (log,) = tmp_path.glob("runs/toy/dialler/*/log.txt")
    assert refusal in log.read_text()
    assert [path.read_text() for path in log.parent.glob("refusal.*")] == [refusal] * processes
    assert "Traceback" not in done.stdout
