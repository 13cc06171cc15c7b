"""tracker: keeps every run, training step and score in experiments.sqlite, to be asked with SQL."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from harness import RunRecord, RunSpec, hookimpl

TABLES = """
create table if not exists events (run text, kind text, facts text);
create table if not exists scores (run text, model text, task text, metric text, value real);
"""


@hookimpl
def harness_run_started(spec: RunSpec, directory: Path) -> None:
    keep("events", (directory.name, "started", json.dumps({"model": spec.model, "task": spec.task})))


@hookimpl
def harness_event(kind: str, facts: Mapping[str, Any], directory: Path) -> None:
    keep("events", (directory.name, kind, json.dumps(dict(facts), default=str)))


@hookimpl
def harness_run_finished(record: RunRecord, directory: Path) -> None:
    for metric, score in record.scores.items():
        facts = (record.run_id, record.spec["model"], record.spec["task"], metric, score["value"])
        keep("scores", facts)


def keep(table: str, row: tuple[object, ...]) -> None:
    with closing(sqlite3.connect("experiments.sqlite", timeout=30)) as found, found:
        found.executescript(TABLES)
        found.execute(f"insert into {table} values ({', '.join('?' * len(row))})", row)
