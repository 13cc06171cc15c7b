"""Scores every row anew and says where a stored number is not what comes out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness import DataError, HarnessError, TaskView
from harness.files.digests import file_digest

from ..board.build import build
from ..board.history import entries, faults
from ..board.scored import Scored, score, toolkit
from ..board.shapes import Table
from ..board.store import SCORED, Store
from ..board.tables import StoredRow
from ..intake.foreign import import_foreign
from ..intake.submission import Submission
from ..intake.tasks import OpenTask, reading_of
from ..plain import digest, mapping

TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Finding:
    """What verifying one row (or table, or the history) gave: `same`, `differs` or `unchecked`."""

    what: str
    verdict: str
    reason: str = ""


def verify(store: Store, open_task: OpenTask, originals: Path | None = None) -> Iterator[Finding]:
    """Check every row, every table and the history."""
    store.check()
    for folder in store.row_folders():
        yield from _row(store, folder, open_task, originals)
    tables = build(store)
    yield from _tables(store, tables)
    broken = [*faults(store.history), *([] if _torn(store) else _gone(store, tables))]
    yield from (Finding("history.jsonl", "differs", reason) for reason in broken)


def _row(store: Store, folder: Path, open_task: OpenTask, originals: Path | None) -> Iterator[Finding]:
    name = f"{folder.parent.name}/{folder.name}"
    if not (folder / SCORED).exists():
        yield Finding(name, "differs", "it has no scores: leaderboard build, with its data, makes them")
        return
    stored = store.row(folder)
    about = stored.about
    try:
        digest = str(mapping(about["data"]).get("digest", ""))
        source = _source(store, about, originals)
        view = open_task(about["task"], about["split"], digest, source, reading_of(about))
    except HarnessError as error:
        yield Finding(name, "unchecked", error.message)
        return
    try:
        submission = answers(store, folder, view, originals)
    except NotKept as error:
        yield Finding(name, "unchecked", error.message)
        return
    except HarnessError as error:
        yield Finding(name, "differs", error.message)
        return
    yield from _scored_again(name, submission, view, stored)


def _source(store: Store, about: Mapping[str, Any], originals: Path | None) -> str:
    """Return the data that a row kept elsewhere answers, or nothing where it is not said."""
    file = mapping(about.get("origin")).get("file")
    if originals is None or file is None or not store.has_originals:
        return ""
    data = [str(row["data"]) for row in store.originals() if row["file"] == file]
    return str(originals / data[0]) if data and not data[0].startswith("blind-") else ""


def _scored_again(name: str, submission: Submission, view: TaskView, row: StoredRow) -> Iterator[Finding]:
    stored = row.facts
    if submission.digest != stored["answers"]["sha256"]:
        reason = f"its answers have the hash {submission.digest}, {stored['answers']['sha256']} was scored"
        yield Finding(name, "differs", reason)
        return
    try:
        scored = score(submission, view)
    except HarnessError as error:
        yield Finding(name, "differs", error.message)
        return
    now = scored.facts
    aside = _without_training(stored, now)
    texts = [*differences(stored, now, aside), *_others(row, scored, aside)]
    new = len(now["scores"].keys() - stored["scores"].keys())
    gained = f"; {new} more since it was scored" if new else ""
    same = Finding(name, "same", f"{len(stored['scores'])} metrics and health{gained}")
    yield from [Finding(name, "differs", text) for text in texts] or [same]
    if aside and "copied" in stored["health"]:
        what = ", ".join(sorted(aside))
        yield Finding(name, "unchecked", f"{what}: scored beside training rows that are not here")


def _without_training(stored: Mapping[str, Any], now: Mapping[str, Any]) -> frozenset[str]:
    """Name what cannot be compared because one of two scorings had no training rows beside it."""
    if ("copied" in stored["health"]) == ("copied" in now["health"]):
        return frozenset()
    one, other = stored["scores"], now["scores"]
    halves = {
        name
        for name in one
        if name in other and (one[name]["value"] is None) != (other[name]["value"] is None)
    }
    return frozenset({"copied", "clean", *halves})


class NotKept(DataError):
    """The answers of a row are kept elsewhere and cannot be read here."""


def answers(store: Store, folder: Path, view: TaskView, originals: Path | None) -> Submission:
    """Return a row's submission: kept here, or read again from the file that it came from."""
    if (kept := store.submission(folder)) is not None:
        return kept
    about = store.about(folder)
    origin = mapping(about.get("origin"))
    if originals is None or "file" not in origin:
        raise NotKept("its answers are not kept here", hint="--originals DIR names the folder of its file")
    path = originals / str(origin["file"])
    if not path.is_file():
        raise NotKept(f"its answers are not kept here, and there is no {path}")
    read = import_foreign(path, view, str(about["name"]), str(origin.get("form", "")))
    if read.about["origin"]["sha256"] != origin.get("sha256"):
        raise DataError(f"{path} is not the file that was scored: its hash differs")
    return Submission(about, read.outputs, read.notes, store.evidence(folder))


def differences(stored: Mapping[str, Any], now: Mapping[str, Any], aside: frozenset[str]) -> Iterator[str]:
    """Say for each stored metric where its value or interval is not what scoring gives now.

    A metric that the task has gained since is no fault of the row; building the table adds it.
    """
    kits = f"(stored with {_versions(stored['toolkit'])}; here {_versions(toolkit())})"
    for metric, before in sorted(stored["scores"].items()):
        if metric in aside:
            continue
        after = now["scores"].get(metric)
        if after is None:
            yield f"{metric}: no longer computed {kits}"
            continue
        numbers = [("value", before["value"], after["value"])]
        bounds = (before["interval"] or [None] * 2, after["interval"] or [None] * 2)
        numbers += [(label, *pair) for label, *pair in zip(("low end", "high end"), *bounds, strict=True)]
        for label, old, new in numbers:
            if not _close(old, new):
                yield f"{metric}: {label} stored {old!r}, computed {new!r} {kits}"
                break


def _others(row: StoredRow, now: Scored, aside: frozenset[str]) -> Iterator[str]:
    """Say what else a table shows of a row and scoring does not give: parts, health, resamples."""
    for part in ("details", "health", "clean", "signature"):
        before, after = (_comparable(facts[part], aside) for facts in (row.facts, now.facts))
        if part not in aside and before != after:
            yield f"{part}: stored {row.facts[part]!r:.200}, computed {now.facts[part]!r:.200}"
    common = [name for name in row.facts["drawn"] if name in now.facts["drawn"]]
    places = [now.facts["drawn"].index(name) for name in common]
    for name, mine in zip(common, now.draws[places], strict=True):
        kept = row.drawn(name)
        if kept is None or not np.allclose(kept, mine, rtol=1e-5, atol=1e-6, equal_nan=True):
            yield f"{name}: its resamples, which ranks are made of, are not those of its answers"


def _comparable(part: Any, aside: frozenset[str]) -> Any:
    """Return facts rounded, without the text that a row whose answers are kept elsewhere leaves out."""
    if isinstance(part, Mapping):
        return {k: _comparable(v, aside) for k, v in part.items() if k != "answer" and k not in aside}
    return round(part, 9) if isinstance(part, float) else part


def _close(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= TOLERANCE


def _versions(kit: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in kit.items())


def _torn(store: Store) -> bool:
    return next(faults(store.history), None) is not None


def _gone(store: Store, tables: Sequence[Table]) -> Iterator[str]:
    """Name the rows of the last entry that no table holds any more, nor says why it leaves them out."""
    here: dict[str, set[str]] = {}
    for table in tables:
        members = {member["id"] for line in table["lines"] for member in line["members"]}
        here[table["id"]] = members | {row["id"] for row in table["refused"]}
    for entry in entries(store.history)[-1:]:
        for name, state in entry["tables"].items():
            if gone := sorted(set(state["rows"]) - here.get(name, set())):
                yield f"entry {entry['number']} has rows of {name} that are gone: {', '.join(gone)}"


def _tables(store: Store, tables: Sequence[Table]) -> Iterator[Finding]:
    """Compare the tables that the stored rows give with what was built, or published, last."""
    built = {table["id"]: table for table in tables}
    said = {path.stem: file_digest(path) for path in store.tables.glob("*.json")}
    for entry in [] if _torn(store) else entries(store.history)[-1:]:
        said = {name: state["table"] for name, state in entry["tables"].items()} | said
    for name, digested in sorted(said.items()):
        if name not in built:
            yield Finding(f"tables/{name}.json", "differs", "no rows of this board give such a table")
        elif digest(built[name]) != digested:
            yield Finding(f"tables/{name}.json", "differs", "it is not what the rows of this board give")
        else:
            yield Finding(f"tables/{name}.json", "same")
