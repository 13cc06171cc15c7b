"""Rows of a file as questions: which columns are asked, which hold the answer, and which the choices."""

from __future__ import annotations

import json
import random
import re
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from harness import (
    DataError,
    DataReport,
    DataSpec,
    Example,
    Finding,
    PromptFormat,
    Request,
    Task,
    TaskOptions,
    UsageError,
    nearest,
)
from harness.api.bounds import Range
from harness.data.lead_ins import RULE, without_lead_in
from harness.data.split_files import WORDS, files_of
from harness.data.table_file import TableRow, column_names, form_of, read_table
from harness.data.text_lines import Fault, shown

SPLITS = ("train", "validation", "test")
LETTERS = string.ascii_uppercase


@dataclass(frozen=True, slots=True)
class TableOptions(TaskOptions):
    """Which columns are what. A column's name in braces stands in the prompt."""

    prompt: str = ""
    answer: tuple[str, ...] = ()  # columns of accepted answers; the first is the one that is learned
    separator: str = ""  # between several answers, or several choices, in one cell
    choices: tuple[str, ...] = ()  # columns of choices, or the one that holds all of them
    count_from: Annotated[int | None, Range(least=0, most=1)] = None  # the number of the first choice
    id: str = ""  # empty: the column `id`, or the row's number
    split: str = "split"  # the column that says a row's split, where there is one
    shares: tuple[float, ...] = ()  # of train, validation and test, where no column says it
    shares_seed: int = 0
    pattern: str = ""  # a regular expression whose first group is the answer


class Table(Task):
    """Questions and answers out of a file of one's own."""

    Options = TableOptions
    options: TableOptions
    sources: Mapping[str, str] = {
        "dir": "a CSV, TSV, JSON, JSONL or Parquet file, or a folder with one a split"
    }
    licence = "yours"
    prose = RULE
    prose_unasked = False

    def __init__(self, data: DataSpec | None = None, options: Any = None) -> None:
        super().__init__(data, options)
        chosen = bool(self.options.choices)
        self.kind = "choose" if chosen else "generate"
        self.metrics = ("accuracy", "accuracy-norm") if chosen else ("exact-match", "rouge-l")
        self.prompt_format = PromptFormat("table", self.options.prompt)
        try:
            self._pattern = re.compile(self.options.pattern, re.DOTALL)
        except re.error as error:
            raise UsageError(f"task.pattern is no regular expression: {error}") from error

    def splits(self) -> tuple[str, ...]:
        """Name the splits that the rows are of."""
        return tuple(split for split in SPLITS if split in self._placed)

    def examples(self, split: str) -> Iterator[Example]:
        """Yield the rows of a split; a bad one ends it, or is counted and left out."""
        skipped: list[str] = []
        for path, row in self._placed.get(split, ()):
            found = self._example(path, row)
            if isinstance(found, Example):
                yield found
            elif self.data.skip_bad_rows:
                skipped.append(f"{path.name}:{row.line}")
            else:
                raise found.at(path, row.line, "mend the row, or leave such rows out with --skip-bad-rows")
        if skipped:
            lines = ", ".join(skipped[:5]) + (" …" if len(skipped) > 5 else "")
            self.notes.append(f"{len(skipped)} bad rows of {split} were left out: {lines}")

    def check(self) -> DataReport:
        """Read every row as a run would."""
        rows, findings, counts = dict.fromkeys(self.splits(), 0), dict[str, Finding](), dict[str, int]()
        for split, placed in self._placed.items():
            for path, row in placed:
                found = self._example(path, row)
                if isinstance(found, Example):
                    rows[split] += 1
                    continue
                counts[found.kind] = counts.get(found.kind, 0) + 1
                finding = Finding(found.kind, path.name, row.line, found.expected, found.found)
                findings.setdefault(found.kind, finding)
        forms = {str(path): form_of(path).upper() for path in self._files()}
        return DataReport(rows, forms, tuple(findings.values()), counts)

    def answer(self, text: str, request: Request) -> str:
        """Read the answer by the pattern, which may find nothing; without one it is what was said."""
        if not self.options.pattern:
            return without_lead_in(text) if self.reads_prose else text.strip()
        found = self._pattern.search(text)
        return "" if found is None else (found[1] if self._pattern.groups else found[0]).strip()

    @cached_property
    def _placed(self) -> dict[str, list[tuple[Path, TableRow]]]:
        """The rows of each split that has any."""
        source = Path(self.data.source)
        self._check_columns()
        if source.is_dir():
            named = {split: files_of(source, split) for split in SPLITS}
            if len({path for paths in named.values() for path in paths}) > 1:
                found = {
                    split: [(p, row) for p in paths for row in read_table(p)]
                    for split, paths in named.items()
                }
                return {split: rows for split, rows in found.items() if rows}
        rows = [(path, row) for path in self._files() for row in read_table(path)]
        if any(self.options.split in row.values for _, row in rows):
            return self._by_column(rows)
        return self._by_shares(rows)

    def _files(self) -> list[Path]:
        source = Path(self.data.source)
        if source.is_file():
            return [source]
        if not (files := sorted({path for split in SPLITS for path in files_of(source, split)})):
            raise DataError(
                f"{source} holds no table", hint="a CSV, TSV, JSON, JSONL or Parquet file a split"
            )
        return files

    def _by_column(self, rows: Sequence[tuple[Path, TableRow]]) -> dict[str, list[tuple[Path, TableRow]]]:
        placed: dict[str, list[tuple[Path, TableRow]]] = {}
        for path, row in rows:
            word = str(row.values.get(self.options.split, "")).strip().lower()
            split = next((split for split, words in WORDS.items() if word in words), None)
            if split is None and row.fault is None:
                fault = Fault("split", "one of " + ", ".join(SPLITS), shown(word))
                row = TableRow(row.line, row.values, fault)
            placed.setdefault(split or "test", []).append((path, row))
        return placed

    def _by_shares(self, rows: list[tuple[Path, TableRow]]) -> dict[str, list[tuple[Path, TableRow]]]:
        shares = self.options.shares
        if not shares:
            return {"test": rows} if rows else {}
        if len(shares) != 3 or min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
            raise UsageError(
                f"task.shares is {', '.join(map(str, shares))}; it must be three shares that add up to 1",
                hint="--set task.shares=0.8,0.1,0.1",
            )
        order = random.Random(self.options.shares_seed).sample(range(len(rows)), len(rows))
        ends = [round(len(rows) * sum(shares[:end])) for end in range(4)]
        parts = {name: sorted(order[a:b]) for name, a, b in zip(SPLITS, ends, ends[1:], strict=False)}
        return {name: [rows[place] for place in places] for name, places in parts.items() if places}

    def _check_columns(self) -> None:
        """Refuse options that name no column, with those that there are."""
        options, names = self.options, column_names(self._files()[0])
        there = f"columns: {', '.join(names)}"
        if not options.prompt or not options.answer:
            missing = "task.prompt" if not options.prompt else "task.answer"
            example = "'{" + names[0] + "}'" if not options.prompt else names[-1]
            raise UsageError(f"{missing} is not set", hint=f"--set {missing}={example}; {there}")
        asked = PromptFormat("table", options.prompt).names
        for name in [*(key for key in asked if key != "choices"), *options.answer, *options.choices]:
            if name not in names:
                close = nearest(name, names)
                raise UsageError(
                    f"{self.data.source} has no column '{name}'",
                    hint=f"{close}; {there}" if close.startswith("did you mean") else there,
                )
        if leaked := [name for name in asked if name in options.answer]:
            raise UsageError(f"the prompt shows column '{leaked[0]}', which holds the answer", hint=there)
        self._asked = [name for name in asked if name != "choices"]

    def _example(self, path: Path, row: TableRow) -> Example | Fault:
        if row.fault is not None:
            return row.fault
        options, values = self.options, row.values
        inputs = {name: _text(values.get(name)) for name in self._asked}
        if empty := [name for name, text in inputs.items() if not text.strip()]:
            return Fault("empty", f"a text in '{empty[0]}'", "nothing")
        choices = self._choices(values)
        if options.choices and len(choices) < 2:
            return Fault("choices", "two choices or more", str(len(choices)))
        if len(set(choices)) != len(choices):
            return Fault("choices", "choices that differ", shown(", ".join(choices)))
        references = [text for name in options.answer for text in self._cells(values.get(name))]
        if not references:
            return Fault("empty", f"an answer in '{options.answer[0]}'", "nothing")
        if choices:
            named = [self._chosen(text, choices) for text in references]
            if None in named:
                return Fault(
                    "answer", "one of the choices, or its letter", shown(references[named.index(None)])
                )
            references = [text for text in named if text is not None]
        column = options.id or ("id" if "id" in values else "")
        name = _text(values.get(column)) if column else f"{path.stem}-{row.line}"
        used = {*inputs, *options.answer, *options.choices}
        meta = {key: value for key, value in values.items() if key not in used}
        return Example(name, inputs, tuple(dict.fromkeys(references)), meta, tuple(choices))

    def _choices(self, values: Mapping[str, Any]) -> list[str]:
        if len(self.options.choices) == 1:
            return self._cells(values.get(self.options.choices[0]))
        cells = [_text(values.get(name)).strip() for name in self.options.choices]
        return [cell for cell in cells if cell]

    def _cells(self, value: Any) -> list[str]:
        """Return the texts of a cell: of a list, one that is written as JSON, or between separators."""
        if isinstance(value, str) and value.lstrip()[:1] == "[" and self.options.separator == "":
            try:
                value = json.loads(value)
            except (ValueError, RecursionError):
                pass
        if isinstance(value, str) and self.options.separator:
            value = value.split(self.options.separator)
        texts = [_text(part).strip() for part in (value if isinstance(value, list | tuple) else [value])]
        return [text for text in texts if text]

    def _chosen(self, text: str, choices: Sequence[str]) -> str | None:
        """Return the choice that a cell names by its text, its letter or its number."""
        if text in choices:
            return text
        if len(text) == 1 and text.upper() in LETTERS[: len(choices)]:
            return choices[LETTERS.index(text.upper())]
        if text.isdecimal() and self.options.count_from is not None:
            place = int(text) - self.options.count_from
            return choices[place] if 0 <= place < len(choices) else None
        return None


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
