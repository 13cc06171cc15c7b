"""The writer that needs no model: the neighbour's caption, with what is untrue of the molecule mended or cut.

Rules look only at what can be computed from the structure: which halogens there are, and stated numbers
of rings, hydrogen-bond donors and acceptors. A statement that is wrong and cannot be mended is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from rdkit.Chem import rdMolDescriptors

_HALOGENS = {
    9: ("fluor", "fluoro", "fluorine", "fluoride"),
    17: ("chlor", "chloro", "chlorine", "chloride"),
    35: ("brom", "bromo", "bromine", "bromide"),
    53: ("iod", "iodo", "iodine", "iodide"),
}
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_COUNTED: dict[str, Callable[[Any], int]] = {
    r"aromatic rings?": rdMolDescriptors.CalcNumAromaticRings,
    r"rings?": rdMolDescriptors.CalcNumRings,
    r"hydrogen[- ]bond donors?": rdMolDescriptors.CalcNumHBD,
    r"hydrogen[- ]bond acceptors?": rdMolDescriptors.CalcNumHBA,
    r"rotatable bonds?": rdMolDescriptors.CalcNumRotatableBonds,
}
_SENTENCES = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")


def adapt(caption: str, neighbour: Any, mol: Any) -> str:
    """Return the neighbour's caption made true of the molecule, as far as the rules reach."""
    kept = []
    for sentence in _SENTENCES.split(caption):
        mended = _mend_halogens(_mend_counts(sentence, neighbour, mol), neighbour, mol)
        if mended:
            kept.append(mended)
    return " ".join(kept)


def _mend_counts(sentence: str, neighbour: Any, mol: Any) -> str:
    for phrase, count in _COUNTED.items():
        was, now = count(neighbour), count(mol)
        if was != now and was < len(_NUMBERS):
            pattern = re.compile(rf"\b({_NUMBERS[was]}|{was})(?= {phrase}\b)", re.IGNORECASE)
            word = _NUMBERS[now] if now < len(_NUMBERS) else str(now)
            sentence = pattern.sub(word, sentence)
    return sentence


def _mend_halogens(sentence: str, neighbour: Any, mol: Any) -> str:
    """Rename a halogen where each molecule has one kind; leave a sentence out that names an absent one."""
    there = {atom.GetAtomicNum() for atom in mol.GetAtoms()} & set(_HALOGENS)
    was = {atom.GetAtomicNum() for atom in neighbour.GetAtoms()} & set(_HALOGENS)
    for element, names in _HALOGENS.items():
        stem = re.compile(rf"{names[0]}(?=o|in|id|\b)", re.IGNORECASE)
        if element in there or not stem.search(sentence):
            continue
        if was == {element} and len(there) == 1:
            new = _HALOGENS[next(iter(there))][0]
            sentence = stem.sub(lambda found, new=new: _like(found.group(), new), sentence)  # type: ignore[misc]
        else:
            return ""
    return sentence


def _like(old: str, new: str) -> str:
    return new.capitalize() if old[0].isupper() else new
