"""Python in a process of its own, as the program starts it: nothing of the current folder is executed."""

from __future__ import annotations

import subprocess
from pathlib import Path

from harness import children

PATIENCE = 60  # seconds


def python(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder and return how it ended and what it said."""
    return subprocess.run(
        children.python(*arguments),
        cwd=folder,
        env=children.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
