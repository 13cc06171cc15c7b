"""`claims check`: hold a paper's numbers against the files that they came from."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.api.errors import DataError

from .run_arguments import add_plugin_arguments, open_registry
from .tables import Table, print_table
from .task_views import TaskViews, add_data_arguments, hosted


def add_parser(subparsers: Any) -> None:
    """Describe the verb."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "claims",
        description="Score the files behind a paper's table under every definition that a column could stand "
        "for, and say of each cell whether it agrees, by how much it is off, or why it cannot be checked.",
        allow_abbrev=False,
    )
    parser.add_argument("action", choices=["check"], help="what to do")
    parser.add_argument(
        "files",
        nargs="*",
        type=Path,
        metavar="YAML",
        help="claims (default: those that come with the program)",
    )
    parser.add_argument(
        "--originals", type=Path, default=Path(), metavar="DIR", help="where the claims' files and data are"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    add_data_arguments(parser)
    add_plugin_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Check and print; a cell that is off is an error."""
    registry = open_registry(args)
    shipped = Path(hosted("plain:__file__")).parent / "published" / "claims"
    claims = [
        c for path in args.files or sorted(shipped.glob("*.yaml")) for c in hosted("claims:read_claims")(path)
    ]
    known = registry.metrics.names()
    metrics = [name for name in hosted("claims:metrics_of")(claims) if name in known]
    views = TaskViews(registry, args.data, metrics, args.vocab or args.originals)
    cells = list(hosted("claims:check")(claims, args.originals, views))
    if args.json:
        sys.stdout.write(json.dumps([asdict(cell) for cell in cells], indent=1, ensure_ascii=False) + "\n")
    else:
        _print(cells)
    off = sum(cell.verdict == "off by" for cell in cells)
    checked = off + sum(cell.verdict == "agrees" for cell in cells)
    if off:
        raise DataError(f"{off} of the {checked} cells that can be checked are off")
    if not checked:
        raise DataError("no cell could be checked", hint="--originals DIR names the folder of the files")
    return 0


def _print(cells: list[Any]) -> None:
    for key in dict.fromkeys((cell.paper, cell.table) for cell in cells):
        mine = [cell for cell in cells if (cell.paper, cell.table) == key]
        table = Table(
            f"{key[0]}: {key[1]}", ["row", "column", "printed", "computed", "verdict", "definition"]
        )
        for cell in mine:
            value = "–" if cell.value is None else f"{cell.value:.6f}"
            verdict = f"off by {cell.difference:+.4g}" if cell.verdict == "off by" else cell.verdict
            table.rows.append([cell.row, cell.column, cell.printed, value, verdict, cell.metric])
        reasons = dict.fromkeys(f"{cell.column}: {cell.reason}" for cell in mine if cell.reason)
        table.notes += list(reasons)
        counts = [sum(c.verdict == v for c in mine) for v in ("agrees", "off by", "cannot be checked")]
        table.notes.append("{} agree, {} are off, {} cannot be checked".format(*counts))
        print_table(table, left=True)
        sys.stdout.write("\n")
