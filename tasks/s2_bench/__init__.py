"""s2-bench: open-domain molecule generation of S²-Bench (once TOMG-Bench), judged by its own definitions."""

from harness import MetricEntry, TaskEntry, hookimpl

SUBTASKS = {  # member -> class, what is asked
    "atom-num": ("AtomNum", "a molecule with so many atoms of each element"),
    "bond-num": ("BondNum", "a molecule with so many bonds of a kind"),
    "functional-group": ("FunctionalGroup", "a molecule with so many functional groups of each kind"),
    "add-component": ("AddComponent", "a molecule with one functional group more"),
    "del-component": ("DelComponent", "a molecule with one functional group less"),
    "sub-component": ("SubComponent", "a molecule with one functional group in the place of another"),
    "logp": ("LogP", "a molecule changed so that logP rises or falls"),
    "mr": ("MR", "a molecule changed so that molar refractivity rises or falls"),
    "qed": ("QED", "a molecule changed so that drug-likeness rises or falls"),
}
_READS = (
    "RDKit reads the answer, a text behind white space being a name; an empty one is none, as in a CSV file"
)


@hookimpl
def harness_tasks() -> list[TaskEntry]:
    """Return the group and its nine subtasks."""
    tags = ("molecules", "design", "generation")
    members = [
        TaskEntry(
            f"s2-bench/{name}", f"S²-Bench: {what}", f"{__name__}.task:{kind}", requires=("rdkit",), tags=tags
        )
        for name, (kind, what) in SUBTASKS.items()
    ]
    group = TaskEntry(
        "s2-bench", "S²-Bench: molecules after instructions", members=tuple(m.name for m in members)
    )
    return [group, *members]


@hookimpl
def harness_metrics() -> list[MetricEntry]:
    """Return the benchmark's own three numbers."""
    from .cards import CARDS  # here, because listing tasks needs no prose

    return list(CARDS)
