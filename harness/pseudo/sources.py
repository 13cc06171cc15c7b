"""Unlabelled molecules: one SMILES a line, tables, PubChem's CID-SMILES dump, JSON, SDF; plain or gzipped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rdkit import Chem, rdBase

from harness.api import DataError
from harness.chem.pair_file import open_pairs
from harness.data.text_lines import open_bytes


def read_smiles(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line or record number, SMILES); a row without one is yielded empty, to be counted."""
    suffixes = path.suffixes
    if ".sdf" in suffixes or ".sd" in suffixes:
        yield from _sdf(path)
        return
    file = open_pairs(path)
    if "smiles" not in file.gives:
        raise DataError(f"{path} holds {file.form}, expected molecules", hint="one SMILES a line will do")
    for row in file.rows():
        yield row.line, "" if row.fault is not None else row.smiles


def _sdf(path: Path) -> Iterator[tuple[int, str]]:
    with open_bytes(path) as stream, rdBase.BlockLogs():
        for number, mol in enumerate(Chem.ForwardSDMolSupplier(stream), 1):
            yield number, Chem.MolToSmiles(mol) if mol is not None else ""
