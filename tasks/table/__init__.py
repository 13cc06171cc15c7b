"""table: tasks made of a file of one's own, by naming its columns; with answers, or prompts alone."""

from harness import TaskEntry, hookimpl


@hookimpl
def harness_tasks() -> list[TaskEntry]:
    """Offer the tasks; `--task csv:FILE` and `--task FILE.toml` are short for the first."""
    return [
        TaskEntry(
            "table",
            "rows of your own CSV, TSV, JSON or Parquet file: name the columns, no code",
            f"{__name__}.task:Table",
            open=True,
            tags=("your-own-data",),
        ),
        TaskEntry(
            "prompts",
            "prompts of a file of your own, without answers: what generate FILE asks",
            f"{__name__}.prompts:Prompts",
            open=True,
            tags=("your-own-data",),
        ),
    ]
