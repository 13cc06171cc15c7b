"""emotional-dialogue: what a kind listener says next to somebody who does research."""

from harness import TaskEntry, hookimpl


@hookimpl
def harness_tasks() -> list[TaskEntry]:
    """Offer the task."""
    return [
        TaskEntry(
            "emotional-dialogue",
            "say what comes next in a talk with a researcher who needs a kind word (Mozi's dialogues)",
            f"{__name__}.task:EmotionalDialogue",
            tags=("dialogue", "generation"),
        )
    ]
