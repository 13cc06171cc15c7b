"""SMILES read with RDKit: bounded in length, silent, and None instead of an exception."""

from __future__ import annotations

from typing import Any

from rdkit import Chem, rdBase

MAX_SMILES = 5_000  # characters; RDKit takes seconds for a chain of a million atoms


def has_smiles_syntax(text: str) -> bool:
    """Tell whether a text follows SMILES grammar; about 10 microseconds, valences are not looked at."""
    if not text or len(text) > MAX_SMILES or any(char.isspace() for char in text):
        return False
    with rdBase.BlockLogs():
        return Chem.MolFromSmiles(text, sanitize=False) is not None


def molecule(smiles: str) -> Any | None:
    """Return the sanitized molecule of a SMILES, or None where RDKit has none."""
    if not smiles or len(smiles) > MAX_SMILES:
        return None
    with rdBase.BlockLogs():
        return Chem.MolFromSmiles(smiles)
