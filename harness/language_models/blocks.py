"""Documents laid end to end and cut into lines of one length, across where one ends and the next begins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from harness.api import Document, TrainRow


class Blocks:
    """Lines of exactly `length` tokens, iterated anew for every epoch; what is left at the end is dropped.

    With `ends` the end of text stands between two documents. A row that is no document is refused where
    rows are checked, and left as it is here.
    """

    def __init__(self, rows: Iterable[TrainRow], tokenizer: Any, length: int, *, ends: bool) -> None:
        self._rows = rows
        self._tokenizer = tokenizer
        self._length = length
        self._ends = ends

    def __iter__(self) -> Iterator[TrainRow]:
        held: list[int] = []
        for row in self._rows:
            if not isinstance(row, Document):
                yield row
                continue
            held += self._tokens(row)
            for start in range(0, len(held) - self._length + 1, self._length):
                yield Document("", tuple(held[start : start + self._length]))
            held = held[len(held) // self._length * self._length :]

    def _tokens(self, row: Document) -> Sequence[int]:
        tokenizer = self._tokenizer
        ids = row.tokens or tokenizer(row.text, add_special_tokens=False)["input_ids"]
        return [*ids, tokenizer.eos_token_id] if self._ends else ids
