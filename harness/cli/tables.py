"""Tables: rich on a terminal, aligned plain text in a pipe."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from harness.files.visible import visible

from .output import write


@dataclass(slots=True)
class Table:
    """Rows of text under headings, with what a reader must know below."""

    title: str
    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    best: set[tuple[int, int]] = field(default_factory=set)  # (row, column) drawn bold
    muted: set[int] = field(default_factory=set)  # rows that only give context

    def shown(self) -> Table:
        """Return the table with strangers' text made visible, which changes how wide it is."""
        return replace(
            self,
            title=visible(self.title),
            columns=[visible(column) for column in self.columns],
            rows=[[visible(cell) for cell in row] for row in self.rows],
            notes=[visible(note) for note in self.notes],
        )

    def widths(self) -> list[int]:
        """Return the width of each column."""
        lines = [self.columns, *self.rows]
        return [max(len(line[index]) for line in lines) for index in range(len(self.columns))]

    def transposed(self) -> Table:
        """Swap rows and columns."""
        columns = [self.columns[0], *(row[0] for row in self.rows)]
        rows = [[name, *(row[index] for row in self.rows)] for index, name in enumerate(self.columns)][1:]
        best = {(column - 1, row + 1) for row, column in self.best}
        return Table(self.title, columns, list(rows), self.notes, best)

    def fitted(self, width: int) -> Table:
        """Return the table that fits the width: as it is, or with rows and columns swapped."""
        return self if sum(self.widths()) + 2 * len(self.columns) <= width else self.transposed()


def plain(table: Table, *, left: bool = False) -> str:
    """Return a table as aligned text: first column left and numbers right, or all `left`."""
    widths = table.widths()

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.ljust(w) if left or i == 0 else cell.rjust(w)
            for i, (cell, w) in enumerate(zip(cells, widths, strict=True))
        ]
        return "  ".join(padded).rstrip()

    body = [line(table.columns), "  ".join("-" * width for width in widths), *map(line, table.rows)]
    return "\n".join([*([table.title] if table.title else []), *body, *table.notes])


def print_table(table: Table, *, left: bool = False) -> None:
    """Print a table on stdout in the form that fits where stdout goes; `left` for words, not numbers."""
    table = table.shown()
    if not sys.stdout.isatty():
        write(plain(table if left else table.fitted(140), left=left) + "\n")
        return
    # Here, because a pipe never needs rich.
    from rich import box
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    fitted = table if left else table.fitted(shutil.get_terminal_size().columns)
    drawn = RichTable(box=box.SIMPLE_HEAD)
    for index, column in enumerate(fitted.columns):
        justify: Literal["left", "right"] = "left" if left or index == 0 else "right"
        drawn.add_column(Text(column), justify=justify, no_wrap=not left)
    for number, row in enumerate(fitted.rows):
        style = "dim" if number in fitted.muted else ""
        best = "bold green"
        drawn.add_row(*(Text(c, best if (number, i) in fitted.best else style) for i, c in enumerate(row)))
    console = Console(highlight=False)
    if table.title:  # a line of its own, because a table's title is folded to the table's width
        console.print(Text(table.title, style="bold"))
    console.print(drawn)
    for note in table.notes:
        console.print(Text(note))
