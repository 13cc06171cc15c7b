"""ChemIQ's accuracy: each answer is checked in the way that its row names."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from rdkit import Chem

from harness import Example, Pairs, Score
from harness.chem.smiles import molecule
from harness.metrics.statistics import mean, mean_score


def accuracy(pairs: Pairs) -> Score:
    """Share of right answers, in all and by category; names of molecules are not checked."""
    values = [_value(example, str(prediction.text or "")) for example, prediction in pairs]
    unchecked = values.count(None)
    note = (
        f"{unchecked} answers are names, which only OPSIN could read, and are left out" if unchecked else ""
    )
    categories = dict.fromkeys(str(example.meta.get("category", "")) for example, _ in pairs)
    rows = list(zip(pairs, values, strict=True))
    details = {
        name: mean(value for (example, _), value in rows if example.meta.get("category", "") == name)
        for name in categories
    }
    return replace(mean_score("accuracy@chemiq", values, note=note), details=details)


def _value(example: Example, text: str) -> float | None:
    check = CHECKS.get(example.meta.get("method", ""))
    return None if check is None else float(check(_literal(text), example))


def _literal(text: str) -> Any:
    """Return a text as the Python literal that it is, or as it is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # of texts that are nearly Python
        try:
            return ast.literal_eval(text)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            return text


def _same_text(said: Any, example: Example) -> bool:
    return str(said) == example.references[0]


def _same_tuples(said: Any, example: Example) -> bool:
    if not isinstance(said, list | tuple):
        return False
    try:
        return _as_set(said) == _as_set(ast.literal_eval(example.references[0]))
    except TypeError:  # something in it cannot be in a set
        return False


def _as_set(items: Any) -> set[Any]:
    return {tuple(item) if isinstance(item, list) else item for item in items}


def _in_range(said: Any, example: Example) -> bool:
    try:
        return bool(example.meta["low"] <= float(said) <= example.meta["high"])
    except (TypeError, ValueError, OverflowError):
        return False


def _same_molecule(said: Any, example: Example) -> bool:
    found = _flat(said) if isinstance(said, str) else None
    return found is not None and found == _flat(example.references[0])


def _flat(smiles: str) -> str | None:
    """Return canonical SMILES without stereochemistry."""
    mol = molecule(smiles)
    if mol is None:
        return None
    Chem.RemoveStereochemistry(mol)
    return Chem.MolToSmiles(mol)


CHECKS: Mapping[str, Callable[[Any, Example], bool]] = {
    "exact_match": _same_text,
    "list_of_tuples": _same_tuples,
    "range": _in_range,
    "canonical_smi_match": _same_molecule,
}
