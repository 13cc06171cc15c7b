"""Made-up proteins with one or two known motifs, and a description that names what the motifs are for."""

from __future__ import annotations

from functools import lru_cache
from random import Random

SIZES = {"train": 1600, "validation": 80, "test": 300}
_BACKGROUND = "AVLIPFMSTNQY"  # without the residues that motifs are made of, so that none arises by chance
# Motif ("x" is any background residue) -> what a protein with it does.
MOTIFS = {
    "CxxCxxxxxxxxxxxxHxxxH": "binds DNA through a zinc finger",
    "GxxxxGKT": "binds and hydrolyses ATP",
    "DxDxDGxxxxxE": "binds calcium in an EF-hand loop",
    "PKKKRKV": "is imported into the nucleus",
    "HExxH": "cleaves peptide bonds as a zinc protease",
    "RGD": "attaches cells to the matrix through integrins",
    "KDEL": "is retained in the endoplasmic reticulum",
    "CxGHC": "exchanges disulfide bonds",
}


@lru_cache(maxsize=1)
def sample() -> dict[str, list[tuple[str, str]]]:
    """Return (sequence, description) rows of all splits; pairs of motifs in test may be new combinations."""
    random = Random(7)
    names = list(MOTIFS)
    return {
        split: [_row(random, random.sample(names, random.choice((1, 2)))) for _ in range(size)]
        for split, size in SIZES.items()
    }


def _row(random: Random, motifs: list[str]) -> tuple[str, str]:
    pieces = ["M" + _stretch(random)]
    for motif in motifs:
        pieces += ["".join(random.choice(_BACKGROUND) if c == "x" else c for c in motif), _stretch(random)]
    return "".join(pieces), describe([MOTIFS[motif] for motif in motifs])


def describe(functions: list[str]) -> str:
    """Say what a protein does, in the order of its motifs."""
    return f"The protein {' and '.join(functions)}."


def _stretch(random: Random) -> str:
    return "".join(random.choices(_BACKGROUND, k=random.randint(6, 16)))
