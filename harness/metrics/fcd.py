"""The Fréchet ChemNet Distance, as the field's fcd 1.1 computes it and as fcd 1.2 does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness import DataError, MissingDependency, Pairs, Score
from harness.chem import chemnet

from .molecules import answers, store, targets
from .rows import cached, shared, undefined
from .statistics import Floats

_POSITIONS = 350


@dataclass(frozen=True, slots=True)
class Fcd:
    """Distance between the valid answers and the valid references as two clouds of ChemNet activations.

    `padding` "fixed" is fcd 1.1: 350 positions, only the part before the first dot. "per-list" is fcd
    1.2: each side is padded to its own longest string, which moves the two clouds apart.
    """

    name: str
    padding: str = "fixed"

    def __call__(self, pairs: Pairs) -> Score:
        """Return the distance; 0 is best, and it has no value with fewer than two molecules a side."""
        refs, outs = _molecules(pairs, targets(pairs)), _molecules(pairs, answers(pairs))
        if refs.total() < 2 or outs.total() < 2:
            return self._undefined(pairs, "fewer than two valid molecules on a side")
        try:
            network = chemnet.load(pairs.vocab)
        except (MissingDependency, DataError) as error:
            return self._undefined(pairs, f"{error.message}; {error.hint}")
        reference, answer = self._cloud(pairs, network, refs), self._cloud(pairs, network, outs)
        few = len(outs) <= chemnet.HIDDEN
        note = f"{len(outs)} different molecules span a degenerate cloud" if few else ""
        return Score(self.name, distance(reference, answer), len(pairs), note=note, higher_is_better=False)

    def _undefined(self, pairs: Pairs, why: str) -> Score:
        return undefined(self.name, len(pairs), why, higher_is_better=False)

    def _cloud(self, pairs: Pairs, network: chemnet.ChemNet, smiles: Counter[str]) -> Cloud:
        key = ("cloud", self.padding, frozenset(smiles.items()))
        return cached(shared(pairs), key, lambda: Cloud(*self._activations(pairs, network, smiles)))

    def _activations(
        self, pairs: Pairs, network: chemnet.ChemNet, smiles: Counter[str]
    ) -> tuple[Floats, Floats]:
        ordered = sorted(smiles)
        positions, split = _POSITIONS, chemnet.symbols_1_1
        if self.padding == "per-list":
            positions, split = max(_POSITIONS, max(map(len, ordered)) + 1), chemnet.symbols_1_2
        known: dict[str, Any] = cached(shared(pairs), ("chemnet", self.padding, positions), dict)
        _encode(network, [s for s in ordered if s not in known], split, positions, known)
        counts = np.array([smiles[s] for s in ordered], dtype=np.float64)
        return np.stack([known[s] for s in ordered]).astype(np.float64), counts


def _encode(
    network: chemnet.ChemNet,
    smiles: list[str],
    split: Callable[[str], list[int]],
    positions: int,
    known: dict[str, Any],
) -> None:
    strings = [split(s) for s in smiles]
    distinct = {tuple(s): i for i, s in enumerate(dict.fromkeys(map(tuple, strings)))}
    encoded = network.encode(list(distinct), positions)
    for text, string in zip(smiles, strings, strict=True):
        known[text] = encoded[distinct[tuple(string)]]


def _molecules(pairs: Pairs, texts: tuple[str, ...]) -> Counter[str]:
    """Count the canonical SMILES of valid texts; the empty molecule is none."""
    molecules = store(pairs)
    found = (molecules.ask(text, "canonical") for text in texts if molecules[text].valid)
    return Counter(smiles for smiles in found if smiles)


class Cloud:
    """Mean and covariance of activations, with what every comparison needs of them."""

    def __init__(self, activations: Floats, counts: Floats) -> None:
        """Take the activations of distinct molecules and how often each occurs."""
        total = counts.sum()
        self.mean: Floats = counts @ activations / total
        centred = activations - self.mean
        self.covariance: Floats = (centred * counts[:, None]).T @ centred / (total - 1)
        self._root: Floats | None = None

    @property
    def root(self) -> Floats:
        """Return the square root of the covariance."""
        if self._root is None:
            values, vectors = np.linalg.eigh(self.covariance)
            self._root = np.asarray((vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T, dtype=np.float64)
        return self._root


def distance(a: Cloud, b: Cloud) -> float:
    """Return the Fréchet distance of two clouds; rounding below zero is cut off, never raised."""
    apart = a.mean - b.mean
    overlap = np.linalg.eigvalsh(a.root @ b.covariance @ a.root)
    spread = np.trace(a.covariance) + np.trace(b.covariance) - 2 * np.sqrt(np.maximum(overlap, 0)).sum()
    return max(0.0, float(apart @ apart + spread))


fcd = Fcd("fcd")
fcd_1_2 = Fcd("fcd@1.2", padding="per-list")
