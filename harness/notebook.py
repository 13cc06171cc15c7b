"""A finished run in a notebook: its scores as a table, its rows with the pictures that its task draws."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from harness.api import DataSpec, Example, RunRecord, Task
from harness.api.notice import SAMPLE

LONGEST = 300  # characters of a text that a cell shows


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
            *(_value(score) for score in row["scores"].values()),
        )
        for row in rows
    ]
    names = dict.fromkeys(name for row in rows for name in row["scores"])
    head = ("row", "asked", "wanted", "said", *names)
    return Drawn(_table(str(record.spec["task"]), head, cells, pictures if any(pictures) else ()))


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
    lines = [f"<tr>{''.join(f'<th>{escape(name)}</th>' for name in names)}</tr>"]
    for place, row in enumerate(rows):
        lines.append(f"<tr>{''.join(f'<td>{escape(_cut(text))}</td>' for text in row)}</tr>")
        if pictures and pictures[place]:
            lines.append(
                f'<tr><td colspan="{len(names)}" style="background: white">{pictures[place]}</td></tr>'
            )
    return f"<table><caption>{escape(title)}</caption>{''.join(lines)}</table>"


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
