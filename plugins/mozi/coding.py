"""Rows and requests as Mozi reads them: no token begins a text, and what is too long loses its beginning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness import Conversation, Document, Message, Request, TrainPair, TrainRow
from harness.language_models import CausalCoder
from harness.language_models.templates import Part, conversation


class EvidenceCoder(CausalCoder):
    """Evidence, question and answer in one sequence; only the answer is learned.

    A row that is longer than `max_length` is cut from the left, where its evidence is. The question and
    the answer are never cut: a row in which they alone are too long is left as it is, and left out.
    """

    def __init__(self, tokenizer: Any, *, max_length: int | None = None) -> None:
        super().__init__(tokenizer)
        self.begin = []
        self.max_length = max_length

    def row(self, row: TrainRow) -> Mapping[str, Sequence[int]]:
        """Encode one training row; a document may bring its tokens."""
        if isinstance(row, Document) and row.tokens:
            ids = [*row.tokens, self.end]
            return {"input_ids": ids, "labels": ids}
        encoded = super().row(row)
        if self.max_length is None or not isinstance(row, TrainPair):
            return encoded
        whole = len(encoded["input_ids"])
        kept = whole - min(max(0, whole - self.max_length), self._evidence(row.prompt, row.inputs))
        return {key: values[-kept:] for key, values in encoded.items()}

    def request(self, request: Request, answer: str = "") -> Mapping[str, list[int]]:
        """Encode what is asked; a talk of several turns is laid out as Mozi's dialogues are."""
        if not request.messages:
            return super().request(request, answer)
        parts = dialogue(conversation(request), self.tokenizer.eos_token)
        return {"input_ids": self._encoded([*parts, Part(answer)] if answer else parts)[0]}

    def _parts(self, row: TrainRow) -> list[Part]:
        if isinstance(row, Conversation):
            return dialogue(row.messages, self.tokenizer.eos_token)
        return super()._parts(row)

    def _evidence(self, prompt: str, inputs: Mapping[str, str]) -> int:
        """Count the tokens of a prompt up to where its evidence ends."""
        evidence = inputs.get("evidence", "")
        if not evidence or evidence not in prompt:
            return 0
        return len(self._ids(prompt[: prompt.index(evidence) + len(evidence)]))


def dialogue(messages: Sequence[Message], end: str) -> list[Part]:
    """Lay out turns, the bot's to be learned; it is the bot's turn where it has not spoken last."""
    parts: list[Part] = []
    for message in messages:
        if message.role == "assistant":
            parts += [Part("Bot:"), Part(f" {message.text}{end}", learned=True)]
        else:
            parts.append(Part(f"Human: {message.text}{end}"))
    return parts if messages[-1].role == "assistant" else [*parts, Part("Bot:")]
