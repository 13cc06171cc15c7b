"""Molecules read once: `Molecules` keeps the most recent ones with what was worked out about them.

Whatever a string is, reading it stays silent and bounded: strings that RDKit could hang or crash on are
left to the guard.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

from rdkit import Chem, rdBase

from .guard import FILE_SECONDS, QUESTIONS, SECONDS, Guard
from .smiles import is_legal

# Beyond these RDKit's cost can explode, and a child process takes over (see guard.py). The longest
# SMILES of ChEBI-20 has 1,135 characters.
LONG = 4000
_MANY_ATOMS = 2000
_CROWDED = Chem.MolFromSmarts("[D{9-}]")


class Molecule:
    """One parsed string and what has been asked about it so far."""

    __slots__ = ("_answers", "_guard", "_mol", "text", "valid")

    def __init__(self, text: str, guard: Guard) -> None:
        """Parse the text; a string that could crash RDKit is left to the guard."""
        self.text = text
        self._answers: dict[str, Any] = {}
        self._guard: Guard | None = guard
        self._mol = None
        if len(text) <= LONG:
            self._mol = _quiet_parse(text)
            self.valid = self._mol is not None
            if self._mol is not None and not _dangerous(self._mol, text):
                self._guard = None
        else:
            self.valid = self._ask_guard("atoms") is not None

    @property
    def mol(self) -> Any | None:
        """The molecule as RDKit has it, or None where there is none or it could hang this process."""
        return self._mol if self._guard is None else None

    @property
    def empty(self) -> bool:
        """Whether the molecule has no atoms, as the empty string has."""
        return bool(self.get("atoms") == "0")

    def get(self, question: str) -> Any:
        """Return an answer of `guard.QUESTIONS`, or None where RDKit has none."""
        if question not in self._answers:
            self._answers[question] = self._ask(question)
        return self._answers[question]

    def _ask(self, question: str) -> Any:
        if not self.valid:
            return None
        if self._guard is not None:
            return self._ask_guard(question)
        if question != "inchi":  # the only one that may write to RDKit's log
            return QUESTIONS[question](self._mol)
        with rdBase.BlockLogs():
            return QUESTIONS[question](self._mol)

    def _ask_guard(self, question: str) -> Any:
        assert self._guard is not None
        return self._guard.ask(self.text, question) if is_legal(self.text) else None


class Molecules:
    """The molecules of a scoring by their text; the least recently used are forgotten first."""

    def __init__(self, capacity: int = 1 << 14) -> None:
        """Keep at most `capacity` molecules, about 20 kB each."""
        self._capacity = capacity
        self._kept: OrderedDict[str, Molecule] = OrderedDict()
        self._guard = Guard()

    def __getitem__(self, text: str) -> Molecule:
        molecule = self._kept.get(text)
        if molecule is None:
            molecule = self._kept[text] = Molecule(text, self._guard)
            if len(self._kept) > self._capacity:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(text)
        return molecule

    def ask(self, text: str, question: str) -> Any:
        """Return what a molecule answers."""
        return self[text].get(question)

    def ask_once(self, text: str, question: str) -> Any:
        """Return what a molecule answers without keeping it, for long lists that are gone through once."""
        return Molecule(text, self._guard).get(question)

    def renew(self) -> None:
        """Give the molecules of another file a budget of their own."""
        self._guard.renew()

    def note(self, texts: Iterable[str]) -> str:
        """Count and name those of these molecules that went beyond RDKit's limits, or say nothing."""
        beyond = [text for text in dict.fromkeys(texts) if text in self._guard.beyond]
        if not beyond:
            return ""
        asked = {text: ", ".join(sorted(self._guard.beyond[text])) for text in beyond[:3]}
        named = "; ".join(f"{text[:40]}… ({questions})" for text, questions in asked.items())
        were = "molecule was" if len(beyond) == 1 else "molecules were"
        limits = f"{SECONDS} s, or {FILE_SECONDS} s a file"
        return f"{len(beyond):,} {were} beyond RDKit within {limits}: {named}"


def _quiet_parse(text: str) -> Any:
    if not is_legal(text):
        return None
    with rdBase.BlockLogs():
        return Chem.MolFromSmiles(text)


def _dangerous(mol: Any, text: str) -> bool:
    atoms = mol.GetNumAtoms()
    if atoms > _MANY_ATOMS or mol.GetNumBonds() > 1.6 * atoms + 2:
        return True
    # Only dummy atoms and metals, spelled `*` or in brackets, can have so many neighbours.
    return _BRACKETED.search(text) is not None and bool(mol.HasSubstructMatch(_CROWDED))


_BRACKETED = re.compile(r"\*|\[(?!C@|nH\]|H\]|[NOS][+-]\])")
