"""Python started again as a child: this package importable, nothing of the current folder executed."""

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
