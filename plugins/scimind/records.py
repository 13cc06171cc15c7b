"""Training rows and requests as token ids, in plain prompts or in the release's conversation form."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import Conversation, DataError, Document, Message, Request, TrainPair, TrainRow

from .tokenizer import SciMindTokenizer

IGNORED = -100
CONVERSATION_KEYS = (
    "conversation",
    "conversations",
)  # the release reads the first, its converter writes the second
SPEAKERS = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant"}


@dataclass(frozen=True, slots=True)
class RowEncoder:
    """Turns rows and requests into ids.

    `inst` puts a question into the release's ` [INST]: … [/INST]: …` form. `prompt_loss` learns the
    question as well, as the release does. `quirks` repeats that training text has its newlines written
    as backslash and n while prompts have them as they are.
    """

    tokenizer: SciMindTokenizer
    inst: bool = False
    prompt_loss: bool = False
    quirks: bool = False

    @property
    def pad(self) -> Mapping[str, int]:
        """The padding value of each key."""
        return {"input_ids": self.tokenizer.pad_token_id, "labels": IGNORED}

    def text(self, ids: Sequence[int]) -> str:
        """Return what the model has said."""
        return self.tokenizer.decode_text(ids)

    def row(self, row: TrainRow) -> Mapping[str, Sequence[int]]:
        """Encode one training row as `input_ids` and `labels`."""
        bos, eos = self.tokenizer.bos_token_id, self.tokenizer.eos_token_id
        ids, learned = [bos], [False]
        for text, inputs, answer in self._segments(row):
            piece = self._ids(text, inputs)
            if answer:
                piece.append(eos)
            ids += piece
            learned += [answer or self.prompt_loss] * len(piece)
        return {
            "input_ids": ids,
            "labels": [token if keep else IGNORED for token, keep in zip(ids, learned, strict=True)],
        }

    def request(self, request: Request, answer: str = "") -> Mapping[str, list[int]]:
        """Encode one request up to where the answer begins, or up to the end of an answer that is given."""
        prompt = request.prompt.replace("\\n", "\n") if self.quirks else request.prompt
        text = self._asked(prompt)
        ids = self.tokenizer.encode_text(text, request.inputs)
        if answer:
            ids += self._ids(self._answered(answer), {})
        return {"input_ids": [self.tokenizer.bos_token_id, *ids]}

    def _segments(self, row: TrainRow) -> Iterator[tuple[str, Mapping[str, str], bool]]:
        if isinstance(row, TrainPair):
            yield self._asked(row.prompt), row.inputs, False
            yield self._answered(row.target), {}, True
        elif isinstance(row, Document):
            yield row.text, {}, True
        elif isinstance(row, Conversation):
            for message in row.messages:
                answer = message.role == "assistant"
                yield self._answered(message.text) if answer else self._asked(message.text), {}, answer

    def _asked(self, text: str) -> str:
        return f" [INST]: {text} [/INST]:" if self.inst else text

    def _answered(self, text: str) -> str:
        return f" {text}" if self.inst else text

    def _ids(self, text: str, inputs: Mapping[str, str]) -> list[int]:
        return self.tokenizer.encode_text(text.replace("\n", "\\n") if self.quirks else text, inputs)


def read_conversations(path: Path) -> Iterator[Conversation]:
    """Read the release's conversation JSON: a list of records with an id and turns of human and gpt."""
    try:
        records = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise DataError(f"{path} is no JSON file: {error}") from error
    if not isinstance(records, list):
        raise DataError(f"{path} holds a {type(records).__name__}, not a list of conversations")
    for number, record in enumerate(records):
        yield _conversation(record, f"{path}, record {number}")


def _conversation(record: Any, where: str) -> Conversation:
    found = [record[key] for key in CONVERSATION_KEYS if isinstance(record, dict) and key in record]
    if len(found) != 1 or not isinstance(found[0], list) or not found[0]:
        raise DataError(f"{where} has no turns", hint="expected a key 'conversation' with a list of turns")
    turns = []
    for turn in found[0]:
        if not isinstance(turn, dict) or not isinstance(turn.get("value"), str):
            raise DataError(f"{where} has a turn without text", hint='a turn is {"from": …, "value": …}')
        if turn.get("from") not in SPEAKERS:
            raise DataError(f"{where} has a turn by '{turn.get('from')}'", hint="speakers are human and gpt")
        turns.append(Message(SPEAKERS[turn["from"]], turn["value"]))
    return Conversation(tuple(turns))
