"""The most similar molecules, by Tanimoto over Morgan bits: millions against thousands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rdkit.Chem import rdFingerprintGenerator

from harness.api import Hit, Index, Retriever
from harness.chem.smiles import molecule

from .ranking import best

BITS = 2048


class Morgan(Retriever):
    """Molecules by their SMILES; one that RDKit refuses is like none."""

    def index(self, texts: Sequence[str]) -> MorganIndex:
        """Compute the fingerprint of each molecule."""
        return MorganIndex(texts)


class MorganIndex(Index):
    """Morgan fingerprints (radius 2) of molecules as lists of who has which bit.

    A molecule sets some forty of 2,048 bits; looking only at those compares it with ten thousand others
    several times faster than comparing whole fingerprints.
    """

    def __init__(self, smiles: Sequence[str]) -> None:
        self._generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=BITS)
        owners: list[list[int]] = [[] for _ in range(BITS)]
        self._counts = np.zeros(len(smiles), dtype=np.int64)
        for index, text in enumerate(smiles):
            bits = self._bits(molecule(text))
            self._counts[index] = len(bits)
            for bit in bits:
                owners[bit].append(index)
        self._owners = [np.array(indices, dtype=np.int64) for indices in owners]

    def __len__(self) -> int:
        return int(np.count_nonzero(self._counts))

    def search(self, query: str, k: int) -> Sequence[Hit]:
        """Return the molecules most like that of a SMILES."""
        return best(self._similarities(molecule(query)), k)

    def nearest(self, mol: Any) -> Hit | None:
        """Return the molecule most like one that is read already; None where nothing is shared."""
        (hit,) = best(self._similarities(mol), 1)
        return hit if hit.score else None

    def _bits(self, mol: Any) -> list[int]:
        return [] if mol is None else list(self._generator.GetFingerprint(mol).GetOnBits())

    def _similarities(self, mol: Any) -> NDArray[np.float64]:
        bits = self._bits(mol)
        if not bits:
            return np.zeros(len(self._counts))
        shared = np.bincount(np.concatenate([self._owners[bit] for bit in bits]), minlength=len(self._counts))
        return np.asarray(shared / (self._counts + len(bits) - shared))
