"""The rows of preference files, and a built-in sample of words spelt backwards."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from pathlib import Path

from harness import DataError, Example, Message, Preference, PromptFormat, TrainRow
from harness.data.file_task import FileTask
from harness.data.preferences import PreferenceRow, read_preferences
from harness.data.text_lines import Fault


class Preferences(FileTask[PreferenceRow]):
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

    def read(self, path: Path) -> Iterator[tuple[int, PreferenceRow | Fault]]:
        """Yield the rows of a file."""
        return read_preferences(path)

    def example(self, name: str, row: PreferenceRow) -> Example:
        """Return a preference as an example."""
        *before, asked = row.turns
        meta = {"rejected": row.rejected, "margin": row.margin, "tools": row.tools}
        inputs = {**row.inputs, "prompt": asked.text}
        return Example(name, inputs, (row.chosen,) if row.chosen else (), meta, messages=tuple(before))

    def sample(self, split: str) -> Iterator[Example]:
        """Yield made-up words; the worse answer has two letters in each other's place."""
        sizes = {"train": 180, "validation": 20, "test": 20}
        start = {"train": 0, "validation": 180, "test": 200}[split]
        for number in range(start, start + sizes[split]):
            dice = random.Random(number)
            word = "".join(
                dice.choice("bdfgklmnprst") + dice.choice("aeiou") for _ in range(dice.randint(2, 3))
            )
            right = word[::-1]
            place = dice.randrange(len(right) - 1)
            wrong = right[:place] + right[place + 1] + right[place] + right[place + 2 :]
            prompt = {"prompt": f"Spell {word} backwards:"}
            meta = {"rejected": wrong, "margin": None, "tools": ""}
            yield Example(f"word-{number}", prompt, (right,), meta)

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
