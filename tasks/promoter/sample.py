"""Made-up DNA with and without a core promoter.

A promoter has a TATA box and, 25 to 31 bases after its start, an initiator. What has none is drawn
in equal parts from random DNA, from a TATA box without initiator, from both in the wrong order, and
from both at the wrong distance, so that counting bases or spotting one motif is not enough.
"""

from __future__ import annotations

from functools import lru_cache
from random import Random

LENGTH = 70
SIZES = {"train": 2000, "validation": 100, "test": 400}
DISTANCES = range(25, 32)
_TATA = ("TATAAAA", "TATAAAT", "TATATAA", "TATAAGG")
_INITIATOR = ("TCAGTC", "CCATTC", "TCACTT", "CCAGTT")


@lru_cache(maxsize=1)
def sample() -> dict[str, list[tuple[str, bool]]]:
    """Return the rows of all splits: no sequence occurs twice."""
    random = Random(18)
    seen: set[str] = set()
    splits: dict[str, list[tuple[str, bool]]] = {}
    for split, size in SIZES.items():
        rows: list[tuple[str, bool]] = []
        while len(rows) < size:
            positive = len(rows) % 2 == 0
            sequence = _promoter(random) if positive else _other(random)
            if sequence not in seen and is_promoter(sequence) == positive:
                seen.add(sequence)
                rows.append((sequence, positive))
        random.shuffle(rows)
        splits[split] = rows
    return splits


def is_promoter(sequence: str) -> bool:
    """Tell whether a TATA box is followed by an initiator at a promoter's distance."""
    return any(
        sequence[at : at + 7] in _TATA and any(sequence[at + d : at + d + 6] in _INITIATOR for d in DISTANCES)
        for at in range(len(sequence))
    )


def _promoter(random: Random) -> str:
    at = random.randrange(2, LENGTH - 6 - DISTANCES[-1])
    return _planted(
        random, (at, random.choice(_TATA)), (at + random.choice(DISTANCES), random.choice(_INITIATOR))
    )


def _other(random: Random) -> str:
    kind = random.randrange(4)
    early, late = random.randrange(2, 10), random.randrange(40, LENGTH - 7)
    tata, initiator = random.choice(_TATA), random.choice(_INITIATOR)
    if kind == 0:
        return _planted(random)
    if kind == 1:
        return _planted(random, (early, tata))
    if kind == 2:
        return _planted(random, (early, initiator), (early + random.choice(DISTANCES), tata))
    return _planted(random, (early, tata), (late, initiator))


def _planted(random: Random, *motifs: tuple[int, str]) -> str:
    bases = random.choices("ACGT", k=LENGTH)
    for at, motif in motifs:
        bases[at : at + len(motif)] = motif
    return "".join(bases)[:LENGTH]
