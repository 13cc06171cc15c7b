"""Saved answers and references, in the forms in which people keep them.

JSON lines   `text` (or `output`, `prediction`, `answer`, `predicted_answer`), `id` (or `question_id`),
             and where they are known `references` (or `reference`, `target`), `inputs`, `raw`,
             `choices` (or `options`; a list, or texts by letter), `choice_scores`, `evidence` (or
             `predicted_evidence`), `meta`
MolT5, LPM-24  a table with three columns, the last two headed "ground truth" and "output"
lines        one answer a line
zip          any of these alone in an archive, or as its `submit.txt`
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import DataError, Example, Pairs, Prediction

SUBMIT = "submit.txt"
CLS = "[CLS] "  # what some tokenizers leave before a caption; the MolT5 scorers cut exactly this

_TEXT = ("text", "output", "prediction", "answer", "predicted_answer")
_REFERENCES = ("references", "reference", "target", "ground truth")
_CHOICES = ("choices", "options")
_ID = ("id", "example_id", "question_id")


@dataclass(slots=True)
class Row:
    """One saved answer, with whatever else its file says about the row."""

    text: Any
    id: str = ""
    references: tuple[str, ...] | None = None
    raw: str = ""
    inputs: Mapping[str, str] | None = None
    choices: tuple[str, ...] = ()
    choice_scores: tuple[float, ...] = ()
    meta: Mapping[str, Any] | None = None
    evidence: tuple[str, ...] = ()


def read(path: Path) -> list[Row]:
    """Return the rows of a file; its form is recognised by its content."""
    if path.is_dir():
        path = path / "predictions.jsonl"
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None
    if zipfile.is_zipfile(io.BytesIO(data)):
        data = _unzip(data, path)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 at byte {error.start}", hint="convert it to UTF-8") from None
    lines = text.removesuffix("\n").replace("\r\n", "\n").split("\n") if text else []
    if not lines:
        raise DataError(f"{path} is empty")
    if lines[0].lstrip().startswith("{"):
        return [_from_json(line, f"{path} line {n}") for n, line in enumerate(lines, 1) if line.strip()]
    header = lines[0].split("\t")
    if header[1:] == ["ground truth", "output"]:
        return [_from_table(line, header[0], f"{path} line {n}") for n, line in enumerate(lines[1:], 2)]
    return [Row(line) for line in lines]


def pair(answers: Sequence[Row], references: Sequence[Row] | None, where: str, **facts: Any) -> Pairs:
    """Return rows to score: references from their own file, by id or in order, or from the answers' file."""
    if references is None:
        missing = [n for n, row in enumerate(answers, 1) if row.references is None]
        if missing:
            raise DataError(f"{where} row {missing[0]} has no reference", hint="--references FILE names them")
        matched = list(answers)
    else:
        matched = _matched(answers, references, where)
    rows = []
    for n, (answer, known) in enumerate(zip(answers, matched, strict=True)):
        name = answer.id or known.id or str(n)
        wanted = known.references if known.references is not None else (known.text,)
        example = Example(
            name,
            known.inputs or answer.inputs or {},
            wanted,
            known.meta or answer.meta or {},
            choices=known.choices or answer.choices,
        )
        rows.append(
            (
                example,
                Prediction(name, answer.text, answer.raw, answer.choice_scores, evidence=answer.evidence),
            )
        )
    return Pairs(rows, **facts)


def _matched(answers: Sequence[Row], references: Sequence[Row], where: str) -> list[Row]:
    by_id = {row.id: row for row in references if row.id}
    if by_id and all(row.id for row in answers):
        unknown = [row.id for row in answers if row.id not in by_id]
        if unknown:
            raise DataError(f"{where}: the references have no row with id {unknown[0]}")
        if len(answers) != len(references):
            raise DataError(f"{where} answers {len(answers):,} of {len(references):,} references")
        return [by_id[row.id] for row in answers]
    if len(answers) != len(references):
        raise DataError(f"{where} has {len(answers):,} answers for {len(references):,} references")
    return list(references)


def _unzip(data: bytes, path: Path) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        name = SUBMIT if SUBMIT in names else names[0] if len(names) == 1 else ""
        if not name:
            raise DataError(f"{path} holds {len(names)} files and no {SUBMIT}")
        return archive.read(name)


def _from_table(line: str, first: str, where: str) -> Row:
    fields = line.split("\t")
    if len(fields) != 3:
        raise DataError(f"{where} has {len(fields)} fields, expected 3")
    return Row(fields[2].removeprefix(CLS), references=(fields[1],), inputs={first: fields[0]})


def _from_json(line: str, where: str) -> Row:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise DataError(f"{where} is not JSON: {error}") from None
    if not isinstance(row, dict):
        raise DataError(f"{where} is no JSON object")
    text = _first(row, _TEXT)
    references = _first(row, _REFERENCES)
    if text is None and references is None and not any(key in row for key in _TEXT):
        raise DataError(f"{where} has none of {', '.join(_TEXT)}")
    if isinstance(references, str):
        references = [references]
    scores = row.get("choice_scores") or ()
    raw = row.get("raw") or ""
    evidence = row.get("predicted_evidence") or row.get("evidence") or ()
    return Row(
        text=text,
        id=str(_first(row, _ID) or ""),
        references=None if references is None else tuple(map(str, references)),
        raw=raw if isinstance(raw, str) else "",
        inputs=row.get("inputs"),
        choice_scores=tuple(float(s) for s in scores),
        meta=row.get("meta"),
        choices=_choices(_first(row, _CHOICES) or ()),
        evidence=tuple(map(str, evidence)) if isinstance(evidence, list) else (),
    )


def _first(row: Mapping[str, Any], keys: Sequence[str]) -> Any:
    return next((row[key] for key in keys if row.get(key) is not None), None)


def _choices(found: Any) -> tuple[str, ...]:
    return tuple(map(str, found.values() if isinstance(found, dict) else found))
