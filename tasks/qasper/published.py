"""QASPER's files: JSON objects keyed by paper, the hub's Parquet tables, and SciMRC's lines of papers.

Paragraphs get ids by their place (`p3`), captions too (`f0`). Evidence that differs from a paragraph by
outer white space alone (176 of 5,747 in the test file) is that paragraph; evidence that is no passage, such
as a heading, keeps its own text as its id.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness import DataError, Passage
from harness.data.parquet import read_parquet

from .paper import FLOATING, UNANSWERABLE, Answer, Paper, Question

Record = Mapping[str, Any]


def read(path: Path) -> Iterator[Paper]:
    """Yield the papers of a file; the first fault ends it, with the paper that has it."""
    for name, record in _records(path):
        try:
            yield paper(name, record)
        except (KeyError, TypeError, AttributeError, IndexError) as error:
            raise DataError(
                f"{path}: paper {name} is not in QASPER's form: {type(error).__name__} {error}",
                hint="a paper has title, abstract, full_text and qas",
            ) from error


def _records(path: Path) -> Iterator[tuple[str, Record]]:
    if path.suffix == ".parquet":
        yield from _parquet(path)
        return
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8")
            if path.suffix == ".gz"
            else path.open(encoding="utf-8") as stream
        ):
            text = stream.read()
        lines = path.with_suffix("").suffix == ".jsonl" if path.suffix == ".gz" else path.suffix == ".jsonl"
        held = [json.loads(line) for line in text.splitlines() if line.strip()] if lines else json.loads(text)
    except (OSError, EOFError, zlib.error, ValueError, RecursionError) as error:
        raise DataError(f"{path} is no JSON that can be read: {error}") from error
    named = held.items() if isinstance(held, dict) else enumerate(held)
    for name, record in named:
        if not isinstance(record, dict):
            raise DataError(f"{path}: paper {name} is a {type(record).__name__}, expected an object")
        yield str(record.get("id", name)), record


def _parquet(path: Path) -> Iterator[tuple[str, Record]]:
    try:
        for row in read_parquet(path, 64):
            yield str(row["id"]), _from_columns(row)
    except KeyError as error:
        raise DataError(f"{path} is no Parquet table of QASPER: {error}") from error


def _from_columns(row: Record) -> Record:
    """Turn the hub's lists of columns into the objects of the published JSON."""

    def objects(columns: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
        return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]

    questions = [question | {"answers": objects(question["answers"])} for question in objects(row["qas"])]
    shown = objects(row.get("figures_and_tables") or {})
    return {**row, "full_text": objects(row["full_text"]), "figures_and_tables": shown, "qas": questions}


def paper(name: str, record: Record) -> Paper:
    """Read one paper."""
    passages = _passages(record)
    ids = {passage.text: passage.id for passage in reversed(passages)}
    ids |= {passage.text.strip(): passage.id for passage in reversed(passages)}
    questions = tuple(
        Question(
            str(asked.get("question_id", f"{name}-{number}")),
            asked["question"].strip(),
            tuple(_answer(given, ids) for given in asked["answers"]),
        )
        for number, asked in enumerate(record["qas"])
    )
    return Paper(name, record.get("title") or "", record.get("abstract") or "", tuple(passages), questions)


def _passages(record: Record) -> list[Passage]:
    texts: dict[str, Passage] = {}
    number = 0
    for section in record["full_text"]:
        heading = section.get("section_name") or ""
        for text in section["paragraphs"]:
            if text.strip():
                texts.setdefault(text.strip(), Passage(f"p{number}", text.strip(), heading))
            number += 1
    for place, shown in enumerate(record.get("figures_and_tables") or ()):
        text = f"{FLOATING}: {shown['caption']}".strip()
        texts.setdefault(text, Passage(f"f{place}", text))
    return list(texts.values())


def _answer(given: Record, ids: Mapping[str, str]) -> Answer:
    """Read an annotator's answer as QASPER's own evaluator does."""
    said = given["answer"]
    kind, text = _kind_and_text(said)
    if kind == "none":
        return Answer(kind, text, (), str(given.get("worker_id", "")))
    evidence = _names(said["evidence"], ids)
    marked = (*said["evidence"], *(said.get("highlighted_evidence") or ()))
    spans = tuple(said["extractive_spans"] or ())
    return Answer(kind, text, evidence, str(given.get("worker_id", "")), spans, marked)


def _kind_and_text(said: Record) -> tuple[str, str]:
    if said["unanswerable"]:
        return "none", UNANSWERABLE
    if said["extractive_spans"]:
        return "extractive", ", ".join(said["extractive_spans"])
    if said["free_form_answer"]:
        return "abstractive", said["free_form_answer"]
    return "boolean", "Yes" if said["yes_no"] else "No"


def _names(evidence: Iterable[str], ids: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(ids.get(text) or ids.get(text.strip()) or text for text in evidence)
