"""Rows and requests as token ids, and ids as text: the same object for training, evaluation and serving."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from harness.api import Conversation, DataError, Document, Request, TrainPair, TrainRow

IGNORED = -100


class Coder(Protocol):
    """How a model reads and writes."""

    @property
    def pad(self) -> Mapping[str, int]:
        """The padding value of each key of a row."""
        ...

    def row(self, row: TrainRow, /) -> Mapping[str, Sequence[int]]:
        """Encode one training row as `input_ids` and `labels`."""
        ...

    def request(self, request: Request, /) -> Mapping[str, list[int]]:
        """Encode what generation feeds the model."""
        ...

    def text(self, ids: Sequence[int], /) -> str:
        """Return what the model has said."""
        ...


class _TokenizerCoder:
    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.pad: Mapping[str, int] = {"input_ids": tokenizer.pad_token_id, "labels": IGNORED}

    def text(self, ids: Sequence[int]) -> str:
        """Return what the model has said, without special tokens and with its spaces as they are."""
        said: str = self.tokenizer.decode(
            list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return said


class CausalCoder(_TokenizerCoder):
    """A prompt and the answer after it, in one sequence; the answer ends with the end of text."""

    def __init__(self, tokenizer: Any, *, prompt_loss: bool = False) -> None:
        super().__init__(tokenizer)
        self.prompt_loss = prompt_loss
        self.end: int = tokenizer.eos_token_id
        begun = tokenizer("a")["input_ids"]
        bos = getattr(tokenizer, "bos_token_id", None)
        self.begin = [bos] if bos is not None and begun[:1] == [bos] else []

    def row(self, row: TrainRow) -> Mapping[str, Sequence[int]]:
        """Encode one training row; only what the model is to say is learned."""
        ids, learned = list(self.begin), [False] * len(self.begin)
        for text, answer in self._parts(row):
            piece = self._ids(text)
            if answer:
                piece.append(self.end)
            ids += piece
            learned += [answer or self.prompt_loss] * len(piece)
        labels = [token if keep else IGNORED for token, keep in zip(ids, learned, strict=True)]
        return {"input_ids": ids, "labels": labels}

    def request(self, request: Request) -> Mapping[str, list[int]]:
        """Encode a prompt up to where the answer begins."""
        return {"input_ids": [*self.begin, *self._ids(request.prompt)]}

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _parts(self, row: TrainRow) -> Iterator[tuple[str, bool]]:
        """Yield the texts of a row and whether each is learned."""
        if isinstance(row, TrainPair):
            yield row.prompt, False
            yield row.target, True
        elif isinstance(row, Document):
            yield row.text, True
        elif isinstance(row, Conversation):
            yield from ((message.text, message.role == "assistant") for message in row.messages)
        else:
            raise DataError(f"there is no way to read a {type(row).__name__} as text")


class Seq2SeqCoder(_TokenizerCoder):
    """A prompt for the encoder and an answer for the decoder, both cut to a length."""

    def __init__(self, tokenizer: Any, *, max_length: int | None = None) -> None:
        super().__init__(tokenizer)
        self.max_length = max_length

    def row(self, row: TrainRow) -> Mapping[str, Sequence[int]]:
        """Encode a pair."""
        if not isinstance(row, TrainPair):
            raise DataError(f"a model with an encoder learns from pairs, not from {type(row).__name__}")
        return {"input_ids": self._cut(row.prompt), "labels": self._cut(row.target)}

    def request(self, request: Request) -> Mapping[str, list[int]]:
        """Encode a prompt."""
        return {"input_ids": list(self.tokenizer(request.prompt)["input_ids"])}

    def _cut(self, text: str) -> list[int]:
        limit = {} if self.max_length is None else {"truncation": True, "max_length": self.max_length}
        return list(self.tokenizer(text, **limit)["input_ids"])
