"""Starts the processes of a stage: the bundled plugin behind `train.launch` and `--processes`."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from harness import children
from harness.api import errors
from harness.api.errors import HarnessError, LostProcess, StageError
from harness.api.hooks import hookimpl
from harness.files.json_files import read_json, write_json

from .run_dir import LOG

if TYPE_CHECKING:
    import subprocess

    from harness.api.spec import LaunchSpec

FAILURE = "failure.json"  # what a worker failed with, in the stage's directory
AGAIN = 75  # exit code of workers that ask to be started again: a temporary failure in sysexits.h


@hookimpl(trylast=True)
def harness_launch(launch: LaunchSpec, stage: str, directory: Path) -> bool | None:
    """Run a stage under torchrun, one worker a process; DeepSpeed's own launcher is the same for us."""
    if launch.kind == "inline":
        return None
    run_worker(torchrun(launch.processes, directory, stage, nodes=launch.nodes), directory, stage)
    return True


def torchrun(processes: int, directory: Path, stage: str, *, nodes: int = 1) -> list[str]:
    """Return the command that starts one worker a process, on this node or as one node of several."""
    command = children.python("-m", "harness.engine.agent", f"--nproc-per-node={processes}")
    if nodes > 1:
        address = os.environ.get("MASTER_ADDR", "127.0.0.1")
        port = os.environ.get("MASTER_PORT", "29500")
        command += [f"--nnodes={nodes}", "--rdzv-backend=c10d", f"--rdzv-endpoint={address}:{port}"]
    else:
        command.append("--standalone")
    return [*command, "-m", "harness.engine.worker", str(directory), stage, str(os.getpid())]


def run_worker(command: list[str], directory: Path, stage: str) -> None:
    """Run worker processes to their end, again where they ask for it.

    A Ctrl-C or SIGTERM is passed on, and they are given time to save.
    """
    while (code := _run_once(command, directory, stage)) == AGAIN:
        pass
    if code != 0:
        raise _noted_failure(directory) or StageError(
            f"stage '{stage}' ended with code {code} in a worker process",
            hint=f"what the workers said is in {directory / LOG} and {stage}.log beside it",
        )


def note_failure(directory: Path, error: HarnessError) -> None:
    """Leave what a worker failed with to the program: of several failures a cause, no consequence."""
    if isinstance(error, LostProcess) and (directory / FAILURE).exists():
        return
    kind = next(kind.__name__ for kind in type(error).__mro__ if kind.__module__ == errors.__name__)
    write_json(directory / FAILURE, {"error": kind, "message": error.message, "hint": error.hint})


def _noted_failure(directory: Path) -> HarnessError | None:
    if not (directory / FAILURE).exists():
        return None
    noted = read_json(directory / FAILURE)
    kind: type[HarnessError] = getattr(errors, noted["error"])
    return kind(noted["message"], hint=noted["hint"])


def _run_once(command: list[str], directory: Path, stage: str) -> int:
    import subprocess  # here, because this module is loaded for every command, and hardly any trains

    (directory / FAILURE).unlink(missing_ok=True)
    with (directory / f"{stage}.log").open("ab") as log:
        # It inherits the lock of the run, which is the only thing that may be inherited.
        process = subprocess.Popen(command, env=worker_environment(), stdout=log, close_fds=False)
        try:
            return process.wait()
        except BaseException:  # whatever ends this process must not leave the workers behind
            _end(process)
            raise


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask the workers to save and stop, and wait for them; a second Ctrl-C does not wait."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait()
    except BaseException:  # a second Ctrl-C too
        process.kill()
        raise


def worker_environment() -> dict[str, str]:
    """Return the environment of workers, in which torchrun finds set what it would set itself, at length."""
    return {"OMP_NUM_THREADS": "1"} | children.environment()
