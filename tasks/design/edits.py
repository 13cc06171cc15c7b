"""The built-in edits: a generated molecule, and the same one with one or two substituents exchanged.

What differs and what stays is asked of the answer: a part kept, a group gained or lost, a property moved,
a similarity. The given molecule itself never meets a whole request, and no scaffold is given in two splits.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import cycle
from random import Random
from typing import Any

from rdkit import Chem, rdBase
from rdkit.Chem import rdChemReactions
from rdkit.Chem.Scaffolds import MurckoScaffold

from harness.chem.constraints import MEASURES, Constraint
from harness.chem.generator import generate

from .asking import GROUPS, RINGS, held_out
from .rows import Candidate, Plan, Row, deal

SEED = 180
STEPS: Mapping[str, float] = {"logp": 0.5, "tpsa": 10, "weight": 10}  # how far a property has to move
PARTS = {f"{name} group": of for name, of in GROUPS.items()} | {f"{n} ring": of for n, of in RINGS.items()}
SIDES = (  # what an aromatic carbon carries; nothing is hydrogen
    "",
    "[CH3]",
    "[CH2][CH3]",
    "C(=O)[CH3]",
    "[NH2]",
    "Br",
    "Cl",
    "C#N",
    "F",
    "[OH]",
    "O[CH3]",
    "[N+](=O)[O-]",
    "C(F)(F)F",
)
CHANGED = frozenset(  # parts that come and go with these; the others stay
    f"{name} group"
    for name in (
        "ketone",
        "nitrile",
        "nitro",
        "hydroxy",
        "primary amine",
        "ether",
        "methoxy",
        "trifluoromethyl",
    )
)
THINGS = (
    "scaffold",
    "similarity",
    *(f"keep {part}" for part in PARTS),
    *(f"{way} {part}" for way in ("gain", "lose") for part in sorted(CHANGED)),
    *(f"{measure} {way}" for measure in STEPS for way in ("up", "down")),
)
HELD_OUT: Mapping[str, float] = {"validation": 0.06, "test": 0.12}  # shares of all pairs of things
ASKED = (3, 4)  # things in a row
SIZES: Mapping[str, Mapping[str, int]] = {
    "train": {"seen": 3000},
    "validation": {"seen": 60, "unseen": 60},
    "test": {"seen": 150, "unseen": 150},
}
MOLECULES: Mapping[str, int] = {"train": 900, "validation": 40, "test": 100}  # given ones, split by scaffold


@dataclass(frozen=True, slots=True)
class _Known:
    """A molecule and what is known of it: its groups and rings by name, and its properties."""

    smiles: str
    mol: Any
    parts: frozenset[str]
    properties: Mapping[str, float]

    @property
    def scaffold(self) -> Constraint:
        """What keeps the rings and what is between them."""
        return Constraint("matches", 1, of=_scaffold(self.smiles), name="the scaffold")


@lru_cache(maxsize=1)
def edits() -> dict[str, list[Row]]:
    """Return the rows of all splits."""
    rng = Random(SEED)
    plan = Plan(SIZES, ASKED, held_out(rng, THINGS, HELD_OUT))
    molecules = generate(SEED, MOLECULES, lambda molecule: molecule.smiles)
    given = {split: [row.molecule.smiles for row in rows] for split, rows in molecules.items()}
    return deal(rng, {split: _edited(rng, smiles) for split, smiles in given.items()}, plan)


def _known(smiles: str, mol: Any, parts: Iterable[str]) -> _Known:
    found = frozenset(part for part in parts if MEASURES["matches"](mol, PARTS[part]))
    return _Known(smiles, mol, found, {measure: MEASURES[measure](mol, "") for measure in STEPS})


@lru_cache(maxsize=sum(MOLECULES.values()))
def _scaffold(smiles: str) -> str:
    return str(MurckoScaffold.MurckoScaffoldSmiles(smiles))  # type: ignore[no-untyped-call]


def _edited(rng: Random, molecules: list[str]) -> Iterator[Candidate]:
    """Go through the molecules again and again, each time with another edit."""
    for before in cycle([_known(smiles, Chem.MolFromSmiles(smiles), PARTS) for smiles in molecules]):
        mol = before.mol
        for _ in range(1 + int(rng.random() * 2)):
            mol = _exchanged(rng, mol)
        answer = Chem.MolToSmiles(mol)
        if answer != before.smiles:
            after = _known(answer, mol, CHANGED)
            yield Candidate(answer, _askable(before, after), before.smiles, _held(before))


def _exchanged(rng: Random, mol: Any) -> Any:
    """Put another substituent in the place of one, or return the molecule as it is where there is none."""
    old, new = (SIDES[int(rng.random() * len(SIDES))] for _ in range(2))
    products = [product for (product,) in _exchange(old, new).RunReactants((mol,))]
    if not products:
        return mol
    product = products[int(rng.random() * len(products))]
    Chem.SanitizeMol(product)
    return product


@cache
def _exchange(old: str, new: str) -> Any:
    left, right = (f"[c:1]-{old}" if old else "[cH:1]"), (f"[c:1]-{new}" if new else "[c:1]")
    with rdBase.BlockLogs():
        return rdChemReactions.ReactionFromSmarts(f"{left}>>{right}")


def _held(before: _Known) -> frozenset[str]:
    """Return what a molecule has that is given back unchanged."""
    return frozenset(("scaffold", "similarity", *(f"keep {part}" for part in before.parts)))


def _askable(before: _Known, after: _Known) -> dict[str, Constraint]:
    """Return what could be asked so that the edited molecule has it, by what it is about."""
    similarity = MEASURES["similarity"](after.mol, before.smiles)
    asked = {
        "scaffold": before.scaffold,
        "similarity": Constraint("similarity", math.floor(10 * similarity) / 10, of=before.smiles),
    }
    lost = CHANGED & before.parts - after.parts
    for part in sorted(before.parts - lost):
        asked[f"keep {part}"] = Constraint("matches", 1, of=PARTS[part], name=f"the {part}")
    for part in sorted(lost):
        asked[f"lose {part}"] = Constraint("matches", high=0, of=PARTS[part], name=part)
    for part in sorted(after.parts - before.parts):
        asked[f"gain {part}"] = Constraint("matches", 1, of=PARTS[part], name=part)
    return asked | dict(_moved(before.properties, after.properties))


def _moved(before: Mapping[str, float], after: Mapping[str, float]) -> Iterator[tuple[str, Constraint]]:
    """Yield the properties that have moved, each far enough to be asked for."""
    for measure, step in STEPS.items():
        low, high = before[measure] + step, before[measure] - step
        if after[measure] >= low:
            yield f"{measure} up", Constraint(measure, low=low, name=f"up by {step:g}")
        if after[measure] <= high:
            yield f"{measure} down", Constraint(measure, high=high, name=f"down by {step:g}")
