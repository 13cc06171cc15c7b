"""What the sample asks for, how it is put in words, and which two things are held out together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from random import Random
from typing import Any, TypeVar

from harness.chem.constraints import MEASURES, Constraint

T = TypeVar("T")
Pairs = frozenset[frozenset[str]]

GROUPS: Mapping[str, str] = {
    "amide": "[#6][CX3](=O)[NX3]",
    "ester": "[#6][CX3](=O)[OX2][#6]",
    "sulfonamide": "[SX4](=O)(=O)[NX3]",
    "carbamate": "[NX3][CX3](=O)[OX2][#6]",
    "urea": "[NX3][CX3](=O)[NX3]",
    "ether": "[#6;!$(C=O)][OX2][#6;!$(C=O)]",
    "thioether": "[#6][SX2][#6]",
    "ketone": "[#6][CX3](=O)[#6]",
    "alkyne": "C#C",
    "nitrile": "C#N",
    "nitro": "[N+](=O)[O-]",
    "hydroxy": "[OX2H]",
    "primary amine": "[NX3;H2;!$(NC=O);!$(NS)]",
    "secondary amine": "[NX3;H1;!$(NC=O);!$(NS)]",
    "methoxy": "[OX2][CH3]",
    "trifluoromethyl": "C(F)(F)F",
}
RINGS: Mapping[str, str] = {
    "pyridine": "n1ccccc1",
    "pyrimidine": "n1cnccc1",
    "pyrazine": "n1ccncc1",
    "thiophene": "s1cccc1",
    "furan": "o1cccc1",
    "thiazole": "s1cncc1",
    "naphthalene": "c1ccc2ccccc2c1",
    "quinoline": "n1cccc2ccccc12",
    "indole": "[nH]1ccc2ccccc12",
    "cyclohexane": "C1CCCCC1",
}
ELEMENTS: Mapping[str, str] = {
    "nitrogen": "N",
    "oxygen": "O",
    "sulfur": "S",
    "fluorine": "F",
    "chlorine": "Cl",
    "bromine": "Br",
}
COMMON = ("nitrogen", "oxygen")
WINDOWS: Mapping[str, float] = {"weight": 100, "logp": 2, "tpsa": 40}  # how wide each is
_LABELS = {"logp": "logP", "tpsa": "polar surface", "qed": "QED"}


def askable(mol: Any) -> dict[str, Constraint]:
    """Return what could be asked so that this molecule has it, by what it is about."""
    asked = {kind: _counted(mol, kind) for kind in ("rings", "aromatic-rings")}
    asked |= {name: _counted(mol, "atoms", of, name) for name, of in ELEMENTS.items()}
    asked |= {name: Constraint("matches", 1, of=of, name=f"{name} group") for name, of in GROUPS.items()}
    asked |= {name: Constraint("matches", 1, of=of, name=f"{name} ring") for name, of in RINGS.items()}
    asked |= {kind: _window(mol, kind, width) for kind, width in WINDOWS.items()}
    return {about: constraint for about, constraint in asked.items() if constraint.met(mol)}


def _counted(mol: Any, measure: str, of: str = "", name: str = "") -> Constraint:
    """Ask for as many as there are, of nitrogen and oxygen for one more or less; of none ask for more."""
    count = int(MEASURES[measure](mol, of))
    if name in COMMON:
        return Constraint(measure, max(1, count - count % 2), count - count % 2 + 1, of, name)
    return Constraint(measure, max(1, count), max(1, count), of, name)


def _window(mol: Any, measure: str, width: float) -> Constraint:
    """Ask for a window about the nearest of its evenly spaced middles; one from 0 down is open."""
    middle = round(MEASURES[measure](mol, "") / width) * width
    low = middle - width / 2
    return Constraint(measure, low if low > 0 or measure == "logp" else None, middle + width / 2)


def in_words(constraint: Constraint) -> str:
    """Say what a constraint asks: `2 rings`, `an amide group`, `logP 2 to 3`."""
    measure = constraint.measure
    if measure == "similarity":
        return f"similarity {constraint.ends}"
    if measure in ("matches", "atoms", "bonds", "rings", "aromatic-rings", "rotatable-bonds"):
        return _number_of(constraint)
    return f"{_LABELS.get(measure, measure)} {constraint.name or constraint.ends}"


def _number_of(constraint: Constraint) -> str:
    low, high, name = constraint.low, constraint.high, constraint.name or constraint.of
    noun = {"matches": name, "atoms": f"{name} atom", "bonds": f"{name} bond"}.get(constraint.measure)
    noun = noun or constraint.measure.removesuffix("s").replace("-", " ")
    if noun.startswith("the "):
        return f"keep {noun}"
    if (low, high) == (1, None):
        return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
    if high == 0:
        return f"no {noun}"
    return f"{constraint.ends} {noun}{'' if low == high == 1 else 's'}"


def pairs_of(about: Collection[str]) -> Pairs:
    """Return every two things that are asked together."""
    return frozenset(map(frozenset, combinations(sorted(about), 2)))


def held_out(rng: Random, things: Sequence[str], shares: Mapping[str, float]) -> dict[str, Pairs]:
    """Deal out by split the pairs of things that no training row asks together."""
    pairs = list(_shuffled(rng, map(frozenset, combinations(things, 2))))
    dealt, start = {}, 0
    for split, share in shares.items():
        end = start + round(share * len(pairs))
        dealt[split] = frozenset(pairs[start:end])
        start = end
    return dealt


def choose(rng: Random, can: Collection[str], count: int, wanted: Pairs, barred: Pairs) -> tuple[str, ...]:
    """Choose things to ask in an order to ask them in; nothing where that cannot be done.

    Where pairs are `wanted`, one of them is asked; a `barred` one never is.
    """
    first: Sequence[str] = ()
    if wanted:
        pairs = sorted(sorted(pair) for pair in wanted if pair.issubset(can))
        if not pairs:
            return ()
        first = pairs[int(rng.random() * len(pairs))]
    chosen = list(first)
    for thing in _shuffled(rng, sorted(set(can) - set(first))):
        if len(chosen) < count and not any(frozenset((thing, other)) in barred for other in chosen):
            chosen.append(thing)
    if len(chosen) < count or not barred.isdisjoint(pairs_of(chosen)):
        return ()
    return tuple(thing for thing in can if thing in chosen)


def _shuffled(rng: Random, items: Iterable[T]) -> Iterator[T]:
    """Yield items in an order that is the same in every version of Python, as `shuffle` does not promise."""
    left = list(items)
    while left:
        yield left.pop(int(rng.random() * len(left)))
