"""Questions out of published files: JSON and JSON lines, CSV, Parquet, also as `.gz`, any form of row."""

from __future__ import annotations

import json
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness import DataError, DataReport, Finding
from harness.data.csv_rows import read_records
from harness.data.json_items import read_items
from harness.data.parquet import read_parquet
from harness.data.split_files import WORDS, files_of, is_data
from harness.data.text_lines import Fault, first_bytes, open_bytes, shown

from .forms import read_question, with_plain_letters
from .question import Question, cleaned, fault_of

SPLITS = ("train", "validation", "test")
MMLU = ("question", "A", "B", "C", "D", "answer")  # its tables have no header
_PAIR = re.compile(rb"[\xa1-\xfe]{2}")  # a sign of GB2312
OTHER_TYPES = ("factoid", "list", "summary")  # what BioASQ asks beside yes or no


@dataclass(frozen=True, slots=True)
class Record:
    """One row of a file with the line where it starts; 0 where the form has none."""

    line: int
    fields: Mapping[str, Any]
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A question, or why a row has none, and what is odd about it."""

    path: Path
    line: int
    question: Question | None = None
    fault: Fault | None = None
    notes: Sequence[Fault] = ()

    @property
    def place(self) -> str:
        """Where the row stands, for people."""
        return f"{self.path}:{self.line}" if self.line else str(self.path)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows of a file a task takes: `keep` by their set and subject, `single` with one right answer.

    `options` is how many choices a question of the set has, 0 where that differs.
    """

    keep: Callable[[Question], bool]
    single: bool
    chosen: bool  # with choices, or free-form
    options: int = 0


def files(source: Path, split: str) -> list[Path]:
    """Return the files of a split: by their names, or all that a folder named like the split holds."""
    if found := files_of(source, split):
        return found
    if not source.is_dir():
        return []
    folders = [folder for word in WORDS.get(split, (split,)) if (folder := source / word).is_dir()]
    return sorted(path for folder in folders for path in folder.iterdir() if path.is_file() and is_data(path))


def splits(source: Path) -> tuple[str, ...]:
    """Name the splits that a source has."""
    found = tuple(split for split in SPLITS if files(source, split))
    if found and len({tuple(files(source, split)) for split in found}) < len(found):
        return ("test",)  # one file without a split's word in its name
    if not found:
        raise DataError(
            f"{source} holds no file with a split's name",
            hint="expected one file a split, such as train.jsonl and test.jsonl, or the folders dev and test",
        )
    return found


_ANSWERS = "answer"
Seen = dict[str, tuple[str, str]]  # key of a question -> where it stood first, and its answer there


def read(paths: Iterable[Path], wanted: Wanted) -> Iterator[Found]:
    """Yield what each wanted row of the files holds; a question that stood before is odd, and says where."""
    apart = [
        path for path in paths if _ANSWERS in path.name.lower()
    ]  # CMB keeps answers in a file of their own
    answers = {str(r.fields.get("id")): r.fields.get("answer") for path in apart for r in _records(path)}
    seen: Seen = {}
    for path in paths:
        if path not in apart or len(apart) == len(list(paths)):
            yield from _noting_repeats(_of_file(path, wanted, answers), seen)


def _noting_repeats(rows: Iterable[Found], seen: Seen) -> Iterator[Found]:
    for found in rows:
        notes = list(found.notes)
        if question := found.question:
            answer = question.right or "\n".join(question.answers)
            first = seen.setdefault(question.text, (found.place, answer))
            whole = seen.setdefault(question.key, (found.place, answer))
            if first[0] != found.place:
                notes.append(Fault("repeated question", "a question of its own", f"that of {first[0]}"))
            if whole[0] != found.place and question.choices:
                kind = "repeated with its options" + ("" if whole[1] == answer else ", another answer")
                notes.append(Fault(kind, "a question of its own", f"that of {whole[0]}"))
        yield replace(found, notes=notes)


def _of_file(path: Path, wanted: Wanted, answers: Mapping[str, Any]) -> Iterator[Found]:
    _refuse_gbk(path)
    records = list(_records(path))
    first = _first_number(records)
    for record in records:
        fields = record.fields
        if record.fault is None and fields.get("type") in OTHER_TYPES:
            continue
        if (id := str(fields.get("id"))) in answers:
            fields = {**fields, "answer": answers[id]}
        fields, wide = with_plain_letters(fields)
        raw = record.fault or read_question(fields, first=first)
        if isinstance(raw, Fault):
            yield Found(path, record.line, fault=raw)
            continue
        question, notes = cleaned(
            replace(raw, id=raw.id or _id(path, record.line), subject=raw.subject or _subject(path))
        )
        notes += [one for one in wide if one.kind not in {note.kind for note in notes}]
        if not wanted.keep(question):
            continue
        if wanted.chosen and not question.choices:
            yield Found(path, record.line, fault=Fault("form", "options", "none"))
            continue
        if wanted.options not in (0, count := len(question.choices)):
            notes.append(Fault("number of options", str(wanted.options), str(count)))
        fault = fault_of(question, single=wanted.single)
        yield Found(path, record.line, None if fault else question, fault, notes)


def _id(path: Path, line: int) -> str:
    return f"{path.name.split('.')[0]}-{line:05d}"


def _subject(path: Path) -> str:
    """A table that is about one subject says so in its name: `anatomy_test.csv`."""
    words = {word for words in WORDS.values() for word in words}
    name = path.name.split(".")[0]
    kept = [part for part in name.split("_") if part.lower() not in words]
    return " ".join(kept) if path.suffix == ".csv" and len(kept) < len(name.split("_")) else ""


def _first_number(records: Sequence[Record]) -> int:
    """MedMCQA's files number options from 1, the hub from 0: what a whole file uses tells which."""
    numbers = {int(n) for r in records if str(n := r.fields.get("cop", "")).lstrip("-").isdigit()}
    return 1 if 4 in numbers and not numbers & {0, -1} else 0


def _records(path: Path) -> Iterator[Record]:
    suffix = (path.with_suffix("") if path.suffix == ".gz" else path).suffix.lower()
    if suffix == ".parquet":
        return (Record(number, row) for number, row in enumerate(read_parquet(path), 1))
    if suffix in (".csv", ".tsv"):
        return _of_table(path)
    whole = whole_object(path) if suffix == ".json" else None
    if whole is not None:
        return _of_object(path, whole)
    return (Record(item.line, item.value, item.fault) for item in read_items(path))


def _of_table(path: Path) -> Iterator[Record]:
    records = read_records(path)
    head = next(records, None)
    if head is None:
        return
    named = any(name.strip().casefold() in ("question", "options", "opa") for name in head.fields)
    names = [name.strip() for name in head.fields] if named else list(MMLU)
    if not named:
        yield _row(head.line, head.fields, names, head.fault)
    for record in records:
        yield _row(record.line, record.fields, names, record.fault)


def _row(line: int, values: Sequence[str], names: Sequence[str], fault: Fault | None) -> Record:
    if len(values) != len(names):
        fault = fault or Fault("columns", f"{len(names)} columns ({', '.join(names)})", str(len(values)))
    return Record(line, dict(zip(names, values, strict=False)), fault)


def whole_object(path: Path) -> Any:
    """Return the object that a file is, or nothing where it is an array or lines of objects."""
    if first_bytes(path).lstrip()[:1] != b"{":
        return None
    try:
        with open_bytes(path) as stream:
            return json.loads(stream.read())
    except (ValueError, RecursionError):
        return None  # lines of objects, or torn: the reader of lines says where
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}") from error


def _of_object(path: Path, whole: Mapping[str, Any]) -> Iterator[Record]:
    """Yield the rows of one object: a list of questions, rows by id, or rows by set and id."""
    if isinstance(rows := whole.get("questions"), list) and rows and isinstance(rows[0], Mapping):
        yield from (Record(number, row) for number, row in enumerate(rows, 1))
        return
    if not isinstance(read_question(whole), Fault):  # a file of one row
        yield Record(1, whole)
        return
    for name, value in whole.items():
        if not isinstance(value, Mapping):
            expected = "rows by their ids, or a list of questions"
            raise DataError(f"{path}: expected {expected}, found {shown(repr(value))} under '{name}'")
        if value and all(isinstance(row, Mapping) for row in value.values()) and "options" not in value:
            yield from (Record(0, {"id": id, "dataset": name, **row}) for id, row in value.items())
        else:
            yield Record(0, {"id": name, **value})


def _refuse_gbk(path: Path) -> None:
    """Refuse a file that is GBK from end to end; of any other encoding each row is refused at its place."""
    if path.suffix.lower() in (".parquet", ".gz"):
        return
    with open_bytes(path) as stream:
        lines = [line for line in stream if not line.isascii()]
    foreign = [line for line in lines if not _decodes(line, "utf-8")]
    if foreign and len(foreign) == len(lines) and all(map(_is_gbk, foreign)):
        raise DataError(
            f"{path} is GBK, expected UTF-8", hint=f"iconv -f GB18030 -t UTF-8 {path.name} > utf8-{path.name}"
        )


def _is_gbk(line: bytes) -> bool:
    """Whether a line is GBK, whose bytes above ASCII come in pairs; those of Latin-1 mostly stand alone."""
    above = sum(byte > 0x7F for byte in line)
    return _decodes(line, "gb18030") and 4 * len(_PAIR.findall(line)) > above


def _decodes(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def check(splits: Sequence[str], rows_of: Callable[[str], Iterator[Found]]) -> DataReport:
    """Validate every row of every split."""
    rows: dict[str, int] = {}
    forms: dict[str, str] = {}
    counts: Counter[str] = Counter()
    first: dict[str, Finding] = {}

    def note(kind: str, found: Found, fault: Fault, *, bad: bool) -> None:
        counts[kind] += 1
        first.setdefault(kind, Finding(kind, str(found.path), found.line, fault.expected, fault.found, bad))

    for split in splits:
        rows[split] = 0
        try:
            for found in rows_of(split):
                rows[split] += found.question is not None
                if found.question is not None:
                    forms.setdefault(str(found.path), found.question.form)
                if found.fault is not None:
                    note(found.fault.kind, found, found.fault, bad=True)
                for odd in found.notes:
                    note(odd.kind, found, odd, bad=False)
        except DataError as error:
            fault = Fault("unreadable", "a readable file", error.message)
            note("unreadable", Found(Path(split), 0), fault, bad=True)
    return DataReport(rows, forms, tuple(first.values()), dict(counts))
