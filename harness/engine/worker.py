"""One rank of a stage: `python -m harness.engine.worker DIRECTORY STAGE`, started by a launcher."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, NoReturn

from harness.api.errors import HarnessError, TryAgain
from harness.files.json_files import read_json, read_sealed

from .launchers import AGAIN, note_failure
from .plugin_manager import load_plugins
from .progress import choose_progress
from .registry import Registry
from .run_dir import SPEC, is_alive
from .stage import GENERATION, go_offline, run_generation, run_training


def main(argv: list[str]) -> int:
    """Run this rank's part; a failure is noted for the program, with a traceback in the run's log."""
    directory, stage, parent = Path(argv[0]), argv[1], int(argv[2])
    signal.signal(signal.SIGTERM, _terminate)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    try:
        work(directory, stage)
    except TryAgain as error:
        sys.stderr.write(f"note: {error.message}; the stage is started again\n")
        return AGAIN
    except HarnessError as error:
        note_failure(directory, error)
        return error.exit_code
    except KeyboardInterrupt:
        return 128 + signal.SIGTERM
    return 0


def work(directory: Path, stage: str) -> None:
    """Do this rank's part of the stage that a directory describes."""
    spec = read_json(directory / GENERATION) if stage == "generate" else read_sealed(directory / SPEC)
    if spec["offline"]:
        go_offline()
    registry = Registry(load_plugins(spec["plugins"], exclude=spec["excluded"]))
    run = run_generation if stage == "generate" else run_training
    run(directory, registry, choose_progress(quiet=spec["quiet"]))


def _end_with(parent: int) -> None:
    """End when the program that started the stage is gone, or two would write to one run."""
    while True:
        time.sleep(1)
        if not is_alive(parent):
            os._exit(1)


def _terminate(signum: int, frame: Any) -> None:
    raise KeyboardInterrupt


def leave(code: int) -> NoReturn:
    """End this process without taking Python apart, which gloo's threads abort while they hold tensors."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    leave(main(sys.argv[1:]))
