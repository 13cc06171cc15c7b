"""Between this program and others: tasks exported for them, lm-eval's tasks here, and our models there."""

from harness.api import TaskEntry, VerbEntry, hookimpl


@hookimpl
def harness_tasks() -> list[TaskEntry]:
    """Offer the tasks of lm-evaluation-harness, each by its name behind a slash."""
    return [
        TaskEntry(
            "lm-eval",
            "any task of lm-evaluation-harness, lm-eval/NAME, with its own prompts and scoring",
            f"{__name__}.lm_eval.task:LmEval",
            open=True,
            tags=("your-own-data",),
        )
    ]


@hookimpl
def harness_verbs() -> list[VerbEntry]:
    """Offer lm-evaluation-harness itself, which then knows our models."""
    return [
        VerbEntry(
            "lm-eval",
            "lm-evaluation-harness, in which every model here is --model assay",
            f"{__name__}.lm_eval.verb:LmEvalVerb",
            examples=(
                "run-bench lm-eval run --model assay --model_args model=hf,checkpoint=./my --tasks arc_easy",
                "run-bench lm-eval ls tasks",
            ),
        )
    ]
