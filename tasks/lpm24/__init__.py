"""lpm24: molecules and captions in the shape of L+M-24, in both directions."""

from harness import TaskEntry, hookimpl


@hookimpl
def harness_tasks() -> list[TaskEntry]:
    """Return the group and its two directions."""
    tags = ("molecules", "captions", "generation")
    return [
        TaskEntry(
            "lpm24",
            "L+M-24: captions to molecules and molecules to captions",
            members=("lpm24/text2smiles", "lpm24/smiles2text"),
            tags=tags,
        ),
        TaskEntry(
            "lpm24/text2smiles",
            "L+M-24: write the SMILES of a described molecule",
            f"{__name__}.task:TextToSmiles",
            requires=("rdkit",),
            tags=tags,
        ),
        TaskEntry(
            "lpm24/smiles2text",
            "L+M-24: describe the molecule of a SMILES",
            f"{__name__}.task:SmilesToText",
            requires=("rdkit",),
            tags=tags,
        ),
    ]
