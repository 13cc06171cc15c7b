"""Rows of published files: read strictly or leaving bad rows out, and checked row by row."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness import DataError, DataReport, Finding
from harness.data.split_files import WORDS, are_shards, files_of, is_data, split_of
from harness.data.text_lines import Fault, shown

from .captioned import CaptionedMolecule
from .pair_file import open_pairs
from .raw_row import PairFile, RawRow, cleaned
from .smiles import molecule

SHOWN = 5  # findings of one kind that a report holds whole
ODDITIES = {  # kind -> what was expected, what was found, and what was done about it
    "doubled backslash": ("single backslashes", "doubled ones, as MolT5's files have them", "read as single"),
    "mojibake": ("readable characters", "characters that were decoded wrongly once", "kept"),
    "space at the edge": ("no space around a field", "space around a field", "removed"),
    "wrapped caption": ("the caption alone", "a caption in quotes or after a label", "kept"),
    "no line end": ("a line end after the last row", "a last row without one", "kept"),
}


@dataclass(slots=True)
class _Opened:
    """The files of one split as one stream of cleaned rows."""

    files: list[PairFile]
    aligned: bool = False

    @property
    def gives(self) -> frozenset[str]:
        return frozenset({"smiles", "caption"}) if self.aligned else self.files[0].gives

    def rows(self) -> Iterator[tuple[PairFile, RawRow]]:
        if not self.aligned:
            for file in self.files:
                for row in file.rows():
                    yield file, cleaned(row, self.gives)
            return
        first, second = self.files
        left, right = first.rows(), second.rows()
        while True:
            a, b = next(left, None), next(right, None)
            if a is None and b is None:
                return
            if a is None or b is None:
                longer, shorter = (first, second) if b is None else (second, first)
                line = (a or b or RawRow(0)).line
                raise DataError(
                    f"{longer.path}:{line}: expected as many lines as {shorter.path.name}, found more"
                )
            joined = RawRow(a.line, a.smiles or b.smiles, a.caption or b.caption, fault=a.fault or b.fault)
            yield first, cleaned(joined, self.gives)


def read(
    source: Path | Sequence[Path],
    split: str,
    *,
    skip_bad_rows: bool = False,
    notes: list[str] | None = None,
    named: Mapping[str, str] | None = None,
) -> Iterator[CaptionedMolecule]:
    """Yield the pairs of a split of a file, a folder, or files that are known to hold it.

    A bad row is a `DataError` that names it, or is left out. What a reader of the numbers must know
    (rows left out, repairs) is appended to `notes`. `named` gives columns that a file calls otherwise.
    """
    if isinstance(source, Path):
        opened = _open(source, split, named)
    else:
        opened = _opened(source, split, str(source[0]), named)
    if opened.gives != {"smiles", "caption"}:
        raise DataError(
            f"{opened.files[0].path} holds {opened.files[0].form}, expected a SMILES and a caption a row",
            hint="put a file with the other half, line for line, beside it",
        )
    repairs: Counter[str] = Counter()
    skipped: list[tuple[int, Fault]] = []
    for index, (file, row) in enumerate(opened.rows()):
        if (row.split or split) != split:
            continue
        if row.fault is not None:
            if not skip_bad_rows:
                raise DataError(
                    str(_finding(file, row.line, row.fault)),
                    hint="run-bench data check lists every bad row; --skip-bad-rows leaves them out",
                )
            skipped.append((row.line, row.fault))
            continue
        repairs.update(row.notes)
        meta = {"line": row.line, "cid": row.cid} if row.cid else {"line": row.line}
        yield CaptionedMolecule(f"{split}-{index:06d}", row.smiles, row.caption, meta)
    if notes is not None:
        notes += _summary(opened.files[0].path.name, repairs, skipped)


def splits(source: Path, named: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Return the splits that a file or folder holds."""
    found = []
    for split in WORDS:
        if (files := files_of(source, split)) and (len(files) > 1 or _may_hold(files[0], split, named)):
            found.append(split)
    if not found:
        expected = ", ".join(f"{words[0]}.tsv" for words in WORDS.values())
        raise DataError(
            f"{source} holds no file with a split's name",
            hint=f"expected one file a split, such as {expected} (.txt, .json, .csv and .parquet work too)",
        )
    return tuple(found)


def _may_hold(path: Path, split: str, named: Mapping[str, str] | None) -> bool:
    if split_of(path.name) is not None:
        return True
    file = open_pairs(path, named)
    if not file.names_splits:
        return split == "test"
    return any((row.split or "test") == split for row in file.rows())


def _open(source: Path, split: str, named: Mapping[str, str] | None) -> _Opened:
    paths = files_of(source, split)
    if not paths:
        raise DataError(
            f"{source} has no file for split '{split}'",
            hint=f"expected a name with one of: {', '.join(WORDS.get(split, (split,)))}",
        )
    return _opened(paths, split, str(source), named)


def _opened(paths: Sequence[Path], split: str, source: str, named: Mapping[str, str] | None) -> _Opened:
    files = [open_pairs(path, named) for path in paths]
    if len(files) == 1 or are_shards(paths):
        return _Opened(files)
    halves = {frozenset({"smiles"}), frozenset({"caption"})}
    if len(files) == 2 and {file.gives for file in files} == halves:
        return _Opened(files, aligned=True)
    raise DataError(
        f"{source} has several files for split '{split}': {', '.join(path.name for path in paths)}",
        hint="give the file itself, as in --data FOLDER/FILE; its other splits are found beside it",
    )


def _finding(file: PairFile, line: int, fault: Fault) -> Finding:
    return Finding(fault.kind, str(file.path), line, fault.expected, fault.found)


def _summary(name: str, repairs: Counter[str], skipped: list[tuple[int, Fault]]) -> list[str]:
    notes = [f"{name}: {count:,} × {kind} ({ODDITIES[kind][2]})" for kind, count in sorted(repairs.items())]
    if skipped:
        lines = ", ".join(str(line) for line, _ in skipped[:20]) + (" …" if len(skipped) > 20 else "")
        first = skipped[0][1]
        notes.append(
            f"{name}: left out {len(skipped):,} bad rows, lines {lines}"
            f" (the first: expected {first.expected}, found {first.found})"
        )
    return notes


@dataclass(slots=True)
class _Tally:
    """Findings of a check: all counted, the first of each kind kept."""

    findings: list[Finding] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, finding: Finding) -> None:
        self.counts[finding.kind] += 1
        if self.counts[finding.kind] <= SHOWN:
            self.findings.append(finding)


def check(
    source: Path,
    published: Mapping[str, tuple[int, str]] | None = None,
    named: Mapping[str, str] | None = None,
) -> DataReport:
    """Validate every row of a file or of a folder's files: form, text, SMILES, chemistry, repetitions.

    `published` gives rows and SHA-256 of files by name; one that differs is reported, not refused.
    """
    tally, forms = _Tally(), dict[str, str]()
    rows = dict[str, int]()
    for name, opened in _to_check(source, tally, named):
        forms.update({str(file.path): file.form for file in opened.files})
        counted: Counter[str] = Counter()
        seen = _Seen()
        if not opened.gives >= {"smiles", "caption"}:
            file = opened.files[0]
            tally.add(
                Finding(
                    "half a pair", str(file.path), 0, "a SMILES and a caption a row", file.form, bad=False
                )
            )
        try:
            for file, row in opened.rows():
                good = _check_row(file, row, opened.gives, seen, tally)
                counted[row.split or name] += good
        except DataError as error:
            tally.add(
                Finding("unreadable", str(source), 0, "a file that can be read to its end", error.message)
            )
        for file in opened.files:
            _compare(file.path, counted.total(), published or {}, tally)
        for split, count in (counted or {name: 0}).items():
            rows[split] = rows.get(split, 0) + count
    return DataReport(rows, forms, tuple(tally.findings), dict(tally.counts))


def _compare(path: Path, rows: int, published: Mapping[str, tuple[int, str]], tally: _Tally) -> None:
    if path.name not in published:
        return
    wanted_rows, wanted_digest = published[path.name]
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != wanted_digest:
        expected = f"the published file ({wanted_rows:,} rows, SHA-256 {wanted_digest[:16]}…)"
        tally.add(
            Finding("digest", str(path), 0, expected, f"{rows:,} good rows, SHA-256 {found[:16]}…", bad=False)
        )


def _to_check(source: Path, tally: _Tally, named: Mapping[str, str] | None) -> Iterator[tuple[str, _Opened]]:
    if source.is_dir():
        names = [split for split in WORDS if files_of(source, split)]
        sources = [(name, source) for name in names]
        if not names:
            sources = [
                (path.name, path) for path in sorted(source.iterdir()) if path.is_file() and is_data(path)
            ]
        if not sources:
            splits(source, named)
    else:
        word = split_of(source.name)
        sources = [(word[0] if word else "test", source)]
    for name, path in sources:
        try:
            yield name, _Opened([open_pairs(path, named)]) if path.is_file() else _open(path, name, named)
        except DataError as error:
            wanted = "molecule-caption pairs"
            tally.add(Finding("unreadable", str(path), 0, wanted, error.message, hint=error.hint))


@dataclass(slots=True)
class _Seen:
    """What earlier rows held, as hashes: a million rows take some tens of megabytes."""

    pairs: set[int] = field(default_factory=set)
    molecules: set[int] = field(default_factory=set)
    cids: set[int] = field(default_factory=set)


def _check_row(file: PairFile, row: RawRow, gives: frozenset[str], seen: _Seen, tally: _Tally) -> bool:
    if row.fault is not None:
        tally.add(_finding(file, row.line, row.fault))
        return False
    if row.smiles and molecule(row.smiles) is None:
        tally.add(_finding(file, row.line, Fault("chemistry", "a molecule RDKit accepts", shown(row.smiles))))
        return False
    for kind in row.notes:
        expected, found, done = ODDITIES[kind]
        tally.add(Finding(kind, str(file.path), row.line, expected, f"{found}; {done}", bad=False))
    for kind, keys, key in (
        ("repeated row", seen.pairs, (row.smiles, row.caption, row.cid)),
        ("repeated molecule", seen.molecules, row.smiles if "smiles" in gives else ""),
        ("repeated CID", seen.cids, row.cid),
    ):
        if not key or not gives:
            continue
        if hash(key) in keys:
            what = shown(row.cid if kind == "repeated CID" else row.smiles or row.caption)
            tally.add(Finding(kind, str(file.path), row.line, "each row once", what, bad=False))
            break
        keys.add(hash(key))
    return True
