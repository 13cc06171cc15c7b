"""chemiq: algorithmic questions about molecules of ChemIQ, checked by program."""

from harness import MetricEntry, TaskEntry, hookimpl


@hookimpl
def harness_tasks() -> list[TaskEntry]:
    """Return the task."""
    return [
        TaskEntry(
            "chemiq",
            "ChemIQ: questions about molecules whose answers a program checks",
            f"{__name__}.task:ChemIQ",
            requires=("rdkit",),
            tags=("molecules", "question-answering", "generation"),
        )
    ]


@hookimpl
def harness_metrics() -> list[MetricEntry]:
    """Return the benchmark's own accuracy."""
    return [
        MetricEntry(
            "accuracy@chemiq",
            "share of right answers as ChemIQ checks them",
            f"{__name__}.metric:accuracy",
            scale=100.0,
            kind="qa",
            definition="What stands in <answer> tags, or all, without spaces and full stop at its ends, read "
            "as a Python literal where it is one, is checked as the row says: equal as text, equal as a set "
            "of tuples, a number within the row's range, or the same canonical SMILES without stereo.",
            edge_cases="Rows whose answer is a name need OPSIN, a Java program, and are left out: 200 of the "
            "816, so the total is not the published one; the details have each category. An "
            "empty answer is wrong.",
            source="ChemIQ 2_process_results.ipynb (github.com/oxpig/ChemIQ)",
        )
    ]
