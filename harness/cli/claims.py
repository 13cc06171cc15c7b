"""`claims check`: hold a paper's numbers against the files that they came from."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.api.errors import DataError

from .run_arguments import add_data_arguments, add_plugin_arguments, open_registry
from .tables import Table, print_table
from .task_views import TaskViews, hosted

UNCHECKED = "cannot be checked"
SHOWN = 3


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


def _unchecked(cells: list[Any]) -> list[str]:
    """Say what cannot be checked, and why, once for all cells of the same reason."""
    found: dict[str, list[Any]] = {}
    for cell in cells:
        if cell.verdict == UNCHECKED:
            found.setdefault(cell.reason, []).append(cell)
    lines = []
    for reason, mine in found.items():
        rows = list(dict.fromkeys(cell.row for cell in mine))
        columns = dict.fromkeys(cell.column for cell in mine)
        more = f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
        named = f"{', '.join(columns)} of {', '.join(rows[:SHOWN])}{more}"
        lines.append(f"{UNCHECKED}: {reason} ({len(mine)} cells: {named})")
    return lines


def _print(cells: list[Any]) -> None:
    for key in dict.fromkeys((cell.paper, cell.table) for cell in cells):
        mine = [cell for cell in cells if (cell.paper, cell.table) == key]
        title = f"{key[0]}: {key[1]}"
        table = Table(title, ["row", "column", "printed", "computed", "verdict", "definition"])
        table.rows += [_row(cell) for cell in mine if cell.verdict != UNCHECKED]
        counts = [sum(c.verdict == v for c in mine) for v in ("agrees", "off by", UNCHECKED)]
        notes = [*hosted("claims:definitions")(mine), *_unchecked(mine)]
        notes.append("{} agree, {} are off, {} cannot be checked".format(*counts))
        if table.rows:
            table.notes += notes
            print_table(table, left=True)
        else:
            sys.stdout.write("\n".join([title, *notes]) + "\n")
        sys.stdout.write("\n")
    kit = [f"{name} {version}" for name, version in hosted("scored:toolkit")().items()]
    sys.stdout.write(f"computed with {', '.join(kit)}\n")


def _row(cell: Any) -> list[str]:
    off = f"off by {cell.difference:+.4g}" + (f" ({cell.reason})" if cell.reason else "")
    verdict = off if cell.verdict == "off by" else cell.verdict
    return [cell.row, cell.column, cell.printed, f"{cell.value:.6f}", verdict, cell.metric]
