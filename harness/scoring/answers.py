"""Saved answers, in the forms in which people keep them, and the rows that they belong to.

jsonl   JSON lines: `text` (or `output`, `prediction`, `answer`, `predicted_answer`; of a list under `answers`
        the first counts), `id` (or `question_id`), and where they are known `references` (or `reference`,
        `target`), `inputs`, `raw`, `finish`, `choices` (or `options`; a list, or texts by letter),
        `choice_scores`, `evidence` (or `predicted_evidence`; `found` in what `run-bench retrieve` kept, where
        nothing is said), `meta`, and under `repeats` the further answers of a model that was asked several
        times, each an object with these keys
molt5   a table with three columns, the last two headed "ground truth" and "output" (MolT5, LPM-24)
lines   one answer a line
lm-eval, inspect, helm, lighteval    what these programs keep of an evaluation (`harness.scoring.logs`)

Any of these may be gzipped, alone in a zip or as its `submit.txt`, or be a run's `predictions.jsonl`.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from harness.api.errors import DataError, UsageError, nearest
from harness.api.example import Completion, Example, Pairs, Prediction
from harness.api.workbench import TaskView
from harness.files.archives import open_files
from harness.files.finished import PREDICTIONS, RECORD, read_record
from harness.files.json_files import why_unread

from . import logs

SUBMIT = "submit.txt"  # what L+M-24 asked for; some of its zips hold other files too
CLS = "[CLS] "  # what some tokenizers leave before a caption; the MolT5 scorers cut exactly this
MAX_ANSWER = 100_000  # characters; far above any task's longest reference
# L+M-24's blind captions have 137 more lines than its scorer reads; no other surplus is forgiven.
LPM24_ROWS, LPM24_LINES = 21_805, 21_942
SHOWN = 3  # ids that a message names

_TEXT = ("text", "output", "prediction", "answer", "predicted_answer")
_SAID = ("raw", "output", *_TEXT)  # what the model said, before a task reads it
_SEVERAL = "answers"  # a list of what was said, or accepted
_REFERENCES = ("references", "reference", "target", "ground truth")
_CHOICES = ("choices", "options")
_FOUND = "found"
_EVIDENCE = ("predicted_evidence", "evidence", _FOUND)
_ID = ("id", "example_id", "question_id")


@dataclass(frozen=True, slots=True)
class Answer:
    """One saved answer, with whatever else its file says about the row; `text` is None where it has none."""

    text: str | None
    said: str | None = None  # where it is not the text
    id: str | None = None
    references: tuple[str, ...] | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)
    raw: str = ""
    finish: str = ""
    choices: tuple[str, ...] = ()
    choice_scores: tuple[float, ...] = ()
    evidence: tuple[str, ...] | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)
    several: tuple[str, ...] = ()  # where the row has a list of answers; the text is the first
    repeats: tuple[Answer, ...] = ()  # the further answers of a model that was asked several times

    def completion(self, key: str) -> Completion:
        """Return what the model said to the row `key`."""
        said = self.text or "" if self.said is None else self.said
        return Completion(
            key,
            said,
            self.finish,
            choice_scores=self.choice_scores,
            evidence=self.evidence,
            repeats=tuple(again.completion(key) for again in self.repeats),
        )

    def prediction(self, key: str) -> Prediction:
        """Return the answer to the row `key` as it stands in the file."""
        return Prediction(
            key,
            self.text or "",
            self.raw,
            self.choice_scores,
            evidence=self.evidence or (),
            repeats=tuple(again.prediction(key) for again in self.repeats),
        )


@dataclass(slots=True)
class AnswerFile:
    """A file of answers; `notes` say what was done to it that a reader of its numbers must know."""

    where: str
    form: str
    sha256: str
    answers: Sequence[Answer]
    notes: list[str] = field(default_factory=list)


def read(path: Path, form: str = "") -> AnswerFile:
    """Return the answers of a file, an archive or a run; the form is recognised, or named."""
    if path.is_dir():
        if (path / RECORD).is_file():
            read_record(path)
        found = [path / name for name in (PREDICTIONS, f"{PREDICTIONS}.gz") if (path / name).is_file()]
        if not found:
            raise DataError(f"{path} holds no {PREDICTIONS}")
        path = found[0]
    return parse(only_file(open_files(path), path), str(path), form)


def only_file(files: Mapping[str, bytes], path: Path) -> bytes:
    """Return the one file that holds the answers."""
    if SUBMIT in files:
        return files[SUBMIT]
    if len(files) != 1:
        raise DataError(f"{path} holds {len(files)} files and no {SUBMIT}", hint="answers are a single file")
    return next(iter(files.values()))


def parse(data: bytes, where: str, form: str = "") -> AnswerFile:
    """Return the answers in a file's bytes."""
    if form and form not in FORMS:
        raise UsageError(f"no form named '{form}'", hint=nearest(form, FORMS))
    if logs.is_table(data):
        rows = [_from_row(row, place) for place, row in logs.lighteval(data, where)]
        return AnswerFile(where, "lighteval", hashlib.sha256(data).hexdigest(), rows)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{where} is not UTF-8: byte {error.start}", hint="convert it to UTF-8") from None
    lines = text.removesuffix("\n").replace("\r\n", "\n").split("\n") if text else []
    if not lines:
        raise DataError(f"{where} is empty")
    form = form or _recognise(lines)
    answers = list(FORMS[form](lines, where))
    if not answers:
        raise DataError(f"{where} holds no answer")
    found = AnswerFile(where, form, hashlib.sha256(data).hexdigest(), answers)
    if more := sum(len(answer.several) > 1 for answer in answers):
        found.notes.append(f"of several answers the first was taken in {more:,} rows")
    if form == "molt5" and (cut := sum(line.split("\t")[2].startswith(CLS) for line in lines[1:])):
        found.notes.append(f"'{CLS.strip()}' was cut from the start of {cut:,} answers")
    return found


def _recognise(lines: Sequence[str]) -> str:
    """Name the form of a file by how it begins."""
    first = lines[0]
    if first.lstrip().startswith("{"):
        return logs.recognise(lines) or "jsonl"
    return "molt5" if first.rstrip().split("\t")[1:] == ["ground truth", "output"] else "lines"


def _lines(lines: Sequence[str], where: str) -> Iterator[Answer]:
    for number, line in enumerate(lines, 1):
        yield Answer(_bounded(line, f"{where}, line {number}"), said=line.strip())


def _table(lines: Sequence[str], where: str) -> Iterator[Answer]:
    first = lines[0].split("\t")[0]
    for number, line in enumerate(lines[1:], 2):
        fields = line.split("\t")
        if len(fields) != 3:
            raise DataError(f"{where}, line {number}: expected 3 columns, found {len(fields)}")
        asked, truth, said = fields
        text = _bounded(said.removeprefix(CLS), f"{where}, line {number}")
        yield Answer(text, references=(truth,), inputs={first: asked})


def _json_lines(lines: Sequence[str], where: str) -> Iterator[Answer]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield _from_json(line, f"{where}, line {number}")


def _of_log(reader: Callable[..., logs.Placed], lines: Sequence[str], where: str) -> Iterator[Answer]:
    for place, row in reader(lines, where):
        yield _from_row(row, place)


FORMS: Mapping[str, Callable[[Sequence[str], str], Iterator[Answer]]] = {
    "lines": _lines,
    "molt5": _table,
    "jsonl": _json_lines,
    **{name: partial(_of_log, reader) for name, reader in logs.READERS.items()},
}


def _from_json(line: str, where: str) -> Answer:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: not JSON: {why_unread(error)[:200]}") from None
    return _from_row(row, where)


def _from_row(row: Any, where: str) -> Answer:
    if not isinstance(row, dict):
        raise DataError(f"{where}: a row is an object, this is none")
    if not any(key in row for key in (*_SAID, _SEVERAL, _FOUND, *_REFERENCES)):
        raise DataError(f"{where}: none of {', '.join(_TEXT)} is there")
    text, said = _text(row, _TEXT, where), _text(row, _SAID, where)
    several: tuple[str, ...] = ()
    if text is None and said is None and _SEVERAL in row:
        several = _texts(row[_SEVERAL], f'{where}: "{_SEVERAL}"')
        text = _bounded(several[0] if several else "", where)
    if text is None and said is None and _FOUND in row:
        text = ""
    raw = row.get("raw")
    return Answer(
        text=text if text is not None else said,
        said=said,
        id=_key(row, where),
        references=_references(row, where),
        inputs=_mapping(row, "inputs", where),
        raw=raw if isinstance(raw, str) else "",
        finish=row["finish"] if isinstance(row.get("finish"), str) else "",
        choices=_choices(row, where),
        choice_scores=_numbers(row, "choice_scores", where),
        evidence=_evidence(row, where),
        meta=_mapping(row, "meta", where),
        several=several,
        repeats=_repeats(row, where),
    )


def _repeats(row: Mapping[str, Any], where: str) -> tuple[Answer, ...]:
    """Return the further answers of a row; those have none of their own."""
    values = row.get("repeats") or ()
    if not isinstance(values, list | tuple):
        raise DataError(f'{where}: "repeats" is {_shown(values)}, which is no list of answers')
    if odd := [value for value in values if not isinstance(value, dict) or "repeats" in value]:
        raise DataError(f'{where}: "repeats" holds {_shown(odd[0])}, which is no answer')
    return tuple(_from_row(value, f'{where}: "repeats"') for value in values)


def _text(row: Mapping[str, Any], keys: Sequence[str], where: str) -> str | None:
    """Return the first text under one of the keys; None where all are absent or null."""
    for key in keys:
        if (value := row.get(key)) is not None:
            if not isinstance(value, str):
                raise DataError(f'{where}: "{key}" is {_shown(value)}, which is not text')
            return _bounded(value, where)
    return None


def _bounded(text: str, where: str) -> str:
    if len(text) > MAX_ANSWER:
        raise DataError(f"{where}: an answer of {len(text):,} characters; at most {MAX_ANSWER:,} are taken")
    return text


def _key(row: Mapping[str, Any], where: str) -> str | None:
    for key in _ID:
        if (value := row.get(key)) is not None:
            if not isinstance(value, str | int) or isinstance(value, bool):
                raise DataError(f'{where}: "{key}" is {_shown(value)}, which is no id')
            return str(value)
    return None


def _references(row: Mapping[str, Any], where: str) -> tuple[str, ...] | None:
    for key in _REFERENCES:
        if (value := row.get(key)) is not None:
            return (value,) if isinstance(value, str) else _texts(value, f'{where}: "{key}"')
    return None


def _choices(row: Mapping[str, Any], where: str) -> tuple[str, ...]:
    """Return the choices of a row: a list, or texts by letter."""
    for key in _CHOICES:
        if (value := row.get(key)) is not None:
            return _texts(list(value.values()) if isinstance(value, dict) else value, f'{where}: "{key}"')
    return ()


def _texts(values: Any, where: str) -> tuple[str, ...]:
    if not isinstance(values, list | tuple):
        raise DataError(f"{where} is {_shown(values)}, which is no list of texts")
    if wrong := [value for value in values if not isinstance(value, str)]:
        raise DataError(f"{where} holds {_shown(wrong[0])}, which is not text")
    return tuple(values)


def _evidence(row: Mapping[str, Any], where: str) -> tuple[str, ...] | None:
    """Return what an answer is said to rest on, be it nothing; None where nothing is said of it."""
    for key in _EVIDENCE:
        if (value := row.get(key)) is not None:
            return _texts(value, f'{where}: "{key}"')
    return None


def _numbers(row: Mapping[str, Any], key: str, where: str) -> tuple[float, ...]:
    values = row.get(key) or ()
    sound = isinstance(values, list | tuple) and all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in values
    )
    try:
        numbers = tuple(map(float, values)) if sound else ()
    except OverflowError:
        sound = False
    if not sound or any(map(math.isnan, numbers)):
        raise DataError(f'{where}: "{key}" is {_shown(values)}, which is no list of numbers')
    return numbers


def _mapping(row: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    value = row.get(key)
    if value is not None and not isinstance(value, dict):
        raise DataError(f'{where}: "{key}" is {_shown(value)}, which is no object')
    return value or {}


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else text[:79] + "…"


def pair(
    file: AnswerFile,
    known: AnswerFile | None,
    *,
    references: bool = True,
    allow_missing: bool = False,
    **facts: Any,
) -> Pairs:
    """Return rows to score: references from their own file, by id or in order, or from the answers' file.

    Without `references` rows need none, as metrics that look at answers alone are all that is asked for.
    """
    rows = _matched(file, known, allow_missing=allow_missing) if known else _own(file)
    wanted = [_wanted(row, known) for _, row in rows]
    if references and None in wanted:
        number = wanted.index(None) + 1
        raise DataError(f"{file.where}, row {number}, has no reference", hint="--references FILE names them")
    names = [answer.id or row.id or str(number) for number, (answer, row) in enumerate(rows, 1)]
    missing = [name for name, (answer, _) in zip(names, rows, strict=True) if answer.text is None]
    _check_missing(file, missing, len(rows), allow=allow_missing)
    found = []
    for name, (answer, row), accepted in zip(names, rows, wanted, strict=True):
        facts_of_row = (row.inputs or answer.inputs, accepted or (), row.meta or answer.meta)
        example = Example(name, *facts_of_row, choices=row.choices or answer.choices)
        found.append((example, answer.prediction(name)))
    return Pairs(found, **facts)


def _wanted(row: Answer, known: AnswerFile | None) -> tuple[str, ...] | None:
    """Return the accepted answers of a row; in a file of references bare texts are some."""
    if row.references is None and known is not None and row.text is not None:
        return row.several or (row.text,)
    return row.references


Row = tuple[Answer, Answer]  # what was said, and what is known of the row


def _own(file: AnswerFile) -> list[Row]:
    _ids(file)  # two answers to one row are refused here, too
    return [(answer, answer) for answer in file.answers]


def _matched(file: AnswerFile, known: AnswerFile, *, allow_missing: bool) -> list[Row]:
    said, rows = _ids(file), _ids(known)
    if said is None or rows is None:
        if len(file.answers) != len(known.answers):
            raise DataError(
                f"{file.where} has {len(file.answers):,} answers for {len(known.answers):,} references"
            )
        return list(zip(file.answers, known.answers, strict=True))
    check_ids(said, rows, file.where, known.where, allow_missing=allow_missing)
    found = [(answer, rows[key]) for key, answer in said.items()]
    return found + [(Answer(None, id=key), row) for key, row in rows.items() if key not in said]


def _ids(file: AnswerFile) -> dict[str, Answer] | None:
    """Return a file's answers by id, or None where it has no ids; an id for only some is a fault."""
    keys = [answer.id for answer in file.answers]
    if all(key is None for key in keys):
        return None
    if None in keys:
        raise DataError(f"{file.where}, answer {keys.index(None) + 1}, has no id, others have one")
    if twice := [str(key) for key, count in Counter(keys).items() if count > 1]:
        raise DataError(f"{file.where} has a second answer to {named(twice)}")
    return {str(answer.id): answer for answer in file.answers}


def check_ids(
    said: Collection[str], rows: Collection[str], whose: str, of: str, *, allow_missing: bool = False
) -> None:
    """Refuse answers that are short, or to rows that there are not."""
    wanted = set(rows)
    if unknown := [key for key in said if key not in wanted]:
        raise DataError(f"{whose} answers {len(unknown):,} rows that {of} does not have: {named(unknown)}")
    given = set(said)
    if not allow_missing and (missing := [key for key in rows if key not in given]):
        raise DataError(
            f"{whose} answers {len(given):,} of {len(wanted):,} rows of {of}; "
            f"without an answer: {named(missing)}",
            hint="a row that a model failed on is an empty answer, not a missing one",
        )


def named(ids: Sequence[str]) -> str:
    """Name the first few of some ids."""
    more = f" and {len(ids) - SHOWN:,} more" if len(ids) > SHOWN else ""
    return ", ".join(f"'{key[:80]}'" for key in ids[:SHOWN]) + more


def _check_missing(file: AnswerFile, missing: Sequence[str], rows: int, *, allow: bool) -> None:
    if missing and not allow:
        raise DataError(
            f"{file.where} has no answer to {named(missing)}", hint="--allow-missing scores them as empty"
        )
    if missing:
        file.notes.append(
            f"{len(missing):,} of {rows:,} rows without an answer are scored as empty: {named(missing)}"
        )


def by_id(file: AnswerFile) -> dict[str, Completion]:
    """Return what was said by the id of each row; every answer has an id and a text."""
    found = _ids(file)
    if found is None:
        raise DataError(f"{file.where}: its rows have no id", hint='a row is {"id": …, "output": …}')
    missing = [key for key, answer in found.items() if answer.text is None]
    _check_missing(file, missing, len(found), allow=False)
    return {key: answer.completion(key) for key, answer in found.items()}


def completions(file: AnswerFile, view: TaskView, *, allow_missing: bool = False) -> dict[str, Completion]:
    """Return what was said to each row of a task: joined by id, by the rows' texts, or in order."""
    said = _ids(file)
    if said is None:
        keys = _join(file, view) if file.form == "molt5" else _in_order(file, view)
        said = dict(zip(keys, file.answers, strict=False))
    ids = [example.id for example in view.examples]
    if view.sample and not set(said) & set(ids):
        raise DataError(f"{file.where} answers none of the rows of {view.name}", hint=_other_rows(view))
    check_ids(said, ids, file.where, view.name, allow_missing=allow_missing)
    missing = [key for key in ids if key not in said or said[key].text is None]
    _check_missing(file, missing, len(ids), allow=allow_missing)
    return {key: said.get(key, Answer("")).completion(key) for key in ids}


def _other_rows(view: TaskView) -> str:
    """Return a hint for answers that are not to these rows."""
    if not view.sample:
        return "the rows must be those of the task's split"
    return f"the built-in sample of {view.name} has other rows: --data FOLDER names those that were answered"


def _in_order(file: AnswerFile, view: TaskView) -> list[str]:
    rows, lines = len(view.examples), len(file.answers)
    file.notes.append("answers carry no ids: the order of the task's rows was taken")
    if rows == LPM24_ROWS and lines == LPM24_LINES:
        file.notes.append(f"{lines - rows} lines after row {rows:,} belong to no scored row")
    elif lines != rows:
        raise DataError(
            f"{file.where} has {lines:,} lines, {view.name} has {rows:,} rows", hint=_other_rows(view)
        )
    return [example.id for example in view.examples]


def _join(file: AnswerFile, view: TaskView) -> list[str]:
    """Return the id of each row: by input and truth, or by either alone where files spell the other anew."""
    rows = [_asked_and_truth(answer) for answer in file.answers]
    best = (len(rows) + 1, "")
    keys: tuple[Callable[[str, str], object], ...] = (
        lambda asked, truth: (asked, truth),
        lambda _, truth: truth,
        lambda asked, _: asked,
    )
    for key in keys:
        places: dict[object, list[str]] = defaultdict(list)
        for example in reversed(view.examples):
            spelled = {
                key(asked.strip(), r.strip()) for asked in example.inputs.values() for r in example.references
            }
            for place in spelled:
                places[place].append(example.id)
        taken: set[str] = set()
        found = [_next(places[key(*row)], taken) for row in rows]
        if all(found):
            return found
        best = min(best, (found.count(""), rows[found.index("")][1]))
    raise DataError(
        f"{best[0]:,} of {len(rows):,} rows of {file.where} match no row of {view.name}, "
        f"such as '{best[1][:80]}'",
        hint=_other_rows(view),
    )


def _asked_and_truth(answer: Answer) -> tuple[str, str]:
    (asked,), (truth,) = answer.inputs.values(), answer.references or ("",)
    return asked.strip(), truth.strip()


def _next(waiting: list[str], taken: set[str]) -> str:
    """Take the first waiting id that no row has yet, or nothing."""
    while waiting:
        if (key := waiting.pop()) not in taken:
            taken.add(key)
            return key
    return ""
