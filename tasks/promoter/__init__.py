"""promoter: does a stretch of DNA hold a core promoter?"""

from harness import TaskEntry, hookimpl


@hookimpl
def harness_tasks() -> list[TaskEntry]:
    """Return the task."""
    return [
        TaskEntry(
            "promoter",
            "promoter prediction: does a DNA sequence hold a core promoter?",
            f"{__name__}.task:Promoter",
            kind="choose",
            tags=("nucleotides", "classification"),
        )
    ]
