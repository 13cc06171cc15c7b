"""What a test set shares with the training rows: strings, molecules, scaffolds, captions, CIDs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rdkit import Chem, rdBase
from rdkit.Chem import rdMolHash

from .caption_task import CaptionedMolecule
from .chemistry import molecule
from .near_duplicates import THRESHOLD, WORDS, near_duplicates

KINDS = {
    "smiles": "the same SMILES string",
    "inchikey": "the same InChIKey: one molecule, however it is written",
    "connectivity": "the same first InChIKey block: stereo, isotopes and protonation aside",
    "caption": "the same caption string",
    "near-caption": f"a caption whose word {WORDS}-grams overlap by {THRESHOLD:.0%} or more (Jaccard)",
    "cid": "the same PubChem CID",
    "scaffold": "the same ring system and linkers (Murcko, stereo aside): likeness, not a leak",
}
LEAKS = tuple(kind for kind in KINDS if kind != "scaffold")
_FORMULA = re.compile(r"([A-Z][a-z]?)(\d*)|([+-]\d*)$")
_COMMON = frozenset("B C N O F P S I Br Cl Si Se".split())
_ISOTOPE_OR_PROTON = re.compile(r"\[[\dH]")
_STEREO = str.maketrans("", "", "@/\\")


@dataclass(frozen=True, slots=True)
class Overlap:
    """Ids of test rows by what they share with training, among `rows` test and `train_rows` training rows."""

    ids: Mapping[str, frozenset[str]]
    rows: int
    train_rows: int
    unreadable: int  # molecules that RDKit refuses, on either side: compared as strings only

    @property
    def leaked(self) -> frozenset[str]:
        """Return the ids of rows that training gives away; a shared scaffold gives nothing away."""
        return frozenset().union(*(self.ids[kind] for kind in LEAKS))


@dataclass(frozen=True, slots=True)
class _Keys:
    """What test molecules are found by; the last two spare most training molecules the slow InChI."""

    inchikey: dict[str, list[str]] = field(default_factory=dict)
    connectivity: dict[str, list[str]] = field(default_factory=dict)
    scaffold: dict[str, list[str]] = field(default_factory=dict)
    formulas: set[str] = field(default_factory=set)
    skeletons: set[str] = field(default_factory=set)

    def may_share(self, flat: Chem.Mol, smiles: str) -> bool:
        """Tell whether a test molecule may have the first InChIKey block of this one."""
        composition = _composition(flat, smiles)
        if not any(key in self.formulas for key in composition.keys):
            return False
        if composition.is_unusual or any(f"{key}?" in self.formulas for key in composition.keys):
            return True
        skeleton = _skeleton(flat)
        return any(f"{key} {skeleton}" in self.skeletons for key in composition.keys)

    def add(self, flat: Chem.Mol, smiles: str) -> None:
        """Remember what `may_share` asks for."""
        composition = _composition(flat, smiles)
        self.formulas.update(composition.keys)
        if composition.is_unusual:
            self.formulas.update(f"{key}?" for key in composition.keys)
        else:
            self.skeletons.update(f"{key} {_skeleton(flat)}" for key in composition.keys)


@dataclass(frozen=True, slots=True)
class _Composition:
    """Heavy atoms with the hydrogens, and with the hydrogens less the charge.

    Molecules whose InChIKeys begin alike agree in the first where they differ by a permanent charge, and in
    the second where they differ by protons. InChI takes bonds to metals apart and sets isotopes and lone
    protons aside, so that such unusual molecules have no skeleton to compare.
    """

    keys: tuple[str, str]
    is_unusual: bool


def overlap(train: Iterable[CaptionedMolecule], test: Sequence[CaptionedMolecule]) -> Overlap:
    """Compare test rows with training rows, which are read once and not kept."""
    found: dict[str, set[str]] = {kind: set() for kind in KINDS}
    smiles, captions, cids = _by(test, "smiles"), _by(test, "caption"), _by(test, "cid")
    keys, unreadable = _index(test)
    count = 0

    def train_captions() -> Iterator[str]:
        nonlocal count, unreadable
        for row in train:
            count += 1
            found["smiles"].update(smiles.get(row.smiles, ()))
            found["caption"].update(captions.get(row.caption, ()))
            found["cid"].update(cids.get(str(row.meta.get("cid", "")), ()))
            unreadable += not _match_molecule(row.smiles, keys, found)
            yield row.caption

    near = near_duplicates(train_captions(), [row.caption for row in test])
    found["near-caption"] = {test[index].id for index in near}
    return Overlap({kind: frozenset(ids) for kind, ids in found.items()}, len(test), count, unreadable)


def _by(rows: Sequence[CaptionedMolecule], what: str) -> dict[str, list[str]]:
    index: dict[str, list[str]] = {}
    for row in rows:
        key = str(row.meta.get("cid", "")) if what == "cid" else getattr(row, what)
        if key:
            index.setdefault(key, []).append(row.id)
    return index


def _index(rows: Sequence[CaptionedMolecule]) -> tuple[_Keys, int]:
    keys, unreadable = _Keys(), 0
    for row in rows:
        flat = _flat(row.smiles)
        if flat is None:
            unreadable += 1
            continue
        keys.add(flat, row.smiles)
        if inchikey := _inchikey(row.smiles):
            keys.inchikey.setdefault(inchikey, []).append(row.id)
            keys.connectivity.setdefault(inchikey[:14], []).append(row.id)
        if scaffold := _scaffold(flat):
            keys.scaffold.setdefault(scaffold, []).append(row.id)
    return keys, unreadable


def _match_molecule(smiles: str, keys: _Keys, found: dict[str, set[str]]) -> bool:
    flat = _flat(smiles)
    if flat is None:
        return False
    if keys.may_share(flat, smiles):
        inchikey = _inchikey(smiles)
        found["inchikey"].update(keys.inchikey.get(inchikey, ()))
        found["connectivity"].update(keys.connectivity.get(inchikey[:14], ()))
    found["scaffold"].update(keys.scaffold.get(_scaffold(flat), ()))
    return True


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
