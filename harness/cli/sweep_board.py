"""What a sweep ends with: one table a task over all its cells, what was stopped or failed, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.api.run import RunRecord
from harness.engine.runner import Outcome
from harness.engine.values import from_mapping
from harness.files.finished import read_record
from harness.sweep.conductor import FAILED, FINISHED, STOPPED, Conductor, Fate
from harness.sweep.plan import Trial

from .output import write
from .parser import PROGRAM
from .results import task_table
from .tables import print_table


def print_board(conductor: Conductor) -> None:
    """Print the tables and what to do next."""
    plan, registry = conductor.plan, conductor.bench.registry
    for task in plan.tasks:
        outcomes = list(_outcomes(conductor, task))
        if outcomes:
            print_table(task_table(outcomes[0].cell.spec.task, outcomes, registry))
            write("\n")
    for status in (STOPPED, FAILED):
        found = [(plan[number], fate) for number, fate in conductor.fates.items() if fate.status == status]
        if found:
            write(f"{status}:\n" + "".join(f"  {trial}: {_why(fate)}\n" for trial, fate in found) + "\n")
    write(f"{summary(conductor)}\n")
    if conductor.counts[FINISHED]:
        write(f"with intervals, tests and pages: {PROGRAM} leaderboard --runs {conductor.bench.output}\n")


def _why(fate: Fate) -> str:
    return fate.reason + ("" if fate.place is None else f" (its log: {fate.place})")


def summary(conductor: Conductor) -> str:
    """Say how many cells became what."""
    left = len(conductor.plan) - len(conductor.fates)
    counted = [(status, conductor.counts[status]) for status in (FINISHED, FAILED, STOPPED)] + [
        ("left", left)
    ]
    said = [f"{count:,} {word}" for word, count in counted if count or word == FINISHED]
    all = len(conductor.plan)
    return f"{all:,} cell{'s' if all > 1 else ''}: {', '.join(said)}"


def as_json(conductor: Conductor) -> dict[str, Any]:
    """Return every cell with its scores, or what became of it."""
    cells = [_facts(conductor, trial) for trial in conductor.plan]
    return {"cells": cells, **{status: conductor.counts[status] for status in (FINISHED, FAILED, STOPPED)}}


def _facts(conductor: Conductor, trial: Trial) -> dict[str, Any]:
    fate = conductor.fates.get(trial.number)
    record = _record(fate.place) if fate is not None and fate.status == FINISHED else None
    return {
        "model": trial.model,
        "task": trial.task,
        "seed": trial.seed,
        "overrides": dict(trial.point),
        "status": "left" if fate is None else fate.status,
        "why": "" if fate is None else fate.reason,
        "place": "" if fate is None or fate.place is None else str(fate.place),
        "sample": None if record is None else record.sample,
        "scores": {} if record is None else record.scores,
        "seconds": {} if record is None else record.seconds,
    }


def _outcomes(conductor: Conductor, task: str) -> Iterator[Outcome]:
    """Yield a task's finished cells, each row called by what sets it apart."""
    for number, fate in sorted(conductor.fates.items()):
        trial = conductor.plan[number]
        if trial.task != task or fate.status != FINISHED:
            continue
        cell = conductor.plan.cell(conductor.bench.registry, trial)
        spec = cell.spec
        preset = f" [{spec.preset}]" if spec.preset else ""
        named = replace(spec, title=f"{spec.title}{preset} {trial.variant}".rstrip(), preset="")
        called = replace(cell, resolved=replace(cell.resolved, spec=named))
        yield Outcome(called, fate.place, record=_record(fate.place))


def _record(place: Path | None) -> RunRecord:
    """Read a record without what no table shows, for there may be thousands."""
    assert place is not None
    record = from_mapping(RunRecord, read_record(place))
    return replace(record, environment={}, sources={}, plugins=(), training=(), overlap={})
