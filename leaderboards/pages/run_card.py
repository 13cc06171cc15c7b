"""The card of one run by itself: its answers scored again, as a table of one row and as a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.files.writing import write

from ..board.scored import score
from ..board.shapes import Table
from ..board.tables import StoredRow, build_board
from ..board.task_card import task_card
from ..compare import read_any
from ..intake.tasks import OpenTask, reading_of
from ..plain import mapping
from .card import card_page
from .site import keep_picture, write_assets

Samples = Sequence[Mapping[str, Any]]


def run_card(path: Path, open_task: OpenTask) -> tuple[Table, Samples]:
    """Score a run or submission; one that answers only some rows is shown on those."""
    submission = read_any(path)
    about = submission.about
    digest = str(mapping(about["data"]).get("digest", ""))
    view = open_task(submission.task, str(about["split"]), digest, reading=reading_of(about))
    view = replace(view, examples=[e for e in view.examples if e.id in submission.outputs])
    scored = score(submission, view)
    row = StoredRow(submission.id, about, scored.facts, scored.draws, submission.evidence)
    table = build_board(task_card(view), [row])
    return {**table, "notice": list(view.notice.values())}, scored.samples


def write_page(table: Table, samples: Samples, folder: Path) -> Path:
    """Write the card as a page with what it needs beside it."""
    write_assets(folder)
    text = card_page(table, table["lines"][0], samples, lambda svg: keep_picture(folder, svg), root="")
    path = folder / "index.html"
    write(path, text)
    return path
