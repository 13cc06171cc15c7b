"""preferences: pairs of a better and a worse answer, to learn from."""

from harness import TaskEntry, hookimpl


@hookimpl
def harness_tasks() -> list[TaskEntry]:
    """Offer the task."""
    return [
        TaskEntry(
            "preferences",
            "learn which of two answers is better, from files of your own",
            f"{__name__}.task:Preferences",
            tags=("preferences",),
        )
    ]
