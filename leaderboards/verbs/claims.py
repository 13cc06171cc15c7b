"""`claims check`: hold a paper's numbers against the files that they came from."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from harness import DataError, Verb, Workbench
from harness.scoring.arguments import add_data_arguments

from ..board.scored import toolkit
from ..board.store import PUBLISHED
from ..claims import AGREES, OFF, UNCHECKED, Cell, check, definitions, metrics_of, read_claims
from ..intake.tasks import Tasks

SHOWN = 3


class Claims(Verb):
    """Score the files behind a paper's table under every definition that a column could stand for.

    Of each cell it is said whether it agrees, by how much it is off, or why it cannot be checked.
    """

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the verb."""
        parser.add_argument("action", choices=["check"], help="what to do")
        parser.add_argument(
            "files",
            nargs="*",
            type=Path,
            metavar="YAML",
            help="claims (default: those that come with the program)",
        )
        parser.add_argument(
            "--originals",
            type=Path,
            default=Path(),
            metavar="DIR",
            help="where the claims' files and data are",
        )
        parser.add_argument("--json", action="store_true", help="print the result as JSON")
        add_data_arguments(parser)

    def run(self, args: Namespace, bench: Workbench) -> int:
        """Check and print; a cell that is off is an error."""
        files = args.files or sorted((PUBLISHED / "claims").glob("*.yaml"))
        claims = [claim for path in files for claim in read_claims(path)]
        tasks = Tasks(bench, args.data, metrics_of(claims), args.vocab or args.originals)
        cells = list(check(claims, args.originals, tasks))
        if args.json:
            bench.write_json([asdict(cell) for cell in cells])
        else:
            _show(cells, bench)
        off = sum(cell.verdict == OFF for cell in cells)
        checked = off + sum(cell.verdict == AGREES for cell in cells)
        if off:
            raise DataError(f"{off} of the {checked} cells that can be checked are off")
        if not checked:
            raise DataError("no cell could be checked", hint="--originals DIR names the folder of the files")
        return 0


def _show(cells: Sequence[Cell], bench: Workbench) -> None:
    for key in dict.fromkeys((cell.paper, cell.table) for cell in cells):
        mine = [cell for cell in cells if (cell.paper, cell.table) == key]
        title = f"{key[0]}: {key[1]}"
        rows = [_row(cell) for cell in mine if cell.verdict != UNCHECKED]
        counts = [sum(c.verdict == v for c in mine) for v in (AGREES, OFF, UNCHECKED)]
        notes = [*definitions(mine), *_unchecked(mine)]
        notes.append("{} agree, {} are off, {} cannot be checked".format(*counts))
        if rows:
            head = ["row", "column", "printed", "computed", "verdict", "definition"]
            bench.show(title, head, rows, notes=notes, words=True)
        else:
            bench.write("\n".join([title, *notes]) + "\n")
        bench.write("\n")
    bench.write(f"computed with {', '.join(f'{name} {version}' for name, version in toolkit().items())}\n")


def _unchecked(cells: Sequence[Cell]) -> list[str]:
    """Say what cannot be checked, and why, once for all cells of the same reason."""
    found: dict[str, list[Cell]] = {}
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


def _row(cell: Cell) -> list[str]:
    off = f"off by {cell.difference:+.4g}" + (f" ({cell.reason})" if cell.reason else "")
    verdict = off if cell.verdict == OFF else cell.verdict
    return [cell.row, cell.column, cell.printed, f"{cell.value:.6f}", verdict, cell.metric]
