"""The processes of a stage: how they are started, started again, and what is said when they fail."""

from __future__ import annotations

import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from harness import (
    DataError,
    HarnessError,
    LaunchSpec,
    LostProcess,
    MissingDependency,
    PluginError,
    StageError,
    TryAgain,
    UsageError,
)
from harness.api.session import QueueFull
from harness.engine import launchers
from harness.engine.launchers import AGAIN, note_failure, run_worker, torchrun, worker_environment
from harness.files.json_files import read_json


def shell(script: str) -> list[str]:
    return ["/bin/sh", "-c", script]


def test_workers_that_end_well_leave_what_they_said_in_the_log(tmp_path: Path) -> None:
    run_worker(shell("echo said; echo aloud >&2"), tmp_path, "train")
    assert (tmp_path / "train.log").read_text() == "said\n"


def test_workers_that_ask_for_it_are_started_again_until_they_do_not(tmp_path: Path) -> None:
    script = f"echo x >> {tmp_path}/tries; [ $(wc -l < {tmp_path}/tries) -ge 3 ] || exit {AGAIN}"
    run_worker(shell(script), tmp_path, "train")
    assert (tmp_path / "tries").read_text() == "x\n" * 3


def test_workers_that_fail_without_a_word_are_told_by_their_code_and_their_log(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="stage 'train' ended with code 3 in a worker process") as failed:
        run_worker(shell("exit 3"), tmp_path, "train")
    assert f"{tmp_path / 'log.txt'} and train.log beside it" in failed.value.hint


@pytest.mark.parametrize(
    ("error", "told_as"),
    [
        (UsageError("no such layer", hint="leave it out"), UsageError),
        (DataError("torn", hint="mend it"), DataError),
        (PluginError("broken", hint="see it"), PluginError),
        (MissingDependency("no faiss", hint="pip install faiss-cpu"), MissingDependency),
        (StageError("crashed", hint="again"), StageError),
        (TryAgain("smaller", hint="again"), TryAgain),
        (QueueFull("full", hint="later"), StageError),
    ],
)
def test_what_a_worker_failed_with_is_raised_here_as_it_was(
    tmp_path: Path, error: HarnessError, told_as: type[HarnessError]
) -> None:
    note_failure(tmp_path, error)
    noted = (tmp_path / "failure.json").read_text()
    script = f"cat > {tmp_path}/failure.json << 'EOF'\n{noted}EOF\nexit 1"
    with pytest.raises(told_as) as failed:
        run_worker(shell(script), tmp_path, "train")
    assert (type(failed.value), failed.value.message, failed.value.hint) == (
        told_as,
        error.message,
        error.hint,
    )


def test_of_several_failures_the_cause_is_kept_and_no_consequence(tmp_path: Path) -> None:
    note_failure(tmp_path, DataError("the cause"))
    note_failure(tmp_path, LostProcess("rank 1 lost rank 0"))
    assert read_json(tmp_path / "failure.json")["message"] == "the cause"


def test_a_consequence_is_better_than_nothing_and_gives_way_to_the_cause(tmp_path: Path) -> None:
    note_failure(tmp_path, LostProcess("rank 1 lost rank 0"))
    assert read_json(tmp_path / "failure.json")["error"] == "LostProcess"
    note_failure(tmp_path, DataError("the cause"))
    assert read_json(tmp_path / "failure.json")["error"] == "DataError"


def test_a_failure_of_the_time_before_is_not_told_again(tmp_path: Path) -> None:
    note_failure(tmp_path, DataError("yesterday's"))
    run_worker(shell("exit 0"), tmp_path, "train")
    with pytest.raises(StageError, match="ended with code 1"):
        run_worker(shell("exit 1"), tmp_path, "train")


def test_workers_are_asked_to_save_and_stop_when_the_program_is(tmp_path: Path) -> None:
    script = (
        f"trap 'echo saved > {tmp_path}/end; exit 0' TERM; touch {tmp_path}/up; while :; do sleep 0.01; done"
    )

    def interrupt() -> None:
        while not (tmp_path / "up").exists():
            time.sleep(0.01)
        signal.pthread_kill(main, signal.SIGINT)

    main = threading.main_thread().ident
    assert main is not None
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # test processes side by side ignore it
    try:
        threading.Thread(target=interrupt, daemon=True).start()
        with pytest.raises(KeyboardInterrupt):
            run_worker(shell(script), tmp_path, "train")
    finally:
        signal.signal(signal.SIGINT, before)
    assert (tmp_path / "end").read_text() == "saved\n"


def test_a_command_starts_the_worker_of_the_stage_once_a_process(tmp_path: Path) -> None:
    command = torchrun(3, tmp_path, "train")
    assert command[:2] == [sys.executable, "-P"]
    assert "--nproc-per-node=3" in command
    assert "--standalone" in command
    place = command.index("harness.engine.worker")
    assert command[place + 1 : place + 3] == [str(tmp_path), "train"]


def test_several_nodes_meet_at_the_address_that_the_environment_names(tmp_path, monkeypatch):
    monkeypatch.setenv("MASTER_ADDR", "node-0")
    monkeypatch.setenv("MASTER_PORT", "1234")
    command = torchrun(2, tmp_path, "train", nodes=4)
    assert "--nnodes=4" in command
    assert "--rdzv-endpoint=node-0:1234" in command
    assert "--standalone" not in command


def test_several_nodes_without_an_address_meet_on_this_machine(tmp_path, monkeypatch):
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    monkeypatch.delenv("MASTER_PORT", raising=False)
    assert "--rdzv-endpoint=127.0.0.1:29500" in torchrun(2, tmp_path, "train", nodes=2)


def test_a_stage_of_one_process_is_left_to_the_program(tmp_path: Path) -> None:
    assert launchers.harness_launch(LaunchSpec(), "train", tmp_path) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("given", "threads"), [(None, "1"), ("4", "4")])
def test_workers_share_the_cores_unless_somebody_says_otherwise(monkeypatch, given, threads):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if given:
        monkeypatch.setenv("OMP_NUM_THREADS", given)
    assert worker_environment()["OMP_NUM_THREADS"] == threads
