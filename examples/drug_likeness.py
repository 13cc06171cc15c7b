"""A reward: how much like a drug a molecule is (QED, 0 to 1), and nothing for what is no molecule.

run-bench train --model scimind --task lpm24/text2smiles --stage grpo --set train.base=CHECKPOINT
    --set train.reward=examples.drug_likeness:earned
"""

from __future__ import annotations

from rdkit.Chem import QED

from harness import Request
from harness.chem.smiles import molecule


def earned(request: Request, answer: str) -> float:
    found = molecule(answer)
    return float(QED.qed(found)) if found is not None and found.GetNumAtoms() else 0.0
