"""Rows and requests as token ids, and ids as text: the same object for training, evaluation and serving."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from harness.api import (
    Conversation,
    DataError,
    Document,
    GenerateSpec,
    Request,
    TrainPair,
    TrainRow,
    UsageError,
)

from .templates import Part, PromptTemplate, Template, conversation, template_for

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
    """A conversation in one sequence, laid out by a template; what the assistant says is learned."""

    def __init__(
        self, tokenizer: Any, *, prompt_loss: bool = False, template: Template | None = None
    ) -> None:
        super().__init__(tokenizer)
        self.prompt_loss = prompt_loss
        self.template = template or template_for("none", tokenizer)
        self.end: int = tokenizer.eos_token_id
        self.bos: int | None = getattr(tokenizer, "bos_token_id", None)
        self.begin = _begin(tokenizer, self.bos)

    def row(self, row: TrainRow) -> Mapping[str, Sequence[int]]:
        """Encode one training row; only what the model is to say is learned, of a document all."""
        if isinstance(row, Document) and row.tokens:
            return {"input_ids": list(row.tokens), "labels": list(row.tokens)}
        ids, learned = self._encoded(self._parts(row))
        labels = [token if keep else IGNORED for token, keep in zip(ids, learned, strict=True)]
        return {"input_ids": ids, "labels": labels}

    def request(self, request: Request, answer: str = "") -> Mapping[str, list[int]]:
        """Encode a prompt up to where the answer begins, or up to the end of an answer that is given."""
        if request.exact:
            return {"input_ids": self.plain(request.prompt + answer)}
        parts = self.template.parts(conversation(request), request.tools)
        if answer and isinstance(self.template, PromptTemplate) and self.template.joint:
            # Nothing is laid out around it, so prompt and answer are one text, as other harnesses read it.
            *parts, (prompt, _) = parts
            answer = prompt + self.template.between(prompt, answer) + answer
        ids, _ = self._encoded([*parts, Part(answer)] if answer else parts)
        return {"input_ids": ids}

    def plain(self, text: str) -> list[int]:
        """Encode a text that is to be continued, with nothing laid around it."""
        ids = self._ids(text)
        return ids if ids[: len(self.begin)] == self.begin else [*self.begin, *ids]

    def choices(self, requests: Sequence[Request]) -> Callable[[Request], Mapping[str, list[int]]]:
        """Return how a prompt with a choice after it is read."""
        asked = {request.id: request for request in requests}

        def encode(request: Request) -> Mapping[str, list[int]]:
            plain = asked[request.id]
            return self.request(plain, request.prompt[len(plain.prompt) :])

        return encode

    def ending(self, spec: GenerateSpec) -> GenerateSpec:
        """Return the settings with what ends a turn of the template among what ends an answer."""
        stop = self.template.stop
        if not stop:
            return spec
        token = self.tokenizer.get_added_vocab().get(stop)
        if token is None:
            return replace(spec, stop=(*spec.stop, stop))
        known = tuple(spec.options.get("stop_tokens", ()))
        return replace(spec, options={**spec.options, "stop_tokens": (*known, token)})

    def _encoded(self, parts: Iterable[Part]) -> tuple[list[int], list[bool]]:
        """Return the ids of parts and whether each is learned, begun as the tokenizer begins a text."""
        ids: list[int] = []
        learned: list[bool] = []
        for text, answer in parts:
            piece = self._ids(text)
            ids += piece
            learned += [answer or self.prompt_loss] * len(piece)
        if self.bos is not None and ids[:2] == [self.bos, self.bos] and self.bos != self.end:
            raise UsageError(
                f"a prompt begins with two tokens that begin a text ({self.tokenizer.bos_token})",
                hint="take the one that the text holds out of it, or choose another model.template",
            )
        begin = [] if self.template.begins or ids[: len(self.begin)] == self.begin else self.begin
        return [*begin, *ids], [*([False] * len(begin)), *learned]

    def _ids(self, text: str) -> list[int]:
        eos: str = self.tokenizer.eos_token or ""
        ended = bool(eos) and text.endswith(eos)  # not every tokenizer finds its end in a text
        ids = list(
            self.tokenizer(text.removesuffix(eos) if ended else text, add_special_tokens=False)["input_ids"]
        )
        return [*ids, self.end] if ended else ids

    def _parts(self, row: TrainRow) -> list[Part]:
        """Return the texts of a row and whether each is learned."""
        if isinstance(row, TrainPair):
            return self.template.parts(conversation(row))
        if isinstance(row, Document):
            return [Part(row.text + (self.tokenizer.eos_token or ""), learned=True)]
        if isinstance(row, Conversation):
            return self.template.parts(row.messages, row.tools)
        raise DataError(f"there is no way to read a {type(row).__name__} as text")


def _begin(tokenizer: Any, bos: int | None) -> list[int]:
    """Return the tokens that the tokenizer puts before a text: its own beginning, or GLM's two of them."""
    begun = list(tokenizer("a")["input_ids"])
    if bos is not None:
        return [bos] if begun[:1] == [bos] else []
    plain = list(tokenizer("a", add_special_tokens=False)["input_ids"])
    return begun[: -len(plain)] if plain and begun[-len(plain) :] == plain else []


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
