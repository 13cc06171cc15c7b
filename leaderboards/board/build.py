"""Adds submissions to a board and builds its tables: the same store always gives the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness import DataError, HarnessError, TaskView, UsageError, nearest
from harness.files.archives import open_files
from harness.files.finished import RECORD

from ..intake import foreign as bare
from ..intake import rules
from ..intake import submission as carded
from ..intake.foreign import import_foreign
from ..intake.from_run import find_runs, from_run
from ..intake.submission import ABOUT, Submission
from ..intake.tasks import OpenTask, Reading, reading_of
from ..plain import mapping
from .scored import Scored, key_of, score
from .shapes import Table
from .store import SCORED, Store
from .tables import StoredRow, build_board
from .task_card import task_card

Say = Callable[[str], None]
Place = tuple[str, str, str, str, Reading]  # what a task is opened by


@dataclass(frozen=True, slots=True)
class Added:
    """Something that was handed in and stands on the board now."""

    source: str
    folder: Path
    submission: Submission
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """Something that was handed in and is not on the board."""

    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class Foreign:
    """What bare answers do not say of themselves."""

    task: str = ""
    split: str = "test"
    source: str = ""
    name: str = ""
    form: str = ""
    origin: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Keeping:
    """What the keepers of a board say of something that is handed in."""

    again: Path | None = None  # a run here that gave the same answers
    replaces: str = ""  # the row of the same submitter that it takes the place of
    batch: str = ""  # what was handed in together


def add(
    store: Store, path: Path, open_task: OpenTask, foreign: Foreign, keeping: Keeping | None = None
) -> Added:
    """Score a submission, a run or bare answers, and keep it; a fault is raised as one sentence.

    A run that is handed in is trusted no more than any submission: its record is its maker's own.
    """
    if (path / RECORD).is_file():
        submission = replace(from_run(path, foreign.name), evidence={})
    elif carded.ABOUT in (files := open_files(path)):
        submission = carded.from_files(files, path)
    else:
        if not foreign.task:
            raise UsageError(f"{path} does not say which task it answers", hint="--task NAME --name NAME")
        view = open_task(foreign.task, foreign.split, source=foreign.source)
        submission = bare.from_files(files, path, view, foreign.name, foreign.form, **foreign.origin)
    keeping = keeping or Keeping()
    evidence = {} if keeping.again is None else rules.reproduction(submission, from_run(keeping.again))
    if keeping.replaces:
        evidence["replaces"] = _replaceable(store, submission, keeping.replaces, evidence)
    if keeping.batch:
        evidence["batch"] = keeping.batch
    submission = replace(submission, evidence=evidence)
    return hand_in(store, str(path), submission, open_task, foreign.source)


def _replaceable(store: Store, submission: Submission, row: str, evidence: Mapping[str, Any]) -> str:
    """Return a row that a submission may take the place of: there, another one, and not trusted more."""
    folder = store.folder(submission.task, row)
    if not (folder / ABOUT).is_file() or row == submission.id:
        known = [path.name for path in store.row_folders() if path.parent == folder.parent]
        raise UsageError(f"{submission.task} has no other row '{row}'", hint=nearest(row, known))
    if rules.trust(store.evidence(folder)) > rules.trust(evidence):
        raise DataError(
            f"'{row}' is trusted more than what should replace it",
            hint="--reproduced-by RUN raises the trust of a submission",
        )
    return row


def withdraw(store: Store, row: str, reason: str) -> Path:
    """Take a row out of its table for a reason, which the table and its history show; its files stay."""
    folders = {folder.name: folder for folder in store.row_folders()}
    if row not in folders:
        raise UsageError(f"{store.root} has no row '{row}'", hint=nearest(row, folders))
    store.put_evidence(folders[row], {**store.evidence(folders[row]), "withdrawn": reason})
    return folders[row]


def hand_in(store: Store, source: str, submission: Submission, open_task: OpenTask, data: str = "") -> Added:
    """Score a submission that has been read and keep it; a fault is raised as one sentence."""
    about = submission.about
    digest = str(mapping(about["data"]).get("digest", ""))
    view = open_task(submission.task, str(about["split"]), digest, data, reading_of(about))
    if reason := rules.refusal(submission, view):
        raise DataError(f"'{submission.name}' is refused: {reason}")
    _check_place(store, submission)
    return _keep(store, source, submission, view, open_task)


def _check_place(store: Store, submission: Submission) -> None:
    """Refuse to write over a row that is another's, or trusted more than what would be written."""
    folder = store.folder(submission.task, submission.id)
    if not (folder / SCORED).is_file():
        return
    if store.row(folder).facts["answers"]["sha256"] != submission.digest:
        raise DataError(f"another row is called {submission.id}", hint="choose another --name")
    if rules.trust(store.evidence(folder)) > rules.trust(submission.evidence):
        raise DataError(f"'{submission.name}' is on the board already, as {folder.name}, and trusted more")


def _keep(
    store: Store,
    source: str,
    submission: Submission,
    view: TaskView,
    open_task: OpenTask,
    *,
    keep_answers: bool = True,
) -> Added:
    """Score a submission that is in order and put it on the board, with or without its answers."""
    scored = score(submission, view)
    store.put_card(_card(view, open_task))
    ids = [example.id for example in view.examples]
    folder = store.put(submission, scored, ids, keep_answers=keep_answers)
    return Added(source, folder, submission, notes=[*submission.notes, *_without_value(scored)])


def _card(view: TaskView, open_task: OpenTask) -> dict[str, Any]:
    """Describe a task for its table, and say whether its options changed the rows of a sample.

    The passages of a retriever, say: what was asked with others is not what the sample's own table is about.
    """
    card = task_card(view)
    if view.sample and view.task.options != view.task.Options():
        plain = open_task(view.name, view.split, source=view.task.data.source)
        if plain.digest != view.digest:
            card["changed"] = True
    return card


def add_originals(store: Store, originals: Path, open_task: OpenTask, say: Say) -> list[Added | Refused]:
    """Score the answers that originals.json names and keep their scores and hashes, never the answers."""
    found: list[Added | Refused] = []
    for row in store.originals():
        path = originals / row["file"]
        if not path.is_file():
            found.append(Refused(str(path), "it is not there"))
            continue
        say(f"scoring {row['name']} on {row['task']}")
        blind = row["data"].startswith("blind-")
        view = open_task(
            row["task"],
            row["split"],
            row["data"] if blind else "",
            "" if blind else str(originals / row["data"]),
        )
        origin = {key: row[key] for key in ("file", "source", "licence", "note") if key in row}
        submission = import_foreign(path, view, row["name"], row["form"], **origin)
        found.append(_keep(store, str(path), submission, view, open_task, keep_answers=False))
    return found


def _without_value(scored: Scored) -> Iterator[str]:
    """Say which metrics a row has no value of, those of one reason together."""
    names: dict[str, list[str]] = {}
    for name, found in scored.facts["scores"].items():
        if found["value"] is None:
            names.setdefault(found["note"] or "it gave no value", []).append(name)
    for reason, metrics in names.items():
        yield f"no value of {', '.join(metrics)}: {reason}"


def add_runs(
    store: Store, runs: Path, open_task: OpenTask, tasks: Sequence[str], say: Say
) -> list[Added | Refused]:
    """Add every finished run below a folder; one that is refused stops nothing and says why."""
    found: list[Added | Refused] = []
    for directory in find_runs(runs):
        try:
            submission = from_run(directory)
            if tasks and submission.task not in tasks:
                continue
            folder = store.folder(submission.task, submission.id)
            if _is_known(store, folder, submission):
                found.append(Added(str(directory), folder, submission))
                continue
            say(f"scoring {submission.name} on {submission.task}")
            found.append(hand_in(store, str(directory), submission, open_task))
        except HarnessError as error:
            found.append(Refused(str(directory), error.message))
        except Exception as error:  # noqa: BLE001  whatever is wrong with one run costs the others nothing
            found.append(Refused(str(directory), f"{type(error).__name__}: {error}"))
    return found


def _is_known(store: Store, folder: Path, submission: Submission) -> bool:
    """Whether a run stands in the store as it is and is trusted; build() keeps its scores current."""
    known = (folder / SCORED).exists() and store.about(folder) == submission.about
    return known and rules.trust(store.evidence(folder)) >= rules.trust(submission.evidence)


def build(store: Store, open_task: OpenTask | None = None, tasks: Sequence[str] = ()) -> list[Table]:
    """Build the tables of a store.

    With `open_task`, a row whose scores are not those of today's code is scored anew first. Without the
    task's data the stored scores stand: `verify` is what tells whether they are right.
    """
    store.check()
    refused: list[dict[str, Any]] = []
    views: dict[Place, TaskView | None] = {}
    for folder in store.row_folders():
        if open_task is not None and (not tasks or store.about(folder)["task"] in tasks):
            _refresh(store, folder, open_task, views, refused)
    for view in views.values():
        if view is not None and open_task is not None:
            store.put_card(_card(view, open_task))
    cards = [card for card in store.cards() if not tasks or card["task"] in tasks]
    rows = [store.row(folder) for folder in store.row_folders() if (folder / SCORED).exists()]
    reported = store.reported()
    tables = []
    for card in cards:
        mine, other = _sorted_out(rows, card)
        out = [row for row in refused if row["task"] == card["task"]]
        printed = [row for row in reported if _belongs(row, card)]
        tables.append(build_board(card, mine, printed, [*out, *other]))
    return tables


def _refresh(
    store: Store,
    folder: Path,
    open_task: OpenTask,
    views: dict[Place, TaskView | None],
    refused: list[dict[str, Any]],
) -> None:
    about = store.about(folder)
    digest = str(mapping(about["data"]).get("digest", ""))
    place = (about["task"], about["split"], digest, "", reading_of(about))
    if place not in views:
        try:
            views[place] = open_task(*place)
        except HarnessError:
            views[place] = None  # its data is not here; what is stored stands
    view = views[place]
    if view is None or (submission := store.submission(folder)) is None:
        return
    if reason := rules.refusal(submission, view):
        refused.append({"id": folder.name, "task": submission.task, "reason": reason})
        return
    known = (folder / SCORED).exists() and store.row(folder).facts["key"] == key_of(submission, view)
    if not known:
        store.put_scored(folder, score(submission, view))


def _sorted_out(
    rows: Iterable[StoredRow], card: Mapping[str, Any]
) -> tuple[list[StoredRow], list[dict[str, Any]]]:
    """Part the rows of a table from those of its task that answer other rows or another version."""
    mine, other = [], []
    for row in rows:
        about = row.about
        if about["task"] != card["task"] or about["split"] != card["split"]:
            continue
        version = about.get("task_version", card["version"])
        data = mapping(about["data"]).get("digest", card["digest"])
        if data == card["digest"] and version == card["version"]:
            mine.append(row)
        elif data == card["digest"]:
            reason = f"it answers version {version} of the task; kept apart from version {card['version']}"
            other.append({"id": row.id, "reason": reason})
    return mine, other


def _belongs(row: Mapping[str, Any], card: Mapping[str, Any]) -> bool:
    """Reported numbers stand under the table of real rows that they name, never under a sample."""
    return (
        row["task"] == card["task"]
        and row.get("split", "test") == card["split"]
        and not card["sample"]
        and row["data"] in (card["digest"], "")
    )
