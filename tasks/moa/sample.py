"""Made-up molecules around the core of a class of drugs, with the class's mechanism as the answer.

The molecules are not drugs: a core is decorated at one place by chance.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from random import Random

from rdkit import Chem

# A core with one open place, {}, and how its class acts.
CORES = {
    "NS(=O)(=O)c1ccc({})cc1": "carbonic anhydrase inhibitor",
    "O=C1NC(=O)C({})C(=O)N1": "GABA receptor modulator",
    "O=C1CC2N1C(C(=O)O)=C({})CS2": "penicillin-binding protein inhibitor",
    "CC(=O)Oc1ccc({})cc1C(=O)O": "cyclooxygenase inhibitor",
    "Nc1nc(N)c(-c2ccc({})cc2)cn1": "dihydrofolate reductase inhibitor",
    "O=c1c(C(=O)O)cn({})c2ccccc12": "DNA gyrase inhibitor",
    "CC(C)NCC(O)COc1ccc({})cc1": "beta adrenergic receptor antagonist",
    "O=C(O)CC(O)CC(O)CC{}": "HMG-CoA reductase inhibitor",
    "c1cn(Cc2ccc({})cc2)cn1": "lanosterol demethylase inhibitor",
    "ClCCN(CCCl){}": "DNA alkylating agent",
}
_PARTS = (
    "C",
    "CC",
    "C(C)C",
    "C1CC1",
    "OC",
    "OCC",
    "N(C)C",
    "C(F)(F)F",
    "C#N",
    "CO",
    "CCO",
    "CN",
    "SC",
    "C(C)=O",
)
_RINGS = ("c1ccccc1", "c1ccncc1", "C1CCCCC1", "C1CCNCC1", "C1CCOCC1", "c1ccco1", "c1cccs1", "c1cncnc1")
SIZES = {"train": 800, "validation": 60, "test": 200}


@lru_cache(maxsize=1)
def sample() -> dict[str, list[tuple[str, str]]]:
    """Return (SMILES, mechanism) rows of all splits; no molecule occurs twice."""
    decorations = [*_PARTS, *_RINGS, *(f"C{ring}" for ring in _RINGS)]
    decorations += [
        f"{part}{ring}" for part, ring in product(("CC", "OC", "CO", "CN", "CS", "OCC", "CCC", "NC"), _RINGS)
    ]
    decorations += [f"C{part}" for part in _PARTS if part[0] in "CO"] + ["F", "Cl", "Br"]
    rows: dict[str, str] = {}
    for core, decoration in product(CORES, decorations):
        molecule = Chem.MolFromSmiles(core.format(decoration))
        if molecule is not None:
            rows.setdefault(Chem.MolToSmiles(molecule), CORES[core])
    shuffled = sorted(rows.items())
    Random(11).shuffle(shuffled)
    splits, start = {}, 0
    for split, size in SIZES.items():
        splits[split] = shuffled[start : start + size]
        start += size
    return splits
