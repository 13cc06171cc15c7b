"""What a row of each subtask asks, as constraints."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from harness.chem.constraints import MEASURES, Constraint
from harness.chem.smiles import molecule

from .groups import BONDS, COUNTED, ELEMENTS, GROUPS

Row = Mapping[str, str]


def _atoms(row: Row) -> list[Constraint]:
    return [_exactly("atoms", int(row[name]), of, name) for name, of in ELEMENTS.items()]


def _bonds(row: Row) -> list[Constraint]:
    """Ask for bonds of the kinds that are not 0; a row of zeros takes any molecule."""
    asked = []
    for kind in BONDS:
        if number := int(row[kind]):
            rotatable = kind == "rotatable"
            asked.append(
                _exactly("rotatable-bonds" if rotatable else "bonds", number, "" if rotatable else kind)
            )
    return asked or [Constraint("rings", low=0)]


def _groups(row: Row) -> list[Constraint]:
    return [_matches(name.removesuffix("s") if " " in name else name, int(row[name])) for name in COUNTED]


def _added(row: Row) -> list[Constraint]:
    return [_changed(row["molecule"], row["added_group"], 1)]


def _removed(row: Row) -> list[Constraint]:
    return [_changed(row["molecule"], row["removed_group"], -1)]


def _beyond(measure: str) -> Callable[[Row], list[Constraint]]:
    """Ask for a property beyond that of the given molecule, down where the instruction says so."""

    def asked(row: Row) -> list[Constraint]:
        value = MEASURES[measure](_molecule(row["molecule"]), "")
        if "lower" in row["Instruction"] or "decrease" in row["Instruction"]:
            return [Constraint(measure, high=math.nextafter(value, -math.inf))]
        return [Constraint(measure, low=math.nextafter(value, math.inf))]

    return asked


ASKED: Mapping[str, Callable[[Row], list[Constraint]]] = {
    "AtomNum": _atoms,
    "BondNum": _bonds,
    "FunctionalGroup": _groups,
    "AddComponent": _added,
    "DelComponent": _removed,
    "SubComponent": lambda row: _removed(row) + _added(row),
    "LogP": _beyond("logp"),
    "MR": _beyond("refractivity"),
    "QED": _beyond("qed"),
}


def _exactly(measure: str, number: int, of: str = "", name: str = "") -> Constraint:
    return Constraint(measure, number, number, of, name)


def _matches(name: str, number: int) -> Constraint:
    return _exactly("matches", number, GROUPS[name], name)


def _changed(given: str, group: str, by: int) -> Constraint:
    name = group.replace("_", " ")
    if name not in GROUPS:
        raise ValueError(f"a group '{group}', which is none")
    return _matches(name, int(MEASURES["matches"](_molecule(given), GROUPS[name])) + by)


def _molecule(smiles: str) -> Any:
    mol = molecule(smiles)
    if mol is None:
        raise ValueError(f"'{smiles}', which is no molecule")
    return mol
