"""Builds a pseudo-data set: find a neighbour, write, filter, drop repeats and leaks, say whence each row is.

Rows are appended as they are made, with every rejection beside them, so the same command continues after
a kill; the finished file is JSON lines, or a JSON array as ada-T5's release reads.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from rdkit import Chem, rdBase

from harness.api import DataError, Progress, UsageError
from harness.chem.smiles import molecule
from harness.files.locks import alone
from harness.files.rows import heal_rows, line_of, read_rows
from harness.files.writing import write, writing
from harness.retrieval.structure import MorganIndex

from . import filters
from .sources import read_smiles
from .writers import PROMPT, Item, Writer

BATCH = 512
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Settings:
    """What decides which rows come out."""

    least_similarity: float = 0.3
    fewest_words: int = 5
    most_words: int = 400
    limit: int | None = None  # rows written


@dataclass(frozen=True, slots=True)
class Described:
    """Molecules with captions, and the molecules that must not appear in what is built."""

    smiles: Sequence[str]
    captions: Sequence[str]
    forbidden: frozenset[str] = frozenset()  # first InChIKey blocks
    digest: str = ""


@dataclass(slots=True)
class Report:
    """What became of the molecules."""

    written: int = 0
    rejected: Counter[str] = field(default_factory=Counter)


def connectivity(mol: Any) -> str:
    """Return the first block of a molecule's InChIKey; molecules without one stand for themselves."""
    with rdBase.BlockLogs():
        key: str = Chem.MolToInchiKey(mol)  # type: ignore[no-untyped-call]
    return key[:14] or Chem.MolToSmiles(mol)


def forbidden_blocks(smiles: Iterable[str]) -> frozenset[str]:
    """Return the connectivity of molecules that belong to test sets."""
    return frozenset(connectivity(mol) for text in smiles if (mol := molecule(text)) is not None)


def build(
    source: Path, described: Described, writer: Writer, out: Path, settings: Settings, progress: Progress
) -> Report:
    """Write `out` from the unlabelled molecules of `source`; what is there already is kept and continued.

    A second program that writes the same file waits for the first.
    """
    with alone(out.with_name(f".{out.name}.lock")):
        return _build(source, described, writer, out, settings, progress)


def _build(
    source: Path, described: Described, writer: Writer, out: Path, settings: Settings, progress: Progress
) -> Report:
    journal = out.with_name(f".{out.name}.rows")  # hidden: the folder may be read as data
    header = {
        "source": source.name,
        "described": described.digest,
        "writer": writer.name,
        "prompt": PROMPT.digest,
        "least_similarity": settings.least_similarity,
        "words": [settings.fewest_words, settings.most_words],
    }
    seen, report = _continued(journal, header)
    neighbours = MorganIndex(described.smiles)
    if not len(neighbours):
        raise DataError("none of the described molecules can be read")
    own = forbidden_blocks(described.smiles)
    progress.start("describing", settings.limit, "molecules")
    progress.advance(report.written)
    items = _items(source, described, neighbours, own, seen, settings)
    with journal.open("ab") as stream:
        while settings.limit is None or report.written < settings.limit:
            batch = list(islice(items, BATCH))
            if not batch:
                break
            rows = [entry for entry in batch if isinstance(entry, dict)]
            asked = [entry for entry in batch if isinstance(entry, Item)]
            for row in rows:
                _append(stream, row, report)
            for item, text in writer(asked):
                row = _row(item, text, writer.name, settings)
                _append(stream, row, report)
                progress.advance(int("rejected" not in row), rejected=report.rejected.total())
    progress.finish()
    _publish(journal, out, settings.limit)
    return report


def _items(
    source: Path,
    described: Described,
    neighbours: MorganIndex,
    own: frozenset[str],
    seen: set[str],
    settings: Settings,
) -> Iterator[Item | dict[str, Any]]:
    """Yield molecules with a neighbour, and a rejection for each that cannot be used."""
    for line, smiles in read_smiles(source):
        mol = molecule(smiles)
        key = f"line {line}" if mol is None else connectivity(mol)
        if key in seen:
            continue
        seen.add(key)
        if mol is None:
            yield {"key": key, "smiles": smiles, "rejected": "unreadable SMILES"}
        elif key in described.forbidden:
            yield {"key": key, "smiles": smiles, "rejected": "in a test set"}
        elif key in own:
            yield {"key": key, "smiles": smiles, "rejected": "described already"}
        elif (near := neighbours.nearest(mol)) is None or near.score < settings.least_similarity:
            yield {"key": key, "smiles": smiles, "rejected": "no similar described molecule"}
        else:
            beside = described.smiles[near.place]
            yield Item(
                key,
                Chem.MolToSmiles(mol),
                mol,
                beside,
                described.captions[near.place],
                molecule(beside),
                near.score,
            )


def _row(item: Item, text: str, writer: str, settings: Settings) -> dict[str, Any]:
    caption = filters.cleaned(text)
    reason = filters.fault(caption, fewest_words=settings.fewest_words, most_words=settings.most_words)
    row: dict[str, Any] = {"key": item.key, "smiles": item.smiles}
    if reason:
        return row | {"rejected": reason, "text": caption[:200]}
    origin = {"writer": writer, "neighbour": item.neighbour_smiles, "similarity": round(item.similarity, 4)}
    return row | {"description": caption, "provenance": origin}


def _append(stream: BinaryIO, row: dict[str, Any], report: Report) -> None:
    stream.write(line_of(row))
    stream.flush()  # a row may have cost a second of a large model
    _count(row, report)


def _count(row: dict[str, Any], report: Report) -> None:
    if reason := row.get("rejected"):
        report.rejected[reason if not reason[0].isdigit() else "length"] += 1
    else:
        report.written += 1


def _continued(journal: Path, header: dict[str, Any]) -> tuple[set[str], Report]:
    """Return what an earlier start has done; other settings may not be mixed into one file."""
    seen: set[str] = set()
    report = Report()
    if not journal.exists():
        write(journal, line_of(header))
        return seen, report
    if damaged := heal_rows(journal):
        logger.warning("%s: %d damaged rows are made again", journal, damaged)
    rows = read_rows(journal)
    first = next(rows, {})
    if first != header:
        changed = ", ".join(key for key in header if first.get(key) != header[key])
        raise UsageError(f"{journal} was begun with another {changed}", hint="choose another --out")
    for row in rows:
        seen.add(row.get("key", ""))
        _count(row, report)
    return seen, report


def _publish(journal: Path, out: Path, limit: int | None) -> None:
    """Write the finished file: kept rows only, as JSON lines or, for `.json`, as one array."""
    rows = (json.dumps(row, ensure_ascii=False).encode() for row in islice(_kept(journal), limit))
    with writing(out) as stream:
        if out.suffix == ".json":
            stream.write(b"[")
            for number, row in enumerate(rows):
                stream.write((b"," if number else b"") + b"\n" + row)
            stream.write(b"\n]\n")
        else:
            stream.writelines(row + b"\n" for row in rows)


def _kept(journal: Path) -> Iterator[dict[str, Any]]:
    for row in islice(read_rows(journal), 1, None):
        if "rejected" not in row:
            yield {name: row[name] for name in ("smiles", "description", "provenance")}
