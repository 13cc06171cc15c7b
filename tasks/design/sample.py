"""The built-in requests: a generated molecule is one right answer of many to what it has.

A row asks for several things at once. Some pairs of things are never asked together in training: a row
that asks for one is `unseen`. Pairs of validation and of test differ, so that choosing on validation says
nothing of the test's pairs.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from itertools import cycle
from random import Random

from rdkit import Chem

from harness.chem.generator import generate

from .asking import ELEMENTS, GROUPS, RINGS, WINDOWS, askable, held_out
from .rows import Candidate, Plan, Row, deal

SEED = 18
THINGS = ("rings", "aromatic-rings", *ELEMENTS, *GROUPS, *RINGS, *WINDOWS)
HELD_OUT: Mapping[str, float] = {"validation": 0.06, "test": 0.12}  # shares of all pairs of things
ASKED = (6, 7)  # things in a row
SIZES: Mapping[str, Mapping[str, int]] = {
    "train": {"seen": 6000},
    "validation": {"seen": 120, "unseen": 120},
    "test": {"seen": 300, "unseen": 300},
}
MOLECULES = 3000  # each is the answer of two or three requests


@lru_cache(maxsize=1)
def requests() -> dict[str, list[Row]]:
    """Return the rows of all splits."""
    return drawn(SEED, SIZES)


def drawn(seed: int, sizes: Mapping[str, Mapping[str, int]]) -> dict[str, list[Row]]:
    """Return rows of one's own: other molecules, other requests, and other pairs that are held out."""
    rng = Random(seed)
    plan = Plan(sizes, ASKED, held_out(rng, THINGS, HELD_OUT))
    molecules = generate(seed, {"all": MOLECULES}, lambda molecule: molecule.smiles)["all"]
    smiles = (row.molecule.smiles for row in molecules)
    candidates = cycle([Candidate(text, askable(Chem.MolFromSmiles(text))) for text in smiles])
    return deal(rng, dict.fromkeys(sizes, candidates), plan)
