"""What was done to the program, and what it survived: `python -m benchmarks.faults [--part PART ...]`.

Each part is written as soon as it is done, so that parts can be run one by one; the page that people read,
docs/explanation/robustness.md, is made of all of them.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from benchmarks.report import RESULTS, table

from . import damage, fuzz, kills, together
from .kills import ROOT, environment

PAGE = ROOT / "docs" / "explanation" / "robustness.md"
MARK = "<!-- {}: python -m benchmarks.faults -->"
HOSTILE = {
    "plugins": ("tests/end_to_end/test_hostile_plugins.py",),
    "submissions and boards": ("tests/leaderboards/intake", "tests/leaderboards/board/test_life.py"),
    "archives": ("tests/files/test_archives.py",),
    "text in a terminal": ("tests/cli/test_terminal.py",),
    "power cuts": ("tests/files/test_durability.py", "tests/files/test_runs_after_power_cuts.py"),
}
Part = Callable[[bool], Iterator[dict[str, Any]]]


def hostile(short: bool) -> Iterator[dict[str, Any]]:
    """Run the tests that are made of hostile things, and count them."""
    for what, places in HOSTILE.items():
        if short and what != "archives":
            continue
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *places],
            cwd=ROOT,
            env=environment(),
            capture_output=True,
            text=True,
        )
        counts = {word: int(count) for count, word in re.findall(r"(\d+) (passed|failed|error)", done.stdout)}
        failed = counts.get("failed", 0) + counts.get("error", 0) + (done.returncode not in (0, 1))
        yield {"what": what, "tests": counts.get("passed", 0) + failed, "failed": failed}


PARTS: Mapping[str, tuple[str, Part]] = {
    "kills": ("Killed at any moment, and the command repeated", lambda short: kills.run(4 if short else 300)),
    "fuzz": (
        "Inputs changed by chance, for every reader",
        lambda short: fuzz.run(9_000 if short else 1_050_000),
    ),
    "damage": ("Files of a run damaged", lambda short: damage.run(1 if short else 8)),
    "together": ("Two at once", lambda short: together.run(1 if short else 20)),
    "hostile": ("Hostile plugins, submissions and files", hostile),
}
BAD = ("lost", "escapes", "silent", "corrupt", "failed")  # columns that must be 0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__)
    parser.add_argument("--part", nargs="+", choices=list(PARTS), default=list(PARTS), metavar="PART")
    parser.add_argument("--short", action="store_true", help="a few of each, and nothing is written")
    args = parser.parse_args()
    bad = 0
    for name in args.part:
        title, part = PARTS[name]
        rows = []
        for row in part(args.short):
            rows.append(row)
            print(json.dumps(row), flush=True)
        bad += sum(row.get(column, 0) for row in rows for column in BAD)
        if not args.short:
            keep(name, title, rows)
    if not args.short:
        write_page()
    raise SystemExit(bad > 0)


def keep(name: str, title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write one part's rows beside those of the others."""
    place = RESULTS / "faults.json"
    kept = json.loads(place.read_text(encoding="utf-8")) if place.exists() else {}
    kept[name] = {"title": title, "date": datetime.now(UTC).date().isoformat(), "rows": list(rows)}
    place.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def write_page() -> None:
    """Put the tables of all parts into the page between its marks."""
    begin, end = MARK.format("begin"), MARK.format("end")
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(begin)
    PAGE.write_text(
        before + begin + "\n\n" + tables() + "\n\n" + end + rest.partition(end)[2], encoding="utf-8"
    )


def tables() -> str:
    """Return every part that was measured, with its sum, as Markdown."""
    kept = json.loads((RESULTS / "faults.json").read_text(encoding="utf-8"))
    parts = []
    for name, (title, _) in PARTS.items():
        if name not in kept:
            continue
        rows = [
            {key: row[key] for key in row if key not in ("first", "slowest", "seconds")}
            for row in kept[name]["rows"]
        ]
        parts.append(f"### {title}\n\nMeasured on {kept[name]['date']}.\n\n{table([*rows, _sum(rows)])}")
    return "\n\n".join(parts)


def _sum(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    total: dict[str, Any] = {}
    for key, value in rows[0].items():
        total[key] = sum(row[key] for row in rows) if isinstance(value, int) else ""
    return total | {next(iter(total)): "all"}


if __name__ == "__main__":
    main()
