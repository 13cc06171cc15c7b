"""Who writes a caption: rules alone, or a model plugin, which may be an endpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from harness.api import Completion, PromptFormat, Request

from . import retrieval

PROMPT = PromptFormat(
    "pseudo-one-shot",
    "Describe a molecule from its SMILES in the manner of the example: its structure, its class, its role.\n"
    "Answer with the description alone.\n\n"
    "SMILES: {neighbour_smiles}\nDescription: {neighbour_caption}\n\n"
    "SMILES: {smiles}\nDescription:",
)


@dataclass(frozen=True, slots=True)
class Item:
    """A molecule to be described, and the described molecule most like it."""

    key: str
    smiles: str
    mol: Any
    neighbour_smiles: str
    neighbour_caption: str
    neighbour_mol: Any
    similarity: float

    def prompt(self) -> str:
        """Return the one-shot prompt."""
        return PROMPT.render(
            {
                "smiles": self.smiles,
                "neighbour_smiles": self.neighbour_smiles,
                "neighbour_caption": self.neighbour_caption,
            }
        )


class Writer(Protocol):
    """Writes captions for a batch of molecules, each as soon as it is written."""

    name: str

    def __call__(self, items: Sequence[Item]) -> Iterator[tuple[Item, str]]:
        """Yield (item, text) in any order."""
        ...


class RetrievalWriter:
    """Adapts the neighbour's caption by rules; needs nothing and gives the same text every time."""

    name = "retrieval"

    def __call__(self, items: Sequence[Item]) -> Iterator[tuple[Item, str]]:
        """Yield each neighbour's caption, adapted."""
        for item in items:
            yield item, retrieval.adapt(item.neighbour_caption, item.neighbour_mol, item.mol)


class ModelWriter:
    """Asks a model plugin with the one-shot prompt."""

    def __init__(self, name: str, generate: Callable[[Sequence[Request]], Iterable[Completion]]) -> None:
        self.name = name
        self._generate = generate

    def __call__(self, items: Sequence[Item]) -> Iterator[tuple[Item, str]]:
        """Yield what the model says."""
        by_key = {item.key: item for item in items}
        for completion in self._generate([Request(item.key, item.prompt()) for item in items]):
            yield by_key[completion.request_id], completion.text
