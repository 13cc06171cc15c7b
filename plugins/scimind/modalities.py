"""SciMind's four modalities as text: which characters they have, and how a span is wrapped and unwrapped.

A molecule is written one SMILES *character* a token, `{|C|}{|l|}` for chlorine; nucleotides and residues
likewise, `*|G|*` and `<|L|>`. What is no such character stays as it is, so unwrapping is exact.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from rdkit import Chem, rdBase

TEXT, MOLECULE, NUCLEOTIDE, PROTEIN = "text", "molecule", "nucleotide", "protein"
MODALITIES = (TEXT, MOLECULE, NUCLEOTIDE, PROTEIN)

# The order is the order of the ids, 32000 and up with the LLaMA-2 tokenizer.
ALPHABETS: Mapping[str, str] = {
    MOLECULE: "C1(Oc2)N=#3.ln-sS[@H]/\\oA+456BrIM0dFGeiTP7aK89ugUR%htWDyZbELfYVXpm",
    NUCLEOTIDE: "GACTU",
    PROTEIN: "LAGVSERTIDPKQNFYMHWCXBUZO.-",
}
BRACKETS: Mapping[str, tuple[str, str]] = {
    MOLECULE: ("{|", "|}"),
    NUCLEOTIDE: ("*|", "|*"),
    PROTEIN: ("<|", "|>"),
}
# The input names that tasks use for a value that is one of these as a whole.
INPUT_MODALITY: Mapping[str, str] = {
    "smiles": MOLECULE,
    "molecule": MOLECULE,
    "dna": NUCLEOTIDE,
    "rna": NUCLEOTIDE,
    "nucleotide": NUCLEOTIDE,
    "protein": PROTEIN,
}


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of text that belongs to one modality."""

    start: int
    stop: int
    modality: str


def modality_tokens(modality: str) -> list[str]:
    """List the tokens of one modality in the order of their ids."""
    left, right = BRACKETS[modality]
    return [f"{left}{character}{right}" for character in ALPHABETS[modality]]


def wrap(text: str, modality: str) -> str:
    """Write each character that the modality knows as its token."""
    left, right = BRACKETS[modality]
    known = ALPHABETS[modality]
    return "".join(f"{left}{c}{right}" if c in known else c for c in text)


_WRAPPED = re.compile(
    "|".join(
        f"{re.escape(left)}([{re.escape(ALPHABETS[modality])}]){re.escape(right)}"
        for modality, (left, right) in BRACKETS.items()
    )
)


def unwrap(text: str) -> str:
    """Return the text as people write it: `{|C|}{|O|}` becomes `CO`."""
    return _WRAPPED.sub(lambda match: match[match.lastindex or 0], text)


def without_wrapped(text: str) -> str:
    """Return only the words of a text, a space for each stretch of wrapped characters."""
    pieces = _WRAPPED.sub("\0", text).split("\0")
    return " ".join(piece.strip() for piece in pieces if piece.strip())


def wrap_spans(text: str, spans: Iterable[Span]) -> str:
    """Wrap the given spans, which do not overlap, and leave the rest of the text alone."""
    pieces, end = [], 0
    for span in sorted(spans, key=lambda span: span.start):
        pieces += [text[end : span.start], wrap(text[span.start : span.stop], span.modality)]
        end = span.stop
    return "".join([*pieces, text[end:]])


def to_tokens(text: str, inputs: Mapping[str, str] | None = None, known: Collection[str] = MODALITIES) -> str:
    """Wrap a raw text's sequences: those that `inputs` name, and those that can be recognised.

    Text that is wrapped already is left alone, and so are modalities that are not `known`.
    """
    if _WRAPPED.search(text):
        return text
    named = list(_named_spans(text, inputs or {}))
    found = [
        span
        for span in find_spans(text)
        if not any(span.start < other.stop and other.start < span.stop for other in named)
    ]
    return wrap_spans(text, (span for span in named + found if span.modality in known))


def _named_spans(text: str, inputs: Mapping[str, str]) -> Iterator[Span]:
    taken = 0
    for name, value in inputs.items():
        start = text.find(value, taken) if value and name in INPUT_MODALITY else -1
        if start >= 0:
            taken = start + len(value)
            yield Span(start, taken, INPUT_MODALITY[name])


_WORD = re.compile(r"\S+")
_NUCLEOTIDES = re.compile(r"[ACGTU]{12,}\Z")
_RESIDUES = re.compile(r"[LAGVSERTIDPKQNFYMHWCXBUZO]{20,}[.-]?\Z")
_SMILES = re.compile(rf"[{re.escape(ALPHABETS[MOLECULE])}]+\Z")
_STRUCTURE = re.compile(r"[=#@/\\\[\]]|\(.*\)|[A-Za-z]([1-9]).*[A-Za-z\])]\1")


def find_spans(text: str) -> Iterator[Span]:
    """Find the sequences in a text.

    A word counts as nucleotides from 12 letters of ACGTU, as a protein from 20 residue letters, and as
    a molecule when RDKit reads it and it shows a structure (bond, branch, ring, bracket) or is a chain of
    at least five atoms that are mostly carbon, so that CNS and COPD stay words. A text that is one word
    needs no structure: `CO` alone is a molecule.
    """
    words = list(_WORD.finditer(text))
    for match in words:
        if found := _sequence_in(match[0], len(words) == 1):
            start = match.start()
            yield Span(start + found.start, start + found.stop, found.modality)


@lru_cache(maxsize=65536)
def _sequence_in(word: str, alone: bool) -> Span | None:
    start, stop = (0, len(word)) if alone else _without_punctuation(word)
    modality = _modality_of(word[start:stop], alone=alone)
    return Span(start, stop, modality) if modality else None


def _without_punctuation(word: str) -> tuple[int, int]:
    start, stop = 0, len(word)
    while stop > start and word[stop - 1] in ".,;:!?\"'’”":
        stop -= 1
    while start < stop and word[start] in "\"'‘“":
        start += 1
    while start < stop and word[start] == "(" and word.count("(", start, stop) > word.count(")", start, stop):
        start += 1
    while (
        start < stop and word[stop - 1] == ")" and word.count(")", start, stop) > word.count("(", start, stop)
    ):
        stop -= 1
    if word[start:stop].startswith("(") and word[start:stop].endswith(")"):
        start, stop = start + 1, stop - 1
    return start, stop


def _modality_of(word: str, *, alone: bool) -> str | None:
    if _NUCLEOTIDES.match(word) and set(word) != {"C"}:  # a long alkane is no DNA
        return NUCLEOTIDE
    if _SMILES.match(word) and (alone or _looks_like_a_structure(word)) and _is_molecule(word):
        return MOLECULE
    if _RESIDUES.match(word):
        return PROTEIN
    return None


def _looks_like_a_structure(word: str) -> bool:
    chain = len(word) >= 5 and word.count("C") * 2 > len(word)
    return len(word) > 1 and (chain or _STRUCTURE.search(word) is not None)


@lru_cache(maxsize=65536)  # a training pair names its molecule with and without words around it
def _is_molecule(word: str) -> bool:
    with rdBase.BlockLogs():
        return Chem.MolFromSmiles(word) is not None
