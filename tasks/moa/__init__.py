"""moa: name a molecule's mechanism of action."""

from harness import TaskEntry, hookimpl


@hookimpl
def harness_tasks() -> list[TaskEntry]:
    """Return the task."""
    return [
        TaskEntry(
            "moa",
            "mechanism of action: name how a molecule acts",
            f"{__name__}.task:Moa",
            requires=("rdkit",),
            tags=("molecules", "classification", "generation"),
        )
    ]
