"""The conversations of files, and a built-in sample of short ones with turns, orders and a tool."""

from __future__ import annotations

import json
import random
from collections.abc import Hashable, Iterator, Mapping
from pathlib import Path

from harness import Conversation, Example, Message, PromptFormat, Request, TrainRow
from harness.data.file_task import FileTask
from harness.data.instructions import Taught, read_instructions
from harness.data.text_lines import Fault

SIZES = {"train": (0, 240), "validation": (240, 270), "test": (270, 330)}
TOOLS = json.dumps(
    [
        {
            "name": "add",
            "description": "adds two numbers",
            "parameters": {
                "type": "object",
                "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
                "required": ["a", "b"],
            },
        }
    ]
)


class Conversations(FileTask[Taught]):
    """What was said up to the last answer; that answer is the reference, and all answers are learned."""

    version = "1"
    metrics = ("exact-match", "bleu-4@zh", "rouge-l@zh")
    prompt_format = PromptFormat("conversations", "{prompt}")
    sources: Mapping[str, str] = {
        "sample": "made-up conversations, with an order or a tool: 240 train, 30 validation, 60 test",
        "dir": "a JSON or JSON-lines file, or a folder of such files named for their splits",
    }
    synthetic = ("sample",)
    licence = "Apache-2.0 (the built-in sample)"
    files: Mapping[str, str] = {
        "medical_sft_1K_format.jsonl": "MedicalGPT's sample of conversations (data/finetune)",
        "llama_data.json": "BenTsao's instructions (data)",
    }

    def read(self, path: Path) -> Iterator[tuple[int, Taught | Fault]]:
        """Yield the rows of a file, whichever way they are spelt."""
        return read_instructions(path)

    def example(self, name: str, row: Taught) -> Example:
        """Return a conversation as what is asked and the last answer."""
        *before, last = row.turns
        shown = row.evidence and f"{row.evidence}\n\n"
        asked = before.pop() if before[-1].role == "user" else Message("user", "")
        answer = last.text or "\n".join(last.calls)
        meta = {"tools": row.tools, "calls": last.calls}
        said = "\n".join(turn.text or "\n".join(turn.calls) for turn in before)
        inputs = {"prompt": f"{shown}{asked.text}", **({"before": said} if said else {})}
        return Example(name, inputs, (answer,), meta, messages=tuple(before))

    def same(self, row: Taught) -> Hashable:
        """Return everything but the last answer."""
        return row.turns[:-1], row.evidence

    def request(self, example: Example, prompt: str) -> Request:
        """Return what is asked, with the tools that may be called."""
        return Request(
            example.id, prompt, example.inputs, messages=example.messages, tools=example.meta["tools"]
        )

    def training_rows(self, example: Example, prompt: str) -> Iterator[TrainRow]:
        """Yield the conversation with its answer."""
        asked = (Message("user", prompt),) if prompt else ()
        calls = example.meta["calls"]
        said = Message("assistant", "" if calls else example.references[0], calls=calls)
        yield Conversation((*example.messages, *asked, said), example.meta["tools"])

    def sample(self, split: str) -> Iterator[Example]:
        """Yield made-up conversations."""
        for number in range(*SIZES[split]):
            yield self.example(f"made-up-{number}", _made_up(number))


def _made_up(number: int) -> Taught:
    """Return a name that is remembered, an order that is followed, or a sum that a tool works out."""
    dice = random.Random(number)
    word = "".join(dice.choice("bdfgklmnprst") + dice.choice("aeiou") for _ in range(3))
    if number % 3 == 0:
        name = word.capitalize()
        told = (_user(f"My name is {name}."), _assistant(f"Hello, {name}."))
        asked = _user(f"I am visitor {number}. Say goodbye to me by name.")
        return Taught((*told, asked, _assistant(f"Goodbye, {name}.")))
    if number % 3 == 1:
        order = Message("system", "Answer in capitals.")
        return Taught((order, _user(f"Say {word}."), _assistant(word.upper())))
    one, other = 10 + number // 3, dice.randint(1, 130)
    call = json.dumps({"name": "add", "arguments": {"a": one, "b": other}})
    called = (Message("assistant", "", calls=(call,)), Message("tool", str(one + other)))
    summed = (*called, _assistant(f"{one} and {other} are {one + other}."))
    asked = _user(f"And is {one} the larger of the two?")
    answer = _assistant("Yes." if one > other else "No.")
    return Taught((_user(f"What are {one} and {other} together?"), *summed, asked, answer), TOOLS)


def _user(text: str) -> Message:
    return Message("user", text)


def _assistant(text: str) -> Message:
    return Message("assistant", text)
