"""The program as a user has it, called in this process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.qasper.program import program as said_by


def program(*arguments: object) -> str:
    """Run a command and return what it prints."""
    return said_by(*map(str, arguments))


def settings(*values: str) -> list[str]:
    """Return settings as a command takes them."""
    return [part for value in values for part in ("--set", value)]


def record(folder: Path) -> dict[str, Any]:
    """Return the record of a run."""
    found: dict[str, Any] = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    return found


def shown(score: dict[str, Any]) -> str:
    """Return a share in hundreds with half the width of its interval."""
    low, high = score["interval"]
    return f"{100 * score['value']:.1f} ±{50 * (high - low):.1f}"
