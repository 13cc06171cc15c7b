"""Writes the tables of hooks and errors into their pages: `python -m harness.cli.reference_tables FOLDER`."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable
from inspect import getmembers, isclass
from pathlib import Path

from harness.api import errors

from .api_reference import cell, modules, said

MARKED = re.compile(r"(<!-- written by `make docs` from the docstrings -->\n).*?(<!-- until here -->)", re.S)


def hooks() -> str:
    """Return what each hook is called with, what it returns and when it is called."""
    (module,) = (module for module in modules("harness.api") if module.name == "harness.api.hooks")
    rows = [
        f"| `{node.name}` | {code(arguments(node))} | {code(answer(node))} "
        f"| {cell(' '.join(said(node).split()).removeprefix('Called '))} |"
        for node in module.definitions().values()
        if isinstance(node, ast.FunctionDef)
    ]
    return "\n".join(["| hook | arguments | returns | called |", "|---|---|---|---|", *rows, ""])


def arguments(node: ast.FunctionDef) -> str:
    """Return the names of what a hook is called with."""
    return ", ".join(argument.arg for argument in node.args.args)


def answer(node: ast.FunctionDef) -> str:
    """Return the type of what a hook returns."""
    return ast.unparse(node.returns) if node.returns else ""


def code(text: str) -> str:
    """Return a text as code in a cell; nothing for nothing."""
    return f"`{cell(text)}`" if text not in ("", "None") else ""


def failures() -> str:
    """Return every kind of expected failure with its exit code, each below what it is a kind of."""
    kinds = {kind for _, kind in getmembers(errors, isclass) if issubclass(kind, errors.HarnessError)}
    rows = [
        f"| `{kind.__name__}` | {kind.exit_code} | {' '.join((kind.__doc__ or '').split())} |"
        for kind in sorted(kinds, key=lambda kind: (kind.exit_code, *lineage(kind)))
    ]
    return "\n".join(["| error | exit code | meaning |", "|---|---|---|", *rows, ""])


def lineage(kind: type) -> list[str]:
    """Return the names of what a class is a kind of, the root first, and its own."""
    return [each.__name__ for each in reversed(kind.__mro__)]


PAGES: dict[str, Callable[[], str]] = {"hooks": hooks, "errors": failures}


def written(text: str, table: str) -> str:
    """Return a page with the table that its marks stand around."""
    marked, count = MARKED.subn(lambda match: f"{match[1]}\n{table}\n{match[2]}", text)
    if count != 1:
        raise LookupError("the page has no marks to write a table between")
    return marked


if __name__ == "__main__":
    for name, table in PAGES.items():
        page = Path(sys.argv[1]) / f"{name}.md"
        page.write_text(written(page.read_text(encoding="utf-8"), table()), encoding="utf-8")
