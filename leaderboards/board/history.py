"""The append-only chain of what was built: each entry carries the hash of the one before.

An entry keeps the hash of every table and of every row that stood in it, and the tables themselves lie
under `history/<hash>.json.gz`: an old table can be brought back, and a row that was taken out is named.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness import DataError, UsageError
from harness.files.archives import open_files, packed
from harness.files.writing import write

from ..plain import canonical, digest
from .shapes import Table, Tables

GENESIS = "0" * 64


def entries(path: Path) -> list[dict[str, Any]]:
    """Read the chain, each line as it is written."""
    if not path.exists():
        return []
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            found.append(json.loads(line))
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}, line {number}: not JSON") from error
    return found


def append(path: Path, tables: Tables, date: str) -> dict[str, Any] | None:
    """Add an entry for these tables, unless the last entry says the same; return it."""
    chain = entries(path)
    if broken := list(faults(path)):
        raise DataError(f"{path} is broken: {broken[0]}", hint="restore it before publishing anything")
    state = {
        table["id"]: {
            "table": digest(table),
            "rows": {m["id"]: m["sha256"] for line in table["lines"] for m in line["members"]},
        }
        for table in tables
    }
    if chain:
        state = chain[-1]["tables"] | state  # a build of one task leaves the other tables as they were
        if chain[-1]["tables"] == state:
            return None
    removed = _removed(chain[-1]["tables"] if chain else {}, state)
    entry: dict[str, Any] = {
        "number": len(chain) + 1,
        "date": date,
        "previous": chain[-1]["hash"] if chain else GENESIS,
        "tables": state,
        "removed": removed,
    }
    entry["hash"] = _hash(entry)
    for table in tables:
        write(_place(path, state[table["id"]]), packed(canonical(dict(table)).encode()))
    # The whole chain is written anew: an entry is there or not, whatever happens while it is written.
    write(path, "".join(json.dumps(link, sort_keys=True) + "\n" for link in [*chain, entry]))
    return entry


def tables_of(path: Path, number: int) -> list[Table]:
    """Bring back the tables of an entry as they were, from what is kept beside the chain."""
    found = [entry for entry in entries(path) if entry.get("number") == number]
    if not found:
        raise UsageError(f"{path} has no entry {number}", hint="run-bench leaderboard history lists them")
    states = sorted(found[0]["tables"].items())
    for name, state in states:
        for fault in _kept(_place(path, state), name, f"entry {number}"):
            raise DataError(fault)
    return [json.loads(_unpacked(_place(path, state))) for _, state in states]


def reasons(path: Path, entry: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the rows that an entry no longer shows, each with the reason that its table gives."""
    for name, rows in entry["removed"].items():
        place = _place(path, entry["tables"][name])
        table = json.loads(_unpacked(place)) if place.is_file() else {"refused": []}
        said = {row["id"]: row["reason"] for row in table["refused"]}
        yield from ((row, said.get(row, "its files were taken away")) for row in rows)


def _place(path: Path, state: Mapping[str, Any]) -> Path:
    return path.parent / "history" / f"{state['table']}.json.gz"


def faults(path: Path) -> Iterator[str]:
    """Say where the chain is broken: an entry changed, missing or out of place, a table not kept."""
    previous = GENESIS
    for number, entry in enumerate(entries(path), 1):
        where = f"entry {number}"
        try:
            if entry["number"] != number:
                yield f"{where} is numbered {entry['number']}"
            if entry["previous"] != previous:
                yield f"{where} does not follow the entry before it"
            if entry["hash"] != _hash({key: value for key, value in entry.items() if key != "hash"}):
                yield f"{where} was changed after it was written"
            for name, state in entry["tables"].items():
                yield from _kept(_place(path, state), name, where)
            previous = entry["hash"]
        except (KeyError, TypeError, AttributeError):
            yield f"{where} is not an entry of a history"
            return


def _kept(path: Path, name: str, where: str) -> Iterator[str]:
    if not path.is_file():
        yield f"{where}: the table {name} is not kept"
        return
    try:
        same = hashlib.sha256(_unpacked(path)).hexdigest() == path.name.partition(".")[0]
    except DataError as error:
        yield f"{where}: {error.message}"
        return
    if not same:
        yield f"{where}: the kept table {name} was changed"


def _unpacked(path: Path) -> bytes:
    (data,) = open_files(path).values()
    return data


def _removed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[str]]:
    """Name the rows that stood in a table and no longer do."""
    found = {}
    for name, state in before.items():
        gone = sorted(set(state["rows"]) - set(after[name]["rows"]))
        if gone:
            found[name] = gone
    return found


def _hash(entry: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()
