"""chebi20: molecules and captions in the shape of ChEBI-20, in both directions."""

from harness import TaskEntry, hookimpl


@hookimpl
def harness_tasks() -> list[TaskEntry]:
    """Return the group and its two directions."""
    tags = ("molecules", "captions", "generation")
    return [
        TaskEntry(
            "chebi20",
            "ChEBI-20: captions to molecules and molecules to captions",
            members=("chebi20/text2smiles", "chebi20/smiles2text"),
            tags=tags,
        ),
        TaskEntry(
            "chebi20/text2smiles",
            "ChEBI-20: write the SMILES of a described molecule",
            f"{__name__}.task:TextToSmiles",
            requires=("rdkit",),
            tags=tags,
        ),
        TaskEntry(
            "chebi20/smiles2text",
            "ChEBI-20: describe the molecule of a SMILES",
            f"{__name__}.task:SmilesToText",
            requires=("rdkit",),
            tags=tags,
        ),
    ]
