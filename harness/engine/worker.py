"""One rank of a stage: `python -m harness.engine.worker DIRECTORY STAGE`, started by a launcher."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Any

from harness.api.errors import HarnessError
from harness.api.run import SilentProgress

from .plugin_manager import load_plugins
from .registry import Registry
from .run_dir import read_json
from .stage import go_offline, run_generation, run_training


def main(argv: list[str]) -> int:
    """Run this rank's part; a failure is one line here and a traceback in the run's log."""
    directory, stage = Path(argv[0]), argv[1]
    signal.signal(signal.SIGTERM, _terminate)
    spec = read_json(directory / ("generation.json" if stage == "generate" else "spec.json"))
    if spec["offline"]:
        go_offline()
    try:
        registry = Registry(load_plugins(spec["plugins"], exclude=spec["excluded"]))
        run = run_generation if stage == "generate" else run_training
        run(directory, registry, SilentProgress())
    except HarnessError as error:
        sys.stderr.write(f"error: {error.message}\n")
        return error.exit_code
    except KeyboardInterrupt:
        return 128 + signal.SIGTERM
    return 0


def _terminate(signum: int, frame: Any) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
