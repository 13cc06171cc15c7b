"""The rows of preference files, and a built-in sample of words spelt backwards."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from pathlib import Path

from harness import (
    DataError,
    DataReport,
    Example,
    Finding,
    Message,
    Preference,
    PromptFormat,
    Task,
    TrainRow,
    UsageError,
)
from harness.data.preferences import PreferenceRow, read_preferences
from harness.data.split_files import files_of, split_of
from harness.data.text_lines import Fault

HELD_OUT = 100  # one row in so many is held out where a file says nothing of splits
SPLITS = ("train", "validation", "test")


class Preferences(Task):
    """A question with two answers; the better one is the reference, the worse one stands beside it."""

    version = "1"
    prompt_format = PromptFormat("preferences", "{prompt}")
    sources: Mapping[str, str] = {
        "sample": "made-up words spelt backwards, and nearly so: 180 train, 20 validation, 20 test",
        "dir": "a JSON or JSON-lines file, or a folder of such files named for their splits",
    }
    synthetic = ("sample",)
    licence = "Apache-2.0 (the built-in sample)"
    files: Mapping[str, str] = {
        "dpo_zh_500.jsonl": "MedicalGPT's sample of preferences (data/reward)",
    }

    def splits(self) -> tuple[str, ...]:
        """Name the splits; a file that names none gives a hundredth of its rows to validation."""
        if self.data.source == "sample":
            return SPLITS
        if self._unsplit:
            return SPLITS[:2]
        return tuple(split for split in SPLITS if files_of(Path(self.data.source), split))

    @property
    def _unsplit(self) -> bool:
        files = files_of(Path(self.data.source), "train")
        return all(split_of(file.name) is None for file in files) and bool(files)

    def examples(self, split: str) -> Iterator[Example]:
        """Yield the rows of a split; a bad one is refused, or counted and skipped where that was asked."""
        if self.data.source == "sample":
            yield from _sample(split)
            return
        skipped = 0
        for file, line, row in self._rows(split):
            if not isinstance(row, Fault):
                yield _example(f"{file.name}:{line}", row)
            elif self.data.skip_bad_rows:
                skipped += 1
            else:
                raise row.at(file, line, hint="mend the row, or --skip-bad-rows leaves it out")
        if skipped:
            self.notes.append(f"{skipped} bad rows of split '{split}' were skipped")

    def _rows(self, split: str) -> Iterator[tuple[Path, int, PreferenceRow | Fault]]:
        files = files_of(Path(self.data.source), split)
        if not files:
            hint = "it has: " + ", ".join(self.splits())
            raise UsageError(f"{self.data.source} has no split '{split}'", hint=hint)
        for file in files:
            for number, (line, row) in enumerate(read_preferences(file)):
                if not self._unsplit or (number % HELD_OUT == 0) == (split == "validation"):
                    yield file, line, row

    def check(self) -> DataReport:
        """Look at every row of the files."""
        if self.data.source == "sample":
            return super().check()
        rows: dict[str, int] = {}
        findings: dict[str, Finding] = {}
        counts: dict[str, int] = {}
        for split in self.splits():
            for file, line, row in self._rows(split):
                if isinstance(row, Fault):
                    counts[row.kind] = counts.get(row.kind, 0) + 1
                    found = Finding(row.kind, file.name, line, row.expected, row.found)
                    findings.setdefault(row.kind, found)
                else:
                    rows[split] = rows.get(split, 0) + 1
        return DataReport(rows, {}, tuple(findings.values()), counts)

    def training_rows(self, example: Example, prompt: str) -> Iterator[TrainRow]:
        """Yield the preference; a prompt alone has none."""
        if not example.meta["rejected"]:
            raise DataError(
                f"row '{example.id}' is a prompt alone, and there is nothing to prefer",
                hint="rows hold chosen and rejected; prompts alone are for grpo, rloo and ppo",
            )
        turns = (*example.messages, Message("user", prompt)) if example.messages else ()
        meta = example.meta
        inputs = {name: text for name, text in example.inputs.items() if name != "prompt"}
        yield Preference(
            prompt, example.references[0], meta["rejected"], inputs, turns, meta["margin"], meta["tools"]
        )


def _example(name: str, row: PreferenceRow) -> Example:
    *before, asked = row.turns
    meta = {"rejected": row.rejected, "margin": row.margin, "tools": row.tools}
    inputs = {**row.inputs, "prompt": asked.text}
    return Example(name, inputs, (row.chosen,) if row.chosen else (), meta, messages=tuple(before))


def _sample(split: str) -> Iterator[Example]:
    """Yield made-up words; the worse answer has two letters in each other's place."""
    sizes = {"train": 180, "validation": 20, "test": 20}
    start = {"train": 0, "validation": 180, "test": 200}[split]
    for number in range(start, start + sizes[split]):
        dice = random.Random(number)
        word = "".join(dice.choice("bdfgklmnprst") + dice.choice("aeiou") for _ in range(dice.randint(2, 3)))
        right = word[::-1]
        place = dice.randrange(len(right) - 1)
        wrong = right[:place] + right[place + 1] + right[place] + right[place + 2 :]
        prompt = {"prompt": f"Spell {word} backwards:"}
        yield Example(f"word-{number}", prompt, (right,), {"rejected": wrong, "margin": None, "tools": ""})
