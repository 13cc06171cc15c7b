"""SMILES read with RDKit: bounded in length, silent, and None instead of an exception."""

from __future__ import annotations

from typing import Any

from rdkit import Chem, rdBase

from harness import MissingDependency

MAX_SMILES = 5_000  # characters; RDKit takes seconds for a chain of a million atoms


def has_smiles_syntax(text: str) -> bool:
    """Tell whether a text follows SMILES grammar; about 10 microseconds, valences are not looked at."""
    if not text or len(text) > MAX_SMILES or any(char.isspace() for char in text) or not is_legal(text):
        return False
    with rdBase.BlockLogs():
        return Chem.MolFromSmiles(text, sanitize=False) is not None


def molecule(smiles: str) -> Any | None:
    """Return the sanitized molecule of a SMILES, or None where RDKit has none."""
    if not smiles or len(smiles) > MAX_SMILES or not is_legal(smiles):
        return None
    with rdBase.BlockLogs():
        return Chem.MolFromSmiles(smiles)


def canonical(text: str) -> str:
    """Return the one spelling of a molecule; empty for what is none, as is a text without an atom."""
    mol = molecule(text.strip())
    return Chem.MolToSmiles(mol) if mol is not None and mol.GetNumAtoms() else ""


def is_legal(text: str) -> bool:
    """Tell whether a text can be handed to C++: no lone surrogates, no NUL."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def of_selfies(text: str) -> str | None:
    """Return the SMILES of a SELFIES, or None for what is none."""
    try:
        # optional: only tasks that write SELFIES need it
        import selfies
    except ImportError as error:
        raise MissingDependency(
            "SELFIES need selfies, which is not installed", hint="pip install selfies"
        ) from error
    try:
        return str(selfies.decoder(text.strip()))
    except (selfies.DecoderError, ValueError):  # numbers of thousands of digits
        return None
