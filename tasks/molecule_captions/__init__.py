"""molecule_captions: captioned molecules beside lpm24 and chebi20, read from published files."""

from harness import TaskEntry, hookimpl

SETS = {
    "pcdes": ("PCdes: PubChem molecules and their descriptions", "Pcdes"),
    "drugbank-23": ("DrugBank-23: drugs and their descriptions", "DrugBank23"),
    "pseudomd-1m": ("PseudoMD-1M: a million molecules described by a language model", "PseudoMd1M"),
    "captions": ("molecules and captions of your own, whatever their columns are called", "Captions"),
    "mol-instructions": ("Mol-Instructions: molecules as SELFIES and their descriptions", "MolInstructions"),
}


@hookimpl
def harness_tasks() -> list[TaskEntry]:
    """Return a group and its two directions for each set."""
    tags = ("molecules", "captions", "generation")
    entries = []
    for name, (summary, kind) in SETS.items():
        members = {f"{name}/text2smiles": "TextToSmiles", f"{name}/smiles2text": "SmilesToText"}
        entries.append(TaskEntry(name, summary, members=tuple(members), tags=tags))
        entries += [
            TaskEntry(member, summary, f"{__name__}.task:{kind}{direction}", requires=("rdkit",), tags=tags)
            for member, direction in members.items()
        ]
    return entries
