"""A finished run in a notebook: its scores as a table, its rows with the pictures that its task draws."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import zip_longest
from typing import Any

from harness.api import DataSpec, Example, RunRecord, Task
from harness.api.notice import SAMPLE

LONGEST = 300  # characters of a text that a cell shows
CELL = (
    "text-align: left; vertical-align: top; overflow-wrap: anywhere; max-width: 20em"  # SMILES have no spaces
)
PICTURE = "text-align: left; background: white"  # which pictures are drawn for


@dataclass(frozen=True, slots=True)
class Drawn:
    """Rows of a run as a notebook shows them."""

    html: str

    def _repr_html_(self) -> str:
        return self.html


def scores(record: RunRecord) -> str:
    """Return the scores with their intervals, and what a reader must know beside them."""
    source = SAMPLE if record.sample else f"data: {record.data_source}"
    model = record.spec.get("title") or record.spec["model"]
    title = f"{model} on {record.spec['task']} ({record.rows} rows; {source})"
    rows = [
        (name, _value(score["value"]), _interval(score["interval"])) for name, score in record.scores.items()
    ]
    notes = "".join(f"<br>{escape(note)}" for note in record.notes)
    return f"{_table(title, ('metric', 'value', '95 % interval'), rows)}{notes}"


def drawn(record: RunRecord, rows: Sequence[Mapping[str, Any]], plugins: Sequence[str]) -> Drawn:
    """Return rows with what was asked, wanted and said, and the picture that their task draws of both."""
    task = _task(str(record.spec["task"]), plugins)
    pictures = [_picture(task, row) for row in rows]
    cells = [
        (
            row["id"],
            "; ".join(map(str, row["inputs"].values())),
            " | ".join(row["references"]),
            row["text"],
            ", ".join(f"{name} {_value(score)}" for name, score in row["scores"].items()),
        )
        for row in rows
    ]
    head = ("row", "asked", "wanted", "said", "scores")
    return Drawn(_table(str(record.spec["task"]), head, cells, pictures))


def _task(name: str, plugins: Sequence[str]) -> Task:
    # Here, because what is only looked at must not load plugins.
    from harness.engine.plugin_manager import load_plugins
    from harness.engine.registry import Registry

    found: Task = Registry(load_plugins(plugins)).tasks.get(name).load()(DataSpec())
    return found


def _picture(task: Task, row: Mapping[str, Any]) -> str:
    example = Example(row["id"], row["inputs"], tuple(row["references"]))
    return task.picture(example, row["text"])


def _value(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _interval(interval: Sequence[float] | None) -> str:
    return "" if interval is None else f"{interval[0]:.4g} to {interval[1]:.4g}"


def _table(
    title: str, head: Iterable[str], rows: Sequence[Sequence[str]], pictures: Sequence[str] = ()
) -> str:
    """Return a table; a picture stands below its row, over the whole width."""
    names = list(head)
    lines = [_row("th", names)]
    for row, picture in zip_longest(rows, pictures, fillvalue=""):
        lines.append(_row("td", row))
        if picture:
            lines.append(f'<tr><td colspan="{len(names)}" style="{PICTURE}">{picture}</td></tr>')
    return f"<table><caption>{escape(title)}</caption>{''.join(lines)}</table>"


def _row(tag: str, texts: Iterable[str]) -> str:
    cells = "".join(f'<{tag} style="{CELL}">{escape(_cut(text))}</{tag}>' for text in texts)
    return f"<tr>{cells}</tr>"


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
