"""conversations: what an assistant is to say, out of files of one's own."""

from harness import TaskEntry, hookimpl


@hookimpl
def harness_tasks() -> list[TaskEntry]:
    """Offer the task."""
    return [
        TaskEntry(
            "conversations",
            "learn what an assistant says: turns, system prompts and tools, from files of your own",
            f"{__name__}.task:Conversations",
            tags=("instructions",),
            languages=("en", "zh"),
        )
    ]
