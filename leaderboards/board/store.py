"""The folder of a board: rows as they were handed in and scored, and what is built from them.

rows/<task>/<id>/submission.json  predictions.jsonl.gz     as handed in (or only its hash)
                 scored.json  draws.npy  samples.json.gz   as scored here
                 evidence.json                             what the keepers add: how far it is trusted
tasks/<table>.json                                         each table's task, versions and fixed points
reported/*.json                                            numbers as printed elsewhere
history.jsonl  history/<hash>.json.gz                      the chain of what was published, and its tables
tables/<table>.{json,md,csv,tex}  site/                    what is built of all this
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness import DataError, UsageError
from harness.files.archives import open_files, packed
from harness.files.finished import PREDICTIONS
from harness.files.json_files import read_json
from harness.files.locks import alone
from harness.files.writing import write

from ..intake.submission import ABOUT, Submission, checked_about, outputs_as_bytes, read_outputs
from ..plain import canonical, slug
from .scored import Scored
from .tables import StoredRow, board_id

SCORED, DRAWS, SAMPLES, EVIDENCE = "scored.json", "draws.npy", "samples.json.gz", "evidence.json"

PUBLISHED = Path(__file__).parent.parent / "published"  # the board that comes with the program
ORIGINALS = "originals.json"  # rows whose answers are kept elsewhere: their files, data and sources


@dataclass(frozen=True, slots=True)
class Store:
    """A board's folder."""

    root: Path

    @property
    def tables(self) -> Path:
        """Where tables are written."""
        return self.root / "tables"

    @property
    def history(self) -> Path:
        """The chain of what was built."""
        return self.root / "history.jsonl"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the right to change the board; another process that wants to waits."""
        with alone(self.root / ".lock"):
            yield

    def folder(self, task: str, row: str) -> Path:
        """Return the folder of a row."""
        return self.root / "rows" / slug(task) / row

    def row_folders(self) -> Iterator[Path]:
        """Yield the folders of all rows, in a fixed order."""
        yield from sorted(path.parent for path in (self.root / "rows").glob(f"*/*/{ABOUT}"))

    def put(
        self, submission: Submission, scored: Scored, ids: list[str], *, keep_answers: bool = True
    ) -> Path:
        """Keep a submission with its scores; the same answers under the same name stay one row."""
        folder = self.folder(submission.task, submission.id)
        write(folder / ABOUT, canonical(dict(submission.about)))
        if keep_answers:
            write(folder / f"{PREDICTIONS}.gz", outputs_as_bytes(submission.outputs, ids))
        self.put_scored(folder, scored if keep_answers else _without_texts(scored), keep_samples=keep_answers)
        if submission.evidence:
            self.put_evidence(folder, {**self.evidence(folder), **submission.evidence})
        return folder

    def put_evidence(self, folder: Path, evidence: Mapping[str, Any]) -> None:
        """Write what the keepers add to a row."""
        write(folder / EVIDENCE, canonical(dict(evidence)))

    def put_scored(self, folder: Path, scored: Scored, *, keep_samples: bool = True) -> None:
        """Write what scoring gave."""
        write(folder / SCORED, canonical(dict(scored.facts)))
        array = io.BytesIO()
        np.save(array, scored.draws, allow_pickle=False)
        write(folder / DRAWS, array.getvalue())
        if keep_samples:
            write(folder / SAMPLES, packed(canonical(list(scored.samples)).encode()))

    def samples(self, task: str, row: str) -> list[dict[str, Any]]:
        """Return the answers that a row's card shows; none where answers are kept elsewhere."""
        path = self.folder(task, row) / SAMPLES
        found: list[dict[str, Any]] = json.loads(open_files(path)["samples.json"]) if path.exists() else []
        return found

    def submission(self, folder: Path) -> Submission | None:
        """Read a row's submission; None where only the hash of its answers is kept."""
        path = folder / f"{PREDICTIONS}.gz"
        if not path.exists():
            return None
        about, _ = checked_about((folder / ABOUT).read_bytes(), str(folder / ABOUT))
        answers = open_files(path)[PREDICTIONS]
        return Submission(about, read_outputs(answers, str(path)), (), self.evidence(folder))

    def row(self, folder: Path) -> StoredRow:
        """Read a scored row."""
        facts = read_json(folder / SCORED)
        try:
            draws = np.load(folder / DRAWS, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise DataError(f"{folder / DRAWS} cannot be read: {error}") from error
        if len(draws) != len(facts["drawn"]):
            raise DataError(f"{folder / DRAWS} does not belong to {SCORED}", hint="leaderboard add it again")
        return StoredRow(folder.name, self.about(folder), facts, draws, self.evidence(folder))

    def about(self, folder: Path) -> Mapping[str, Any]:
        """Read what a row's maker says of it."""
        about: Mapping[str, Any] = read_json(folder / ABOUT)
        return about

    def evidence(self, folder: Path) -> Mapping[str, Any]:
        """Read what the keepers add to a row."""
        found: Mapping[str, Any] = read_json(folder / EVIDENCE) if (folder / EVIDENCE).exists() else {}
        return found

    def put_card(self, card: Mapping[str, Any]) -> None:
        """Keep a table's task; fixed points that could not be computed this time stay as they were known."""
        path = self.root / "tasks" / f"{board_id(card)}.json"
        before = read_json(path)["metrics"] if path.exists() else []
        known = {(metric["name"], metric["version"]): metric["reference"] for metric in before}
        metrics = [
            {**metric, "reference": metric["reference"] or known.get((metric["name"], metric["version"]))}
            for metric in card["metrics"]
        ]
        write(path, canonical({**card, "metrics": metrics}))

    def cards(self) -> list[dict[str, Any]]:
        """Return every table's task, in a fixed order."""
        paths = sorted((self.root / "tasks").glob("*.json"), key=lambda path: path.stem)
        return [read_json(path) for path in paths]

    def reported(self) -> list[dict[str, Any]]:
        """Return the numbers that were printed elsewhere, with their sources and what their columns are."""
        found = []
        for path in sorted((self.root / "reported").glob("*.json")):
            kept = read_json(path)
            found += [row | {"columns": kept.get("metrics", {})} for row in kept["rows"]]
        return found

    @property
    def has_originals(self) -> bool:
        """Whether the board has rows whose answers are kept elsewhere."""
        return (self.root / ORIGINALS).is_file()

    def originals(self) -> list[dict[str, Any]]:
        """Return what is known of rows whose answers are kept elsewhere."""
        if not self.has_originals:
            raise UsageError(f"{self.root} has no {ORIGINALS}", hint="leaderboard add PATH")
        rows: list[dict[str, Any]] = read_json(self.root / ORIGINALS)["rows"]
        return rows

    def check(self) -> None:
        """Refuse a folder that is no board."""
        if not self.root.is_dir():
            raise UsageError(
                f"there is no board at {self.root}", hint="leaderboard add SUBMISSION --board DIR makes one"
            )


def _without_texts(scored: Scored) -> Scored:
    """Return what scoring gave without any answer in it."""
    health = dict(scored.facts["health"])
    health["commonest"] = {**health["commonest"], "answer": ""}
    return Scored({**scored.facts, "health": health}, scored.draws)
