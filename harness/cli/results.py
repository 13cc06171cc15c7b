"""What a matrix ends with: one table a task, footnotes, the paths of the runs; or all of it as JSON."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from harness.api.notice import SAMPLE
from harness.api.run import RunRecord
from harness.api.task import TaskEntry
from harness.engine.progress import duration
from harness.engine.registry import Registered, Registry
from harness.engine.runner import Outcome
from harness.files.finished import ROWS, before_after
from harness.scoring.measure import metric_of

from .output import write
from .tables import Table, print_table

SEVERAL = (
    "of several answers to a row a metric's own column is their mean (avg@k); pass@k: k of them hold a right "
    "one; maj@k: the commonest of k is right"
)

# How the counted oddities of answers read where their names alone say too little.
_ODDITIES = {"length": "cut at max_new_tokens", "empty": "empty answers"}


def as_json(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return every cell with its scores, or the reason why it has none."""
    cells = []
    for outcome in outcomes:
        spec, record = outcome.cell.spec, outcome.record
        cells.append(
            {
                "model": spec.title,
                "task": spec.task,
                "preset": spec.preset,
                "seed": spec.seed,
                "context": outcome.cell.shown_beside,
                "status": "failed" if outcome.error else "unsaved" if outcome.unsaved else "ok",
                "error": outcome.error.message if outcome.error else outcome.unsaved,
                "directory": str(outcome.directory or outcome.trained or ""),
                "sample": record.sample if record else None,
                "scores": record.scores if record else {},
                "counts": record.counts if record else {},
                "seconds": record.seconds if record else {},
                "record": asdict(record) if record and outcome.unsaved else None,
            }
        )
    return {"runs": cells, "failed": sum(cell["status"] != "ok" for cell in cells)}


def print_results(outcomes: Sequence[Outcome], registry: Registry) -> None:
    """Print one table a task, then where everything is."""
    for task in dict.fromkeys(outcome.cell.spec.task for outcome in outcomes):
        of_task = _of(outcomes, task)
        if any(outcome.record is not None for outcome in of_task):  # else there is nothing but reasons, which
            print_table(task_table(task, of_task, registry))  # were said as they came
            write("\n")
    for group in registry.tasks:
        if (table := settings_table(group, outcomes, registry)) is not None:
            print_table(table)
            write("\n")
    if (table := gains_table(outcomes)) is not None:
        print_table(table)
        write("\n")
    for outcome in outcomes:
        if outcome.directory is not None and not outcome.cell.shown_beside and outcome.error is None:
            again = " (was finished; --fresh starts over)" if outcome.reused else ""
            write(f"run: {outcome.directory}{again}\n")


def task_table(task: str, outcomes: Sequence[Outcome], registry: Registry) -> Table:
    """Build a task's table: a row a model, a column a metric, in the task's own order."""
    records = [outcome.record for outcome in outcomes if outcome.record is not None]
    metrics = list(dict.fromkeys(name for record in records for name in record.scores))
    asking = outcomes[0].cell.task.plugin
    entries = {name: registry.metrics.get(metric_of(name), near=asking).entry for name in metrics}
    table = Table(
        _title(task, records),
        ["model", *(_heading(name, entries[name].higher_is_better) for name in metrics)],
    )
    means: list[list[float | None]] = []
    for label, group in _groups(outcomes).items():
        done = [outcome.record for outcome in group if outcome.record is not None]
        if not done:
            table.rows.append([label, *(["failed"] * len(metrics))])
            means.append([None] * len(metrics))
        else:
            cells = [
                _cell([record.scores.get(name) for record in done], entries[name].scale) for name in metrics
            ]
            table.rows.append([label, *(text for text, _ in cells)])
            means.append([value for _, value in cells])
        if group[0].cell.shown_beside:
            table.muted.add(len(table.rows) - 1)
        table.notes += dict.fromkeys(
            f"{label} failed: {o.error.message}" for o in group if o.error is not None
        )
    for column, name in enumerate(metrics):
        values = [row[column] for row in means]
        present = [value for value in values if value is not None]
        if len(present) > 1:
            best = max(present) if entries[name].higher_is_better else min(present)
            table.best |= {(row, column + 1) for row, value in enumerate(values) if value == best}
    table.notes += _notes(outcomes, records, entries)
    return table


def settings_table(
    group: Registered[TaskEntry], outcomes: Sequence[Outcome], registry: Registry
) -> Table | None:
    """Set the settings of a task side by side: members named after their group, with one first metric."""
    shared = f"{group.entry.name}/"
    names = [name for name in group.entry.members if name.startswith(shared)]
    ran = [outcome for outcome in outcomes if outcome.record is not None and outcome.cell.spec.task in names]
    tasks = [name for name in names if any(outcome.cell.spec.task == name for outcome in ran)]
    metrics = {next(iter(outcome.record.scores), "") for outcome in ran if outcome.record is not None}
    if len(tasks) < 2 or len(metrics) != 1 or metrics == {""}:
        return None
    (metric,) = metrics
    entry = registry.metrics.get(metric, near=group.plugin).entry
    kind = f"; {SAMPLE}" if any(outcome.record and outcome.record.sample for outcome in ran) else ""
    table = Table(
        f"{group.entry.name} ({_heading(metric, entry.higher_is_better)} side by side{kind})",
        ["model", *(name.removeprefix(shared) for name in tasks)],
    )
    for label in dict.fromkeys(label for name in tasks for label in _groups(_of(ran, name))):
        runs = [_groups(_of(ran, name)).get(label, []) for name in tasks]
        scores = [[run.record.scores.get(metric) for run in found if run.record] for found in runs]
        table.rows.append([label, *(_cell(found, entry.scale)[0] for found in scores)])
    return table


def gains_table(outcomes: Sequence[Outcome]) -> Table | None:
    """Say what each stage of training brought, by its own measures; a stage that runs share is said once."""
    table = Table("what each stage brought", ["model", "stage", "measure", "rows", "before", "after"])
    stages = {
        stage["key"]: (_model(record), stage)
        for outcome in outcomes
        if (record := outcome.record) is not None
        for stage in record.training
    }
    for model, stage in stages.values():
        for gain in stage.get("gains", ()):
            table.rows.append([model, stage["stage"], gain["measure"], gain["rows"], *before_after(gain)])
    if not table.rows:
        return None
    told = {row[3] for row in table.rows}
    table.notes += [text for rows, text in ROWS.items() if rows in told]
    return table


def _of(outcomes: Sequence[Outcome], task: str) -> list[Outcome]:
    return [outcome for outcome in outcomes if outcome.cell.spec.task == task]


def _title(task: str, records: Sequence[RunRecord]) -> str:
    if not records:
        return task
    first = records[0]
    kind = SAMPLE if first.sample else f"data: {first.data_source}"
    several = sorted({record.spec.get("repeats", 1) for record in records} - {1})
    answers = f", {' or '.join(map(str, several))} answers each" if several else ""
    return f"{task} ({first.rows} rows of {first.spec['data']['split']}{answers}; {kind})"


def _model(record: RunRecord) -> str:
    """Return what a record calls its model; old ones know only its plugin."""
    return str(record.spec.get("title") or record.spec["model"])


def _heading(name: str, higher: bool) -> str:
    return name if higher else f"{name} ↓"


def _groups(outcomes: Sequence[Outcome]) -> dict[str, list[Outcome]]:
    """Put runs that differ only in their seed together."""
    groups: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        spec = outcome.cell.spec
        groups.setdefault(spec.title + (f" [{spec.preset}]" if spec.preset else ""), []).append(outcome)
    return {label + _seeds(group): group for label, group in groups.items()}


def _seeds(group: Sequence[Outcome]) -> str:
    if len(group) == 1:
        return ""
    done = sum(outcome.record is not None for outcome in group)
    return f", {len(group)} seeds" if done in (0, len(group)) else f", {done} of {len(group)} seeds"


def _cell(scores: Sequence[Mapping[str, Any] | None], scale: float) -> tuple[str, float | None]:
    """Write a value with half its interval's width, or the mean and spread over seeds."""
    values = [score["value"] for score in scores if score is not None and score["value"] is not None]
    if not values:
        return "–", None
    digits = 1 if scale == 100 else 2
    mean = statistics.fmean(values)
    if len(values) > 1:
        return f"{mean * scale:.{digits}f} ±{statistics.stdev(values) * scale:.{digits}f}", mean
    interval = next((score["interval"] for score in scores if score is not None), None)
    if interval is None:
        return f"{mean * scale:.{digits}f}", mean
    return f"{mean * scale:.{digits}f} ±{(interval[1] - interval[0]) / 2 * scale:.{digits}f}", mean


def _notes(
    outcomes: Sequence[Outcome], records: Sequence[RunRecord], entries: Mapping[str, Any]
) -> list[str]:
    notes = []
    alone = [group[0].record for group in _groups(outcomes).values() if len(group) == 1]
    if any(score["interval"] for record in alone if record for score in record.scores.values()):
        notes.append("±: half the width of the 95 % bootstrap interval over rows")
    if any(len(group) > 1 for group in _groups(outcomes).values()):
        notes.append("±: standard deviation over seeds, where there are several")
    if any(record.spec.get("repeats", 1) > 1 for record in records):
        notes.append(SEVERAL)
    if silent := [name for name, entry in entries.items() if entry.silence_wins]:
        notes.append("an empty answer can beat a wrong one under " + ", ".join(silent))
    reasons = {f"{n}: {s['note']}" for record in records for n, s in record.scores.items() if s["note"]}
    notes += sorted(reasons)
    who: dict[str, dict[str, None]] = {}  # what is said of several models is said once
    for record in records:
        for note in record.notes:
            who.setdefault(note, {})[_model(record)] = None
    notes += [f"{', '.join(models)}: {note}" for note, models in who.items()]
    notes += dict.fromkeys(
        f"{_model(record)}: "
        + ", ".join(f"{count} {_ODDITIES.get(name, name)}" for name, count in record.counts.items())
        for record in records
        if record.counts
    )
    times = dict.fromkeys(
        f"{_model(record)} "
        + " + ".join(f"{stage} {duration(took)}" for stage, took in record.seconds.items() if took >= 1)
        for record in records
        if any(took >= 1 for took in record.seconds.values())
    )
    sizes = dict.fromkeys(_tokens(record) for record in records)
    notes += ["tokens: " + "; ".join(filter(None, sizes))] if any(sizes) else []
    return [*notes, *(["time: " + "; ".join(times)] if times else [])]


def _tokens(record: RunRecord) -> str:
    """Say how many tokens a model read and wrote, where it counts them."""
    facts = record.environment.get("generation", {})
    read, written = facts.get("tokens_in", 0), facts.get("tokens_out", 0)
    each = f", {(read + written) / record.rows:,.0f} a row" if record.rows else ""
    return f"{_model(record)} {read:,} in + {written:,} out{each}" if read + written else ""
