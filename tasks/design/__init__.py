"""design: write a molecule that has what is asked, judged by a program."""

from harness import TaskEntry, hookimpl


@hookimpl
def harness_tasks() -> list[TaskEntry]:
    """Return the group and its two ways of asking."""
    tags = ("molecules", "design", "generation")
    return [
        TaskEntry(
            "design",
            "molecules that have what is asked: from nothing, and out of a given molecule",
            members=("design/constraints", "design/edit"),
            tags=tags,
        ),
        TaskEntry(
            "design/constraints",
            "write a molecule that has the rings, atoms, groups and properties asked for",
            f"{__name__}.task:Constraints",
            requires=("rdkit",),
            tags=tags,
        ),
        TaskEntry(
            "design/edit",
            "change a given molecule: keep a part, stay similar, move a property",
            f"{__name__}.task:Edit",
            requires=("rdkit",),
            tags=tags,
        ),
    ]
