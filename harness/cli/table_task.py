"""A task file written after a look at a table: which columns may be asked, answered and chosen from."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from harness.api.errors import DataError
from harness.data.table_file import TableRow, column_names, read_table

LOOKED_AT = 200  # rows
ASKED = ("prompt", "question", "query", "instruction", "input", "problem", "text", "title")
ANSWERED = ("answer", "answers", "target", "output", "label", "gold", "response", "completion", "summary")
CHOSEN = ("choices", "options", "candidates")
CHOICE = re.compile(r"(?:choice|option|opt|answer)?[ _-]?(?:[A-H]|[0-9])", re.IGNORECASE)


def describe(path: Path, name: str, folder: Path) -> str:
    """Return a task file for a table, to be written in a folder, with what else there is in comments."""
    names = column_names(path)
    rows = [row for row in islice(read_table(path), LOOKED_AT) if row.fault is None]
    if len(names) < 2 or not rows:
        raise DataError(
            f"{path} has {len(names)} columns and {len(rows)} good rows: nothing to ask and answer"
        )
    answer = _first(names, ANSWERED) or names[-1]
    choices = _choices([name for name in names if name != answer], rows)
    asked = _first([n for n in names if n not in (answer, *choices)], ASKED)
    asked = asked or next(n for n in names if n not in (answer, *choices, "id", "split"))
    lines = [
        f"# columns: {', '.join(names)}",
        "[task]",
        f"name = {_toml(name)}",
        f"file = {_toml(os.path.relpath(path, folder))}",
        f"prompt = {_toml('{' + asked + '}')}",
        f"answer = {_toml(answer)}",
    ]
    if choices:
        lines.append(f"choices = {_toml(choices)}")
        if (first := _counted_from(rows, answer)) is not None:
            lines.append(f"count_from = {first} # answers are numbers: that of the first choice")
    if "split" not in names:
        lines.append("# shares = [0.8, 0.1, 0.1] # train, validation and test; without it all rows are asked")
    lines += ["# shots = 3", "# pattern = 'Answer: (.+)'", "# metrics = ['exact-match']", ""]
    return "\n".join(lines)


def _first(names: Sequence[str], known: Iterable[str]) -> str:
    lowered = {name.lower(): name for name in reversed(names)}
    return next((lowered[word] for word in known if word in lowered), "")


def _choices(names: Sequence[str], rows: Sequence[TableRow]) -> list[str]:
    """Return the column that holds lists of choices, or the columns that are called like choices."""
    if (one := _first(names, CHOSEN)) and any(str(row.values.get(one, ""))[:1] == "[" for row in rows):
        return [one]
    found = [name for name in names if CHOICE.fullmatch(name.strip())]
    return found if len(found) > 1 else []


def _counted_from(rows: Sequence[TableRow], answer: str) -> int | None:
    texts = {str(row.values.get(answer, "")).strip() for row in rows}
    if not texts or not all(text.isdecimal() for text in texts):
        return None
    return 0 if "0" in texts else 1


def _toml(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
