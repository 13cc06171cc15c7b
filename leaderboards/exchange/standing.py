"""The rows of a board that stand in its tables: what is handed on to others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness import UsageError, nearest

from ..board.shapes import Line, Table
from ..board.store import Store
from ..board.tables import StoredRow
from ..intake.rules import stale

MADE_UP = "made-up sample"
RUN_DATE = "%Y%m%d-%H%M%S"  # how a run's id begins


@dataclass(frozen=True, slots=True)
class Standing:
    """A row with the table and the line that it stands in."""

    table: Table
    line: Line
    row: StoredRow
    folder: Path

    def scores(self) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
        """Yield each metric of the table that the row has a current value of, and the score."""
        facts = self.row.facts
        old = stale(facts, {metric["name"]: metric["version"] for metric in self.table["metrics"]})
        for metric in self.table["metrics"]:
            score = facts["scores"].get(metric["name"])
            if score is not None and score["value"] is not None and metric["name"] not in old:
                yield metric, score

    def made(self) -> datetime | None:
        """Return when the row's run began; None where that is not known."""
        run = str(self.row.about.get("run_id", ""))
        try:
            return datetime.strptime("-".join(run.split("-")[:2]), RUN_DATE).replace(tzinfo=UTC)
        except ValueError:
            return None


def standing(store: Store, tables: Sequence[Table], wanted: Sequence[str] = ()) -> Iterator[Standing]:
    """Yield the rows of some tables, or those that are asked for by their ids."""
    found = {
        member["id"]: (table, line)
        for table in tables
        for line in table["lines"]
        for member in line["members"]
    }
    for row in wanted:
        if row not in found:
            raise UsageError(f"no table of {store.root} has a row '{row}'", hint=nearest(row, found))
    for row in wanted or found:
        table, line = found[row]
        folder = store.folder(table["task"], row)
        yield Standing(table, line, store.row(folder), folder)


def evaluation(one: Standing) -> str:
    """Name what a row was evaluated on; made-up rows never bear the name of the real ones alone."""
    return f"{one.table['task']} ({MADE_UP})" if one.table["sample"] else one.table["task"]


def result_id(one: Standing, metric: str) -> str:
    """Name one score of a row, as its answers refer to it."""
    return f"{evaluation(one)}: {metric}"
