"""table: a task made of a file of one's own, by naming its columns."""

from harness import TaskEntry, hookimpl


@hookimpl
def harness_tasks() -> list[TaskEntry]:
    """Offer the task; `--task csv:FILE` and `--task FILE.toml` are short for it."""
    return [
        TaskEntry(
            "table",
            "rows of your own CSV, TSV, JSON or Parquet file: name the columns, no code",
            f"{__name__}.task:Table",
            open=True,
            tags=("your-own-data",),
        )
    ]
