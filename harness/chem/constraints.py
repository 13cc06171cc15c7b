"""What can be asked of a molecule, as data, and the one judge of whether an answer has it.

A constraint says that a measure of the molecule lies between two ends: its rings from 2 to 2, its matches
of a SMARTS pattern from 1 up, its similarity to a given molecule from 0.4 up. Constraints are JSON in the
`meta` of an example; tasks write them, `judge` and nobody else reads them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

from rdkit import Chem, DataStructs, rdBase
from rdkit.Chem import QED, rdMolDescriptors
from rdkit.Chem.rdchem import BondType

from harness import DataError, nearest

from .guard import QUESTIONS
from .molecules import Molecule
from .smiles import is_legal, molecule

_MANY = 100_000  # matches; RDKit stops at a thousand by itself


@dataclass(frozen=True, slots=True)
class Constraint:
    """A measure of the molecule lies between two ends, which count; None leaves an end open.

    `of` is what the measure is taken of, such as a pattern or an element; `name` is what that is called.
    """

    measure: str
    low: float | None = None
    high: float | None = None
    of: str = ""
    name: str = ""

    @property
    def ends(self) -> str:
        """The two ends in words: `2`, `1 to 3`, `at least 1`."""
        low, high = self.low, self.high
        if low is None or high is None:
            return f"at most {high:g}" if low is None else f"at least {low:g}"
        return f"{low:g}" if low == high else f"{low:g} to {high:g}"

    def measured(self, mol: Any) -> float:
        """Return what the measure is of a molecule."""
        return MEASURES[self.measure](mol, self.of)

    def met(self, mol: Any) -> bool:
        """Tell whether a molecule has what is asked."""
        value = self.measured(mol)
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    def as_json(self) -> dict[str, Any]:
        """Return the constraint as it stands in an example's `meta`; what it leaves open is left out."""
        return {name: value for name, value in asdict(self).items() if value not in (None, "")}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer has of what is asked, constraint by constraint: nothing unless it is `sound`."""

    sound: bool
    met: tuple[bool, ...]

    @property
    def all_met(self) -> bool:
        """Whether the answer is a molecule that has everything asked."""
        return self.sound and all(self.met)

    @property
    def share(self) -> float:
        """Return the share of what is asked that the answer has."""
        return sum(self.met) / len(self.met)


def judge(constraints: Sequence[Constraint], answer: Molecule, *, strict: bool = True) -> Verdict:
    """Judge an answer. Whatever is not sound has nothing of what is asked.

    Sound is what RDKit reads within its limits; `strict` also wants what people mean by a molecule: one
    word, at least an atom, one piece, no charge left over, no radical, no isotope and no dummy atom. A
    mixture would meet constraints piece by piece, and an isotope any window of weight.
    """
    mol = answer.mol
    if mol is None or (strict and not (len(answer.text.split(None, 2)) == 1 and _is_whole(mol))):
        return Verdict(False, (False,) * len(constraints))
    return Verdict(True, tuple(constraint.met(mol) for constraint in constraints))


def _is_whole(mol: Any) -> bool:
    atoms = mol.GetAtoms()
    plain = all(a.GetAtomicNum() and not a.GetIsotope() and not a.GetNumRadicalElectrons() for a in atoms)
    return bool(
        plain and mol.GetNumAtoms() and not Chem.GetFormalCharge(mol) and len(Chem.GetMolFrags(mol)) == 1
    )


def _matches(mol: Any, patterns: str) -> int:
    """Count the matches of a SMARTS, less those of further ones behind a space."""
    counts = (len(mol.GetSubstructMatches(pattern(p), maxMatches=_MANY)) for p in patterns.split())
    first, *others = counts
    return first - sum(others)


@lru_cache(maxsize=4096)
def pattern(smarts: str) -> Any:
    """Return the query of a SMARTS."""
    with rdBase.BlockLogs():
        query = Chem.MolFromSmarts(smarts) if is_legal(smarts) else None
    if query is None or not query.GetNumAtoms():
        raise DataError(f"'{smarts}' is no SMARTS pattern")
    return query


def _similarity(mol: Any, smiles: str) -> float:
    return float(DataStructs.TanimotoSimilarity(QUESTIONS["morgan"](mol), _fingerprint(smiles)))


@lru_cache(maxsize=4096)
def _fingerprint(smiles: str) -> Any:
    mol = molecule(smiles)
    if mol is None:
        raise DataError(f"'{smiles}' is no molecule to be similar to")
    return QUESTIONS["morgan"](mol)


def _number(element: str) -> int:
    return Chem.GetPeriodicTable().GetAtomicNumber(element)


def _bonds(mol: Any, kind: str) -> int:
    return len([bond for bond in mol.GetBonds() if bond.GetBondType() == BondType.names[kind.upper()]])


MEASURES: Mapping[str, Callable[[Any, str], float]] = {
    "rings": lambda mol, _: rdMolDescriptors.CalcNumRings(mol),
    "aromatic-rings": lambda mol, _: rdMolDescriptors.CalcNumAromaticRings(mol),
    "rotatable-bonds": lambda mol, _: rdMolDescriptors.CalcNumRotatableBonds(mol),
    "weight": lambda mol, _: rdMolDescriptors._CalcMolWt(mol),
    "logp": lambda mol, _: rdMolDescriptors.CalcCrippenDescriptors(mol)[0],
    "refractivity": lambda mol, _: rdMolDescriptors.CalcCrippenDescriptors(mol)[1],
    "tpsa": lambda mol, _: rdMolDescriptors.CalcTPSA(mol),
    "qed": lambda mol, _: QED.qed(mol),  # type: ignore[no-untyped-call]
    "atoms": lambda mol, element: _matches(mol, f"[#{_number(element)}]"),
    "bonds": _bonds,
    "matches": _matches,
    "similarity": _similarity,
}
_TAKEN_OF: Mapping[str, Callable[[str], object]] = {
    "atoms": lambda element: _number(element),
    "bonds": lambda kind: BondType.names[kind.upper()],
    "matches": lambda patterns: [pattern(smarts) for smarts in patterns.split()] or patterns[0],
    "similarity": _fingerprint,
}


def read_constraints(rows: Any) -> tuple[Constraint, ...]:
    """Read constraints from JSON; what is none is a `DataError` that says what was expected."""
    if not isinstance(rows, list | tuple) or not rows:
        raise DataError(f"expected a list of constraints, found {rows!r:.80}")
    return tuple(map(_read, rows))


def _read(row: Any) -> Constraint:
    known = Constraint.__dataclass_fields__
    if not isinstance(row, Mapping) or "measure" not in row:
        raise DataError(f"expected a constraint with a measure, found {row!r:.80}")
    if unknown := set(row) - set(known):
        raise DataError(f"a constraint has no field '{min(unknown)}'", hint=nearest(min(unknown), known))
    texts = {name: row.get(name, "") for name in ("measure", "of", "name")}
    if wrong := [name for name, text in texts.items() if not isinstance(text, str)]:
        raise DataError(f"expected a text as '{wrong[0]}' of a constraint, found {row[wrong[0]]!r:.80}")
    constraint = Constraint(low=_end(row, "low"), high=_end(row, "high"), **texts)
    _check(constraint)
    return constraint


def _end(row: Mapping[str, Any], name: str) -> float | None:
    value = row.get(name)
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    raise DataError(f"expected a number as '{name}' of a constraint, found {value!r:.80}")


def _check(constraint: Constraint) -> None:
    measure, of, low, high = constraint.measure, constraint.of, constraint.low, constraint.high
    if measure not in MEASURES:
        raise DataError(f"nothing measures '{measure}'", hint=nearest(measure, MEASURES))
    if low is None and high is None:
        raise DataError(f"a constraint on {measure} has neither 'low' nor 'high'")
    if low is not None and high is not None and low > high:
        raise DataError(f"a constraint on {measure} goes from {low:g} down to {high:g}")
    if measure not in _TAKEN_OF:
        if of:
            raise DataError(f"{measure} is taken of the whole molecule, not of '{of}'")
        return
    try:
        with rdBase.BlockLogs():
            _TAKEN_OF[measure](of)
    except (RuntimeError, LookupError, ValueError) as error:
        raise DataError(f"{measure} cannot be taken of '{of}'") from error


def as_meta(constraints: Iterable[Constraint]) -> list[dict[str, Any]]:
    """Return constraints as an example keeps them."""
    return [constraint.as_json() for constraint in constraints]
