"""Writes the tables of a board in every form that is asked for, pages among them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from harness import UsageError
from harness.files.writing import write

from ..board.shapes import Table
from ..board.store import Store
from .render import FORMATS
from .site import write_site

SITE = "site"
NONE = "none"
ALL = (*FORMATS, SITE)

AskPlugins = Callable[[Table, str], str | None]


def named(text: str) -> tuple[str, ...]:
    """Return the forms of a list with commas; `none` stands for no form at all."""
    return () if text == NONE else tuple(text.split(","))


def write_forms(
    store: Store, tables: Sequence[Table], forms: Sequence[str], folder: Path, ask: AskPlugins
) -> list[Path]:
    """Write each table in each form below a folder and return what is worth opening."""
    written: list[Path] = []
    for form in forms:
        if form == SITE:
            written.append(write_site(store, tables, folder / SITE))
            continue
        for table in tables:
            ending, text = rendered(table, form, ask)
            path = folder / "tables" / f"{table['id']}{ending}"
            write(path, text, durable=False)
            if form == "md":
                written.append(path)
    return written


def rendered(table: Table, form: str, ask: AskPlugins) -> tuple[str, str]:
    """Return a form's file ending and text; one that is not built in is asked of plugins."""
    if form in FORMATS:
        ending, render = FORMATS[form]
        return ending, render(table)
    if (text := ask(table, form)) is None:
        raise UsageError(f"no plugin writes the form '{form}'", hint=f"built in: {', '.join(ALL)}")
    return f".{form}", text
