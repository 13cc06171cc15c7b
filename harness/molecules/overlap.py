"""What a test set shares with the training rows: strings, molecules, scaffolds, captions, CIDs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

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
_HYDROGENS_AND_CHARGE = re.compile(r"H\d*(?![a-z])|[+-]\d*$")
_COMMON = re.compile(r"(?:(?:Br|Cl|Si|Se|[BCNOFPSI])\d*)*")


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
    inchikey: dict[str, list[str]]
    connectivity: dict[str, list[str]]
    scaffold: dict[str, list[str]]
    formula: set[str]
    skeleton: set[str]  # of ordinary molecules
    unusual: set[str]  # formulas of the others


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
    keys, unreadable = _Keys({}, {}, {}, set(), set(), set()), 0
    for row in rows:
        mol = molecule(row.smiles)
        if mol is None:
            unreadable += 1
            continue
        flat = _without_stereo(mol)
        keys.formula.add(formula := _heavy_formula(mol))
        if _is_unusual(flat, formula):
            keys.unusual.add(formula)
        else:
            keys.skeleton.add(_skeleton(flat))
        if inchikey := _inchikey(mol):
            keys.inchikey.setdefault(inchikey, []).append(row.id)
            keys.connectivity.setdefault(inchikey[:14], []).append(row.id)
        if scaffold := _scaffold(flat):
            keys.scaffold.setdefault(scaffold, []).append(row.id)
    return keys, unreadable


def _match_molecule(smiles: str, keys: _Keys, found: dict[str, set[str]]) -> bool:
    mol = molecule(smiles)
    if mol is None:
        return False
    # InChI is the slow part; molecules of other elements or another skeleton cannot share a key
    flat, formula = _without_stereo(mol), _heavy_formula(mol)
    if formula in keys.formula and (
        formula in keys.unusual or _is_unusual(flat, formula) or _skeleton(flat) in keys.skeleton
    ):
        inchikey = _inchikey(mol)
        found["inchikey"].update(keys.inchikey.get(inchikey, ()))
        found["connectivity"].update(keys.connectivity.get(inchikey[:14], ()))
    found["scaffold"].update(keys.scaffold.get(_scaffold(flat), ()))
    return True


def _heavy_formula(mol: Chem.Mol) -> str:
    formula: str = rdMolHash.MolHash(mol, rdMolHash.HashFunction.MolFormula)
    return _HYDROGENS_AND_CHARGE.sub("", formula)


def _without_stereo(mol: Chem.Mol) -> Chem.Mol:
    flat = Chem.Mol(mol)
    Chem.RemoveStereochemistry(flat)
    return flat


def _is_unusual(flat: Chem.Mol, formula: str) -> bool:
    """Tell whether InChI sees another skeleton: metals taken apart, isotopes and lone protons set aside."""
    return not _COMMON.fullmatch(formula) or any(
        atom.GetIsotope() or atom.GetAtomicNum() == 1 for atom in flat.GetAtoms()
    )


def _skeleton(flat: Chem.Mol) -> str:
    """Return elements and bonds without orders, charges and hydrogens: alike where InChIKeys begin alike."""
    skeleton: str = rdMolHash.MolHash(flat, rdMolHash.HashFunction.ElementGraph)
    return skeleton


def _inchikey(mol: Chem.Mol) -> str:
    with rdBase.BlockLogs():
        key: str = Chem.MolToInchiKey(mol)  # type: ignore[no-untyped-call]
    return key


def _scaffold(flat: Chem.Mol) -> str:
    """Return rings and linkers; empty for a molecule without rings."""
    scaffold: str = rdMolHash.MolHash(flat, rdMolHash.HashFunction.MurckoScaffold)
    return scaffold
