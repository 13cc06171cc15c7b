"""Answers in OpenAI's words: whole, and piece by piece."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from harness.api.example import Completion
from harness.api.session import TokenLog

FINISHES = {"stop": "stop", "stop-string": "stop", "length": "length", "choice": "stop"}
TokenText = Callable[[int], str]


def finish_of(completion: Completion) -> str:
    """Return why an answer ended."""
    return FINISHES.get(completion.finish, "stop")


def usage_of(completions: Sequence[Completion], prompts: int) -> dict[str, int]:
    """Return what answers took; a prompt counts once however many answers it has."""
    new = sum(completion.new_tokens for completion in completions)
    return {"prompt_tokens": prompts, "completion_tokens": new, "total_tokens": prompts + new}


class Chat:
    """The words of `/v1/chat/completions`."""

    def __init__(self, name: str, model: str, text_of: TokenText) -> None:
        self.id, self.model, self.text_of = name, model, text_of
        self.created = int(time.time())

    def whole(self, choices: list[dict[str, Any]], usage: Mapping[str, int]) -> dict[str, Any]:
        """Return an answer that has ended."""
        return self._head("chat.completion") | {"choices": choices, "usage": dict(usage)}

    def choice(
        self, index: int, text: str, completion: Completion, logs: Sequence[TokenLog] | None
    ) -> dict[str, Any]:
        """Return one of the answers."""
        return {
            "index": index,
            "message": {"role": "assistant", "content": text, "refusal": None},
            "logprobs": None if logs is None else self._logprobs(logs),
            "finish_reason": finish_of(completion),
        }

    def begin(self, index: int) -> dict[str, Any]:
        """Return the first piece of a stream."""
        return self._chunk(index, {"role": "assistant", "content": ""}, None, None)

    def piece(
        self, index: int, text: str, logs: Sequence[TokenLog] | None, completion: Completion | None
    ) -> dict[str, Any]:
        """Return a piece of a stream; the last says why it ended."""
        finish = None if completion is None else finish_of(completion)
        return self._chunk(index, {"content": text} if text else {}, logs, finish)

    def usage(self, usage: Mapping[str, int]) -> dict[str, Any]:
        """Return the last chunk of a stream that tells its usage."""
        return self._head("chat.completion.chunk") | {"choices": [], "usage": dict(usage)}

    def _chunk(
        self, index: int, delta: dict[str, Any], logs: Sequence[TokenLog] | None, finish: str | None
    ) -> dict[str, Any]:
        choice = {"index": index, "delta": delta, "finish_reason": finish}
        choice["logprobs"] = None if logs is None else self._logprobs(logs)
        return self._head("chat.completion.chunk") | {"choices": [choice]}

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}

    def _logprobs(self, logs: Sequence[TokenLog]) -> dict[str, Any]:
        def entry(token: int, log: float) -> dict[str, Any]:
            text = self.text_of(token)
            return {"token": text, "logprob": log, "bytes": list(text.encode("utf-8", "surrogatepass"))}

        return {
            "content": [
                entry(found.token, found.log or 0.0)
                | {"top_logprobs": [entry(token, log) for token, log in found.top]}
                for found in logs
            ],
            "refusal": None,
        }


class Text:
    """The words of `/v1/completions`."""

    def __init__(self, name: str, model: str, text_of: TokenText) -> None:
        self.id, self.model, self.text_of = name, model, text_of
        self.created = int(time.time())

    def whole(self, choices: list[dict[str, Any]], usage: Mapping[str, int]) -> dict[str, Any]:
        """Return an answer that has ended."""
        return self._head() | {"choices": choices, "usage": dict(usage)}

    def choice(
        self, index: int, text: str, completion: Completion | None, logs: Sequence[TokenLog] | None
    ) -> dict[str, Any]:
        """Return one of the answers, or a piece of it."""
        return {
            "index": index,
            "text": text,
            "logprobs": None if logs is None else self._logprobs(logs),
            "finish_reason": None if completion is None else finish_of(completion),
        }

    def piece(
        self, index: int, text: str, logs: Sequence[TokenLog] | None, completion: Completion | None
    ) -> dict[str, Any]:
        """Return a piece of a stream; the last says why it ended."""
        return self._head() | {"choices": [self.choice(index, text, completion, logs)]}

    def usage(self, usage: Mapping[str, int]) -> dict[str, Any]:
        """Return the last chunk of a stream that tells its usage."""
        return self._head() | {"choices": [], "usage": dict(usage)}

    def _head(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": "text_completion",
            "created": self.created,
            "model": self.model,
        }

    def _logprobs(self, logs: Sequence[TokenLog]) -> dict[str, Any]:
        texts = [self.text_of(found.token) for found in logs]
        offsets, place = [], 0
        for text in texts:
            offsets.append(place)
            place += len(text)
        return {
            "tokens": texts,
            "token_logprobs": [found.log for found in logs],
            "top_logprobs": [
                None if found.log is None else {self.text_of(token): log for token, log in found.top}
                for found in logs
            ],
            "text_offset": offsets,
        }
