"""A file of prompts without answers: what `generate FILE` asks."""

from __future__ import annotations

import json
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness import (
    DataError,
    DataSpec,
    Example,
    Message,
    PromptFormat,
    Request,
    Task,
    TaskOptions,
    UsageError,
)
from harness.api.errors import nearest
from harness.data.conversations import KEYS, read_turns
from harness.data.table_file import TableRow, column_names, read_table
from harness.data.text_lines import Fault, read_lines

# Columns that hold the prompt where nothing says which; `Input` is what MedicalGPT's batch files have.
NAMES = ("prompt", "question", "input", "Input", "instruction", "query", "text")
TEXT = (".txt", "")


@dataclass(frozen=True, slots=True)
class PromptsOptions(TaskOptions):
    """How a row becomes a prompt. A column's name in braces stands in the prompt."""

    prompt: str = ""  # empty: the column prompt, question, input, …
    system: str = ""  # the system prompt before each
    id: str = ""  # the column that names a row; empty: the column `id`, or the row's line


class Prompts(Task):
    """Prompts of a file, one a line, a row or a conversation; nothing is known of right answers."""

    Options = PromptsOptions
    options: PromptsOptions
    sources: Mapping[str, str] = {
        "dir": "a text file with a prompt a line, or a CSV, TSV, JSON, JSONL or Parquet file"
    }
    licence = "yours"

    def __init__(self, data: DataSpec | None = None, options: Any = None) -> None:
        super().__init__(data, options)
        self.path = Path(self.data.source)
        self._of_lines = self.path.suffix in TEXT
        self.prompt_format = PromptFormat("prompts", self._template())

    def splits(self) -> tuple[str, ...]:
        """All rows are asked."""
        return ("test",)

    def examples(self, split: str) -> Iterator[Example]:
        """Yield what is asked; a bad row ends it, or is left out and counted."""
        skipped = 0
        for line, found in self._lines() if self._of_lines else self._rows():
            if isinstance(found, Example):
                yield found
            elif self.data.skip_bad_rows:
                skipped += 1
            else:
                raise found.at(self.path, line, "mend the row, or leave such rows out with --skip-bad-rows")
        if skipped:
            self.notes.append(f"{skipped} bad rows were left out")

    def request(self, example: Example, prompt: str) -> Request:
        """Ask a row after the system prompt; the last turn of a conversation is the prompt."""
        asked = super().request(example, prompt)
        system = (Message("system", self.options.system),) if self.options.system else ()
        if not example.messages:
            return replace(asked, messages=system)
        *before, last = example.messages
        return replace(asked, prompt=last.text, messages=(*system, *before))

    def prompt(self, example: Example) -> str:
        """Return the prompt of a row, or the last turn of a conversation."""
        return example.messages[-1].text if example.messages else super().prompt(example)

    def _template(self) -> str:
        if self._of_lines or not self.path.is_file():
            return self.options.prompt or "{prompt}"
        names = column_names(self.path)
        there = f"columns: {', '.join(names)}"
        if wanted := self.options.prompt:
            asked = [key for _, key, _, _ in string.Formatter().parse(wanted) if key]
            if absent := [name for name in asked if name not in names]:
                close = nearest(absent[0], names)
                raise UsageError(f"{self.path} has no column '{absent[0]}'", hint=f"{close}; {there}")
            return wanted
        found = next((name for name in NAMES if name in names), "")
        if not found and not set(KEYS).intersection(names):
            raise DataError(
                f"{self.path} has no column of prompts", hint=f"--set task.prompt='{{{names[0]}}}'; {there}"
            )
        return f"{{{found or 'prompt'}}}"

    def _lines(self) -> Iterator[tuple[int, Example | Fault]]:
        for line in read_lines(self.path):
            if line.fault is not None:
                yield line.number, line.fault
            elif line.text.strip():
                yield line.number, Example(str(line.number), {"prompt": line.text}, ())

    def _rows(self) -> Iterator[tuple[int, Example | Fault]]:
        for row in read_table(self.path):
            yield row.line, row.fault or self._row(row)

    def _row(self, row: TableRow) -> Example | Fault:
        values = row.values
        name = str(values.get(self.options.id or "id", row.line))
        if not set(KEYS).intersection(values) or self.options.prompt:
            inputs = {key: _text(value) for key, value in values.items()}
            empty = not self.prompt_format or not self.prompt_format.render(inputs).strip()
            return Fault("empty", "a prompt", "nothing") if empty else Example(name, inputs, ())
        turns = read_turns(values)
        if isinstance(turns, Fault):
            return turns
        if not turns or turns[-1].role != "user":
            return Fault("turn", "a conversation whose last turn is the user's", "another")
        return Example(name, {"prompt": turns[-1].text}, (), messages=turns)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
