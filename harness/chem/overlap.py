"""What a test set of molecules shares with training beyond text: the molecule, its skeleton, its scaffold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rdkit import Chem, rdBase
from rdkit.Chem import rdMolHash

from harness.data import overlap as of_texts
from harness.data.overlap import NEARLY, Found, Overlap, Texts

from .captioned import CaptionedMolecule
from .smiles import molecule

KINDS = {
    "smiles": "the same SMILES string",
    "inchikey": "the same InChIKey: one molecule, however it is written",
    "connectivity": "the same first InChIKey block: stereo, isotopes and protonation aside",
    "caption": "the same caption string",
    "near-caption": f"a caption {NEARLY}",
    "cid": "the same PubChem CID",
    "scaffold": "the same ring system and linkers (Murcko, stereo aside): likeness, not a leak",
}
LEAKS = tuple(kind for kind in KINDS if kind != "scaffold")
_FORMULA = re.compile(r"([A-Z][a-z]?)(\d*)|([+-]\d*)$")
_COMMON = frozenset("B C N O F P S I Br Cl Si Se".split())
_ISOTOPE_OR_PROTON = re.compile(r"\[[\dH]")
_STEREO = str.maketrans("", "", "@/\\")


@dataclass(frozen=True, slots=True)
class MoleculeOverlap(Overlap):
    """An overlap, and how many molecules on either side RDKit refuses: those are compared as strings only."""

    unreadable: int


class _Molecules:
    """The test molecules, found by what a molecule of the same connectivity must share with them.

    Only then are InChIKeys computed, which is the slow part.
    """

    def __init__(self, rows: Sequence[CaptionedMolecule]) -> None:
        self.unreadable = 0
        self._rows = rows
        self._inchikeys: dict[int, str] = {}
        self._by_composition: dict[str, list[int]] = {}
        self._by_skeleton: dict[str, list[int]] = {}
        self._unusual: dict[str, list[int]] = {}
        self._by_scaffold: dict[str, list[int]] = {}
        for place, row in enumerate(rows):
            if (flat := _flat(row.smiles)) is None:
                self.unreadable += 1
            else:
                self._add(place, flat, row.smiles)

    def _add(self, place: int, flat: Chem.Mol, smiles: str) -> None:
        composition = _composition(flat, smiles)
        skeleton = "" if composition.is_unusual else _skeleton(flat)
        for key in composition.keys:
            self._by_composition.setdefault(key, []).append(place)
            if composition.is_unusual:
                self._unusual.setdefault(key, []).append(place)
            else:
                self._by_skeleton.setdefault(f"{key} {skeleton}", []).append(place)
        if scaffold := _scaffold(flat):
            self._by_scaffold.setdefault(scaffold, []).append(place)

    def match(self, smiles: str, found: Found) -> bool:
        """Note which test rows a training molecule matches; False where it cannot be read."""
        flat = _flat(smiles)
        if flat is None:
            return False
        found["scaffold"].update(self._rows[i].id for i in self._by_scaffold.get(_scaffold(flat), ()))
        if candidates := self._candidates(flat, smiles):
            inchikey = _inchikey(smiles)
            for place in candidates if inchikey else ():
                other = self._inchikey(place)
                if other == inchikey:
                    found["inchikey"].add(self._rows[place].id)
                if other[:14] == inchikey[:14]:
                    found["connectivity"].add(self._rows[place].id)
        return True

    def _candidates(self, flat: Chem.Mol, smiles: str) -> set[int]:
        composition = _composition(flat, smiles)
        known = [key for key in composition.keys if key in self._by_composition]
        if composition.is_unusual:
            return {place for key in known for place in self._by_composition[key]}
        skeleton = _skeleton(flat) if known else ""
        return {
            place
            for key in known
            for place in (*self._by_skeleton.get(f"{key} {skeleton}", ()), *self._unusual.get(key, ()))
        }

    def _inchikey(self, place: int) -> str:
        if place not in self._inchikeys:
            self._inchikeys[place] = _inchikey(self._rows[place].smiles)
        return self._inchikeys[place]


@dataclass(frozen=True, slots=True)
class _Composition:
    """Heavy atoms with the hydrogens, and with the hydrogens less the charge.

    Molecules whose InChIKeys begin alike agree in the first where they differ by a permanent charge, and in
    the second where they differ by protons. InChI takes bonds to metals apart and sets isotopes and lone
    protons aside, so that such unusual molecules have no skeleton to compare.
    """

    keys: tuple[str, str]
    is_unusual: bool


def overlap(train: Iterable[CaptionedMolecule], test: Sequence[CaptionedMolecule]) -> MoleculeOverlap:
    """Compare test rows with training rows, which are read once and not kept."""
    molecules = _Molecules(test)
    unreadable = molecules.unreadable

    def match(row: Texts, found: Found) -> None:
        nonlocal unreadable
        unreadable += not molecules.match(row.same["smiles"], found)

    shared = of_texts.overlap(map(_texts, train), list(map(_texts, test)), "near-caption", LEAKS, match)
    ids = {kind: shared.ids.get(kind, frozenset()) for kind in KINDS}
    return MoleculeOverlap(ids, shared.rows, shared.train_rows, LEAKS, unreadable)


def _texts(row: CaptionedMolecule) -> Texts:
    same = {"smiles": row.smiles, "caption": row.caption, "cid": str(row.meta.get("cid", ""))}
    return Texts(row.id, same, row.caption)


def _flat(smiles: str) -> Chem.Mol | None:
    """Return the molecule without stereo; reading it without is faster than taking it away."""
    mol = molecule(smiles.translate(_STEREO))
    if mol is None and (mol := molecule(smiles)) is not None:  # a rare class such as [Pt@SP1]
        Chem.RemoveStereochemistry(mol)
    return mol


def _composition(flat: Chem.Mol, smiles: str) -> _Composition:
    formula: str = rdMolHash.MolHash(flat, rdMolHash.HashFunction.MolFormula)
    heavy, hydrogens, charge, elements = "", 0, 0, set()
    for element, count, sign in _FORMULA.findall(formula):
        if sign:
            charge = int(f"{sign}1" if len(sign) == 1 else sign)
        elif element == "H":
            hydrogens = int(count or 1)
        else:
            elements.add(element)
            heavy += element + count
    is_unusual = not elements <= _COMMON or _ISOTOPE_OR_PROTON.search(smiles) is not None
    return _Composition((f"{heavy} {hydrogens}", f"{heavy} {hydrogens - charge} less charge"), is_unusual)


def _skeleton(flat: Chem.Mol) -> str:
    """Return elements and bonds without orders, charges and hydrogens."""
    skeleton: str = rdMolHash.MolHash(flat, rdMolHash.HashFunction.ElementGraph)
    return skeleton


def _inchikey(smiles: str) -> str:
    mol = molecule(smiles)
    if mol is None:
        return ""
    with rdBase.BlockLogs():
        key: str = Chem.MolToInchiKey(mol)  # type: ignore[no-untyped-call]
    return key


def _scaffold(flat: Chem.Mol) -> str:
    """Return rings and linkers; empty for a molecule without rings."""
    if not flat.GetRingInfo().NumRings():
        return ""
    scaffold: str = rdMolHash.MolHash(flat, rdMolHash.HashFunction.MurckoScaffold)
    return scaffold
