"""Made-up molecules that join two cores of well-known drug classes, one of them capped.

The rule is ours: a core acts unless its key group carries a methyl cap, and the answer is how the other,
open core acts. No two cores that meet in one split meet in another. So a test molecule resembles training
molecules with either of its cores, and only finding the cap tells which core counts.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import permutations, product
from random import Random

from rdkit import Chem

# A core open and capped, bonded at {}, and how its class acts.
CORES = (
    ("NS(=O)(=O)c1ccc{}cc1", "CNS(=O)(=O)c1ccc{}cc1", "carbonic anhydrase inhibitor"),
    ("O=C1NC(=O)C{}C(=O)N1", "O=C1NC(=O)C{}C(=O)N1C", "GABA receptor modulator"),
    ("O=C1CC2N1C(C(=O)O)=C{}CS2", "O=C1CC2N1C(C(=O)OC)=C{}CS2", "penicillin-binding protein inhibitor"),
    ("CC(=O)Oc1ccc{}cc1C(=O)O", "CC(=O)Oc1ccc{}cc1C(=O)OC", "cyclooxygenase inhibitor"),
    ("Nc1nc(N)c(-c2ccc{}cc2)cn1", "CNc1nc(N)c(-c2ccc{}cc2)cn1", "dihydrofolate reductase inhibitor"),
    ("O=c1c(C(=O)O)cn{}c2ccccc12", "O=c1c(C(=O)OC)cn{}c2ccccc12", "DNA gyrase inhibitor"),
    ("CC(C)NCC(O)COc1ccc{}cc1", "CC(C)NCC(OC)COc1ccc{}cc1", "beta adrenergic receptor antagonist"),
    ("O=C(O)CC(O)CC(O)CC{}", "COC(=O)CC(O)CC(O)CC{}", "HMG-CoA reductase inhibitor"),
    ("c1cn(Cc2ccc{}cc2)cn1", "c1cn(Cc2ccc{}cc2)c(C)n1", "lanosterol demethylase inhibitor"),
    ("ClCCN{}CCCl", "ClCCN{}CC(C)Cl", "DNA alkylating agent"),
)
_CHAINS = ("", "C", "CC", "CCC")
_GROUPS = (
    "O",
    "S",
    "N",
    "C(=O)",
    "C(=O)N",
    "C(=O)O",
    "S(=O)(=O)N",
    "NC(=O)N",
    "C=C",
    "C#C",
    "C(C)(C)",
    "C(F)(F)",
)
SIZES = {"train": 3000, "validation": 100, "test": 300}


@lru_cache(maxsize=1)
def sample() -> dict[str, list[tuple[str, str]]]:
    """Return (SMILES, mechanism) rows of all splits; no molecule and no pair of cores is in two of them."""
    molecules: dict[str, dict[str, str]] = {split: {} for split in SIZES}
    linkers = [f"C%91{left}{group}{right}C%92" for left, group, right in product(_CHAINS, _GROUPS, _CHAINS)]
    for first, second in permutations(range(len(CORES)), 2):
        (active, _, mechanism), (_, capped, _) = CORES[first], CORES[second]
        found = molecules[split_of(first, second)]
        for linker in linkers:
            smiles = f"{active.format('%91')}.{linker}.{capped.format('%92')}"
            found[Chem.MolToSmiles(Chem.MolFromSmiles(smiles))] = mechanism
    random = Random(11)
    return {
        split: sorted(found.items(), key=lambda _: random.random())[: SIZES[split]]
        for split, found in molecules.items()
    }


def split_of(first: int, second: int) -> str:
    """Say where two cores meet: in each split all ten do, equally often."""
    distance = min((first - second) % len(CORES), (second - first) % len(CORES))
    return {1: "test", 5: "validation"}.get(distance, "train")
