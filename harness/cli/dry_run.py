"""What would run: the resolved settings with their sources, the data and its digests, sizes, an estimate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from harness.api.errors import DataError, HarnessError
from harness.api.spec import DataSpec
from harness.engine.config import flatten
from harness.engine.data import TaskData
from harness.engine.matrix import Cell
from harness.engine.prepared import Bench, Prepared
from harness.engine.progress import duration
from harness.engine.run_dir import CHECKPOINT
from harness.files.finished import RECORD, read_record

from .output import write, write_json
from .tables import Table, print_table

DEFAULT = "default"  # where a setting comes from that nobody sets


def settings_table(cell: Cell, *, everything: bool) -> Table:
    """Return what differs from the defaults beside where it came from, and the rest where it is wanted."""
    sources = cell.resolved.sources
    chosen: list[Sequence[str]] = []
    rest: list[Sequence[str]] = []
    for key, value in settings(cell).items():
        source = sources.get(key, sources.get(key.partition(" ")[0], DEFAULT))
        (rest if source == DEFAULT else chosen).append([key, _shown(value), source])
    table = Table(f"{cell.spec.title} on {cell.spec.task}", ["setting", "value", "from"], chosen)
    if everything:
        table.rows += rest
    else:
        table.notes.append(f"and {len(rest)} settings at their defaults, which --all shows")
    return table


def settings(cell: Cell) -> dict[str, Any]:
    """Return a cell's spec as dotted settings; with several stages each one's are marked."""
    tree = asdict(cell.spec)
    stages = tree.pop("train")
    tree["model_options"] = {f"model.{key}": value for key, value in tree["model_options"].items()}
    flat = {key.removeprefix("model_options."): value for key, value in flatten(tree).items()}
    for stage in stages:
        mark = f" [{stage['stage']}]" if len(stages) > 1 else ""
        flat.update({f"train.{key}{mark}": value for key, value in flatten(stage).items()})
    return flat


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "-"
    return "-" if value in (None, "") else str(value)


def print_plan(bench: Bench, cells: Sequence[Cell], *, as_json: bool, everything: bool) -> int:
    """Print the plan of every cell; one that could not run says why and makes the exit code non-zero."""
    code = 0
    plans = []
    for cell in cells:
        facts: dict[str, Any] = {"model": cell.spec.title, "task": cell.spec.task}
        try:
            facts |= _facts(bench, cell)
        except HarnessError as error:
            facts["would_fail"] = error.message
            code = code or error.exit_code
        plans.append(facts)
        if not as_json:
            print_table(settings_table(cell, everything=everything), left=True)
            rows: list[Sequence[str]] = [[key, _shown(value)] for key, value in facts.items()]
            print_table(Table("", ["what would run", ""], rows), left=True)
            write("\n")
        else:
            facts |= {"settings": settings(cell), "sources": dict(cell.resolved.sources)}
    if as_json:
        write_json(plans)
    return code


def _facts(bench: Bench, cell: Cell) -> dict[str, Any]:
    prepared = Prepared(bench, cell)
    spec = cell.spec
    facts = _scored(prepared) if bench.until != "train" else {}
    facts |= {
        "prompt digest": prepared.data.prompt_digest,
        "sample data": "yes" if prepared.data.sample else "no",
    }
    estimate = 0.0
    known = True
    for key, training, tasks in prepared.trainings():
        stage = training.train.stage
        places = list((bench.output / "trained" / spec.model.replace("/", "-")).glob(f"*-{key}/{CHECKPOINT}"))
        learned = ", ".join(f"{data.name} ({_size(data, training.spec.data)})" for data in tasks)
        done = f"done: {places[-1].parent}" if places else ""
        facts[f"stage {stage}"] = done or f"to be run on {learned}, key {key}"
        facts["training digest"] = training.data_digest
        if not places:
            known = False
    seconds = [record["seconds"] for record in _earlier(bench, cell)]
    if seconds:
        estimate = sum(seconds[-1].values())
    facts["estimate"] = (
        f"{duration(estimate)}, as the last finished run of this model and preset on this task took"
        if seconds
        else "seconds: training is done already"
        if known and spec.train
        else "unknown: no such run has finished yet"
    )
    return facts


def _scored(prepared: Prepared) -> dict[str, Any]:
    examples = prepared.examples()
    split = prepared.spec.data.split
    return {
        "rows scored": f"{len(examples)} of {len(prepared.data.examples(split))} in {split}",
        "data digest": prepared.data.digest(split),
        "prompt": prepared.data.render(examples[0])[:200],
        "metrics": list(prepared.metrics),
    }


def _size(data: TaskData, spec: DataSpec) -> str:
    """Say how many rows are learned from, where that is known without reading a corpus through."""
    if data.task.fingerprint(spec.train_split):
        return "streamed"
    return f"{len(data.scored(spec.train_split, spec.train_limit)):,} rows"


def _earlier(bench: Bench, cell: Cell) -> list[Mapping[str, Any]]:
    found = sorted((bench.output / cell.spec.task / cell.spec.model.replace("/", "-")).glob(f"*/{RECORD}"))
    records = []
    for path in found:
        with suppress(DataError):  # a damaged run tells nothing
            records.append(read_record(path.parent))
    return [record for record in records if record["spec"]["preset"] == cell.spec.preset]
