"""One page of all stored results: ratios against others, machine and versions, and what has become slower."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import report

ROOT = Path(__file__).resolve().parents[1]
PAGE = Path(__file__).with_name("README.md")
SLACK = 1.10  # a busy machine moves CPU seconds by so much between two runs

LOW = re.compile(r"\b(s|ms|µs|seconds|MiB|KiB|GiB|over bare)\b")  # columns of which less is better
HIGH = re.compile(r"/ ?(CPU )?s\b")  # and of which more is
RATIO = re.compile(r"^(times|tokens / (?!CPU)|speed-up|ratio)")  # columns that hold a peer against us


@dataclass(frozen=True, slots=True)
class Slower:
    """A number that was better when it was stored."""

    topic: str
    what: str
    column: str
    stored: float
    now: float
    commits: str

    @property
    def times(self) -> float:
        """How many times slower, or larger, it has become."""
        return self.stored / self.now if HIGH.search(self.column) else self.now / self.stored


def results(folder: Path = report.RESULTS) -> dict[str, dict[str, Any]]:
    """Return the stored results that are tables, by topic."""
    found = {
        file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.json"))
    }
    return {topic: result for topic, result in found.items() if "command" in result and result.get("rows")}


def commands() -> list[str]:
    """Return the commands of all stored results that need nothing but the checkout."""
    every = dict.fromkeys(result["command"] for result in results().values())
    return [command for command in every if not needs(command)]


def needs(command: str) -> list[str]:
    """Return what a command wants to be given: its words in capitals."""
    return [word for word in command.split() if re.fullmatch(r"[A-Z]{3,}", word)]


def slower(topic: str, now: Mapping[str, Any], stored: Mapping[str, Any], commits: str) -> Iterator[Slower]:
    """Yield what has become slower or larger since it was stored, on the same machine."""
    if now["machine"] != stored["machine"]:
        return
    before = {_label(row): row for row in stored["rows"]}
    for row in now["rows"]:
        for column, value in before.get(_label(row), {}).items():
            if not (_is_number(value) and _is_number(row.get(column)) and _has_direction(column)):
                continue
            found = Slower(topic, _label(row), column, value, row[column], commits)
            if min(value, row[column]) > 0 and found.times > SLACK:
                yield found


def _label(row: Mapping[str, Any]) -> str:
    """Name a row by its texts, and by the whole numbers that set it apart from others."""
    return ", ".join(
        str(v) if isinstance(v, str) else f"{k} {v}"
        for k, v in row.items()
        if isinstance(v, str | int) and not _has_direction(k) and k != "goal" and v != "-"
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _has_direction(column: str) -> bool:
    return bool(HIGH.search(column) or LOW.search(column))


def since_stored() -> list[Slower]:
    """Compare the results in the working tree with those of the last commit."""
    found: list[Slower] = []
    for topic, now in results().items():
        name = f"benchmarks/results/{topic}.json"
        said = _git("show", f"HEAD:{name}")
        if said and (stored := json.loads(said)) != now:
            written = _git("log", "-1", "--format=%h", "--", name).strip()
            commits = f"{written}..{_git('rev-parse', '--short', 'HEAD').strip()}"
            found += slower(topic, now, stored, commits)
    return found


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else ""


def text(found: Mapping[str, Mapping[str, Any]], worse: list[Slower]) -> str:
    """Return the page."""
    lines = [
        "# Benchmarks",
        "",
        "`python -m benchmarks` runs all that need nothing but the checkout and writes this page; with",
        "`--page` it only writes the page. Each number's method is on the page it links to.",
        "",
        *_worse(worse),
    ]
    for topic, result in found.items():
        lines += [
            f"## [{result['title']}](results/{topic}.md)",
            "",
            f"`{result['command']}`",
            "",
            *_ratios(result),
        ]
        facts = [
            str(v) if k in ("date", "machine") else f"{k} {v}" for k, v in result.items() if k not in HEAD
        ]
        lines += [", ".join(facts), ""]
    return "\n".join(lines)


HEAD = ("title", "command", "method", "rows")


def _worse(found: list[Slower]) -> list[str]:
    if not found:
        return []
    rows = [
        {
            "🔴": f"{s.times:.2f} x",
            "benchmark": s.topic,
            "what": f"{s.what}: {s.column}",
            "stored": s.stored,
            "now": s.now,
            "commits": s.commits,
        }
        for s in found
    ]
    return ["**Slower or larger than stored**", "", report.table(rows), ""]


def _ratios(result: Mapping[str, Any]) -> list[str]:
    """Return the rows' names with the columns that hold others against us, where there are any."""
    columns = [column for column in result["rows"][0] if RATIO.match(column)]
    rows = [row for row in result["rows"] if any(_is_number(row.get(column)) for column in columns)]
    if not rows:
        return []
    table = [{"what": _label(row), **{column: row.get(column, "-") for column in columns}} for row in rows]
    return [report.table(table), ""]
