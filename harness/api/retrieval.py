"""What a retriever offers: an entry that is cheap to list, and a way to find texts by a question."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class RetrieverEntry:
    """A retriever on the shelf. `target` names a class, or a function that returns a `Retriever`.

    It is called without arguments, or, where `takes` says what stands behind a colon after the name
    (`encoder:FOLDER`), with that text. `A+B` asks two retrievers and fuses what they find.
    """

    name: str
    summary: str
    target: str
    requires: tuple[str, ...] = ()
    takes: str = ""
    tags: tuple[str, ...] = ()


class Hit(NamedTuple):
    """A text that was found: its place among those searched, and how near it is (higher is nearer)."""

    place: int
    score: float


class Index(ABC):
    """Texts that can be searched."""

    @abstractmethod
    def search(self, query: str, k: int) -> Sequence[Hit]:
        """Return the `k` nearest texts, nearest first and the first of equals first."""


class Retriever(ABC):
    """A way to find the texts that answer a question."""

    @abstractmethod
    def index(self, texts: Sequence[str]) -> Index:
        """Make texts searchable."""

    def prepare(self, texts: Sequence[str], queries: Sequence[str]) -> None:
        """Do for many indexes at once what is cheaper so, such as embedding; nothing by default."""
        return
