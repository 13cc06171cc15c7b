"""Python started again as a child: this package importable, nothing of the current folder executed.

And the cores that it shares with its children.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def python(*arguments: str) -> list[str]:
    """Return the command that starts Python without the current folder in its search path."""
    return [sys.executable, "-P", *arguments]


def environment() -> dict[str, str]:
    """Return this environment with the package importable, and as safe a path for children of children."""
    found = dict(os.environ)
    paths = [str(PACKAGE.parent), *filter(None, found.get("PYTHONPATH", "").split(os.pathsep))]
    return found | {"PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)), "PYTHONSAFEPATH": "1"}


def available_cores() -> int:
    """Count the cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
