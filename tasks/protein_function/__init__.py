"""protein_function: say what a protein does from its sequence."""

from harness import TaskEntry, hookimpl


@hookimpl
def harness_tasks() -> list[TaskEntry]:
    """Return the task."""
    return [
        TaskEntry(
            "protein-function",
            "protein function: describe what a protein does from its sequence",
            f"{__name__}.task:ProteinFunction",
            tags=("proteins", "generation"),
        )
    ]
