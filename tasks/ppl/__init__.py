"""ppl: how well a model predicts running text, and the text to learn that from."""

from harness import TaskEntry, hookimpl


@hookimpl
def harness_tasks() -> list[TaskEntry]:
    """Offer the task."""
    return [
        TaskEntry(
            "ppl",
            "perplexity of running text by token, word and byte; its training rows are documents",
            f"{__name__}.task:RunningText",
            kind="perplexity",
            tags=("text", "pretraining"),
            languages=("en", "zh"),
        )
    ]
