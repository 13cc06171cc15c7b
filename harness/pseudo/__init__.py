"""Pseudo-captions for molecules that nobody has described: the data that ada-T5 adapts on.

A molecule without a caption meets the most similar molecule with one; a writer turns that neighbour's
caption into one for the molecule. Importing this package imports nothing heavy.
"""

from harness.api import VerbEntry, hookimpl


@hookimpl
def harness_verbs() -> list[VerbEntry]:
    """Return the verb that makes pseudo-data."""
    return [
        VerbEntry(
            "pseudo-data",
            "write captions for undescribed molecules after their nearest described ones",
            f"{__name__}.verb:PseudoData",
            requires=("rdkit",),
            examples=("run-bench pseudo-data molecules.smi --described sample --out pseudo/train.jsonl",),
        )
    ]
