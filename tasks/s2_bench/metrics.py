"""The three numbers of S²-Bench, as its `evaluate.py` computes them from a CSV file of answers."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from rdkit import DataStructs

from harness import Example, Pairs, Score
from harness.chem.constraints import judge, read_constraints
from harness.chem.guard import QUESTIONS
from harness.chem.smiles import molecule
from harness.metrics.molecules import answers, store
from harness.metrics.statistics import mean_score


def success(pairs: Pairs) -> Score:
    """Share of answers that have what is asked."""
    return mean_score("success@s2-bench", list(_successes(pairs)))


def _successes(pairs: Pairs) -> Iterator[float | None]:
    for (example, _), text, mol in _read(pairs):
        if "constraints" not in example.meta:
            yield None
        else:
            asked = read_constraints(example.meta["constraints"])
            yield float(mol is not None and judge(asked, store(pairs)[text], strict=False).all_met)


def validity(pairs: Pairs) -> Score:
    """Share of answers that RDKit reads."""
    return mean_score("validity@s2-bench", [float(mol is not None) for _, _, mol in _read(pairs)])


def similarity(pairs: Pairs) -> Score:
    """Mean similarity of the answers that RDKit reads to the given molecules."""
    return mean_score("similarity@s2-bench", [_alike(example, mol) for (example, _), _, mol in _read(pairs)])


def _alike(example: Example, mol: Any | None) -> float | None:
    given = example.inputs.get("smiles")
    if mol is None or not given:
        return None
    return float(DataStructs.TanimotoSimilarity(_given(given), QUESTIONS["morgan-bits"](mol)))


@lru_cache(maxsize=4096)
def _given(smiles: str) -> Any:
    return QUESTIONS["morgan-bits"](molecule(smiles))


def _read(pairs: Pairs) -> Iterator[tuple[tuple[Example, Any], str, Any | None]]:
    """Yield each row with its answer and the molecule that it is; an empty cell of a CSV file is none."""
    molecules = store(pairs)
    for row, text in zip(pairs, answers(pairs), strict=True):
        yield row, text, molecules[text].mol if text.strip() else None
