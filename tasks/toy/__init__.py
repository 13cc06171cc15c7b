"""toy: read the names of the chemical elements in cipher. Standard library only."""

from harness import MetricEntry, TaskEntry, hookimpl


@hookimpl
def harness_tasks() -> list[TaskEntry]:
    """Offer the toy tasks and their group."""
    return [
        TaskEntry("toy", "write an element's name in cipher", f"{__name__}.task:Cipher", tags=("toy",)),
        TaskEntry(
            "toy-choice",
            "pick an element's name in cipher out of four",
            f"{__name__}.task:CipherChoice",
            kind="choose",
            tags=("toy",),
        ),
        TaskEntry("toys", "both toy tasks", members=("toy", "toy-choice"), tags=("toy",)),
    ]


@hookimpl
def harness_metrics() -> list[MetricEntry]:
    """Offer the metric that the toy tasks bring."""
    return [
        MetricEntry(
            "letter-accuracy",
            "share of letters in their right place",
            f"{__name__}.task:letter_accuracy",
            scale=100.0,
            definition="letters equal to the reference at their place over the longer length; mean over rows",
            edge_cases="an empty answer scores 0; no rows: undefined",
            source="this project",
            tags=("toy",),
        )
    ]
