"""Prints a benchmark's table and writes it with machine, versions and date to benchmarks/results."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from harness.engine.environment import processor

RESULTS = Path(__file__).resolve().parent / "results"


def write(
    topic: str,
    title: str,
    rows: Sequence[Mapping[str, Any]],
    *,
    command: str,
    method: str,
    packages: Iterable[str] = (),
) -> None:
    """Print `rows` as a table and write `results/TOPIC.json` and `results/TOPIC.md`."""
    keep(topic, title, rows, command=command, method=method, packages=packages)
    print(table(rows))


def keep(
    topic: str,
    title: str,
    rows: Sequence[Mapping[str, Any]],
    *,
    command: str,
    method: str,
    packages: Iterable[str] = (),
    folder: Path = RESULTS,
    **more: str,
) -> None:
    """Write `TOPIC.json` and `TOPIC.md`; `more` are further facts of where it was measured."""
    facts = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{processor()}, {os.cpu_count()} cores",
        "system": platform.system(),
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in packages},
        **more,
    }
    folder.mkdir(parents=True, exist_ok=True)
    content = {"title": title, "command": command, "method": method, **facts, "rows": list(rows)}
    (folder / f"{topic}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    shown = table(rows)
    told = ", ".join(f"{name} {value}" for name, value in facts.items())
    page = f"# {title}\n\n`{command}`\n\n{method}\n\n{shown}\n\n{told}\n"
    (folder / f"{topic}.md").write_text(page, encoding="utf-8")


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as a Markdown table, with the columns of the first."""
    columns = list(rows[0])
    cells = [columns, *([_cell(row[column]) for column in columns] for row in rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(columns))]
    lines = [
        "| " + " | ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)) + " |"
        for line in cells
    ]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def _cell(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
