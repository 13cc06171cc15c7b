"""A plugin with models and tasks that go wrong in all the ways that a command line has to tell apart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

ODD = """
    from harness import (
        Answers, Completion, DataError, Example, MetricEntry, ModelEntry, ModelPlugin, ModelSession,
        PromptFormat, Score, Task, TaskEntry, UsageError, hookimpl,
    )


    class Echo(ModelPlugin):
        def open(self, checkpoint, run):
            return Answers(lambda request: request.prompt)


    class Refuses(ModelPlugin):
        def open(self, checkpoint, run):
            raise UsageError("this model opens for nobody", hint="ask another")


    class Scores(ModelPlugin):
        def open(self, checkpoint, run):
            return TextScores()


    class TextScores(ModelSession):
        def choose(self, requests, spec, run):
            for request in requests:
                scores = ("high",) * len(request.choices)
                yield Completion(request.id, request.choices[0], choice_scores=scores)


    class Rows(Task):
        version = "1"
        metrics = ("exact-match",)
        prompt_format = PromptFormat("odd", "{text}")

        def examples(self, split):
            for number in range(4):
                yield Example(str(number), {"text": f"row {number}"}, (f"row {number % 2}",))


    class Bare(Rows):
        def examples(self, split):
            yield Example("7", {"text": "x"}, "a bare string")


    class Numbers(Rows):
        def examples(self, split):
            yield Example("7", {"text": "x"}, (7,))


    class Choices(Rows):
        metrics = ("accuracy",)

        def examples(self, split):
            yield Example("7", {"text": "x"}, ("a",), choices=("a", "b"))


    class TestOnly(Rows):
        def splits(self):
            return ("test",)


    def metric(**facts):
        def compute(pairs):
            return Score("odd", **({"value": 0.5, "n": len(pairs)} | facts))

        return compute


    nan_interval = metric(interval=(float("nan"), 2))
    backwards = metric(interval=(2.0, 1.0))
    nan_rows = metric(per_example=(float("nan"),) * 4)
    few_rows = metric(per_example=(1.0,))
    odd_note = metric(note=7)
    infinite = metric(value=float("inf"))


    def no_score(pairs):
        return 0.5


    ODD = ("nan_interval", "backwards", "nan_rows", "few_rows", "odd_note", "infinite", "no_score")


    @hookimpl
    def harness_models():
        return [
            ModelEntry("echo", "says what it is asked", f"{__name__}:Echo", stages=()),
            ModelEntry("refuses", "opens for nobody", f"{__name__}:Refuses", stages=()),
            ModelEntry("text-scores", "scores choices in words", f"{__name__}:Scores", stages=()),
        ]


    @hookimpl
    def harness_tasks():
        kinds = {"rows": "Rows", "bare": "Bare", "numbers": "Numbers", "test-only": "TestOnly"}
        return [
            *(TaskEntry(name, name, f"{__name__}:{kind}") for name, kind in kinds.items()),
            TaskEntry("choices", "choices", f"{__name__}:Choices", kind="choose"),
        ]


    @hookimpl
    def harness_metrics():
        return [MetricEntry(name.replace("_", "-"), name, f"{__name__}:{name}") for name in ODD]
"""


@pytest.fixture
def odd(write_plugin: Callable[..., Path]) -> Path:
    """Return a plugin file with models, tasks and metrics that misbehave."""
    return write_plugin(ODD, "odd")
