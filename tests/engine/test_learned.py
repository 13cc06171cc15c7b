"""What a stage learns from one task or several, and what its answers are scored on while it learns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from harness import Completion, DataSpec, PromptRow, RunSpec, StageEntry, TrainPair, TrainSpec
from harness.engine.data import TaskData, open_task
from harness.engine.learned import training_data
from harness.engine.stage import Training, load_training_data

TASKS = """
    from harness import Example, MetricEntry, Score, Task, TaskEntry, hookimpl

    @hookimpl
    def harness_tasks():
        return [TaskEntry(name, "counts", f"{__name__}:{name.title()}") for name in ("many", "few", "long")]

    @hookimpl
    def harness_metrics():
        return [MetricEntry("same", "share of right answers", f"{__name__}:same")]

    def same(pairs):
        right = tuple(float(p.text in e.references) for e, p in pairs)
        return Score("same", sum(right) / len(right), len(right), right)

    class Many(Task):
        metrics = ("same",)
        count = 12

        def splits(self):
            return ("train", "test")

        def examples(self, split):
            for number in range(self.count):
                yield Example(str(number), {"x": f"{type(self).__name__} {number}"}, (f"Y {number}",))

    class Few(Many):
        count = 4

        def splits(self):
            return ("train", "validation", "test")

    class Long(Many):
        count = 24

        def fingerprint(self, split):
            return "known"
"""
SFT = StageEntry("sft", "", "")
ASKING = StageEntry("grpo", "", "", rows=(PromptRow,))

Open = Callable[..., list[TaskData]]


@pytest.fixture
def registry(load: Callable[..., Any], write_plugin: Callable[..., Path]) -> Any:
    return load(write_plugin(TASKS, "counting"))


@pytest.fixture
def opened(registry: Any) -> Open:
    def open_all(*names: str, data: DataSpec | None = None) -> list[TaskData]:
        return [open_task(registry, registry.tasks.get(name), data or DataSpec(), "toy") for name in names]

    return open_all


@pytest.mark.parametrize("big", ["many", "long"])
def test_a_mixture_stays_mixed_to_its_end_whatever_the_sizes(opened: Open, big: str) -> None:
    """`long` says that it may be larger than memory, and is streamed."""
    parts = opened(big, "few")
    rows: list[Any] = list(training_data(parts, DataSpec(), SFT).train)
    small = [place for place, row in enumerate(rows) if row.prompt.startswith("Few")]
    apart = {after - before for before, after in pairwise(small)}
    assert len(small) == 4 and apart == {len(rows) // 4} and len(rows) - small[-1] <= len(rows) // 4
    assert list(training_data(parts, DataSpec(), SFT).train) == rows


def test_a_stage_that_asks_learns_from_prompts_that_no_two_tasks_share(opened: Open) -> None:
    data = training_data(opened("many", "few"), DataSpec(), ASKING)
    rows = [row for row in data.train if isinstance(row, PromptRow)]
    assert len(rows) == 16 and len({row.request.id for row in rows}) == 16
    assert data.digest != training_data(opened("many", "few"), DataSpec(), SFT).digest


def loaded(registry: Any, parts: list[TaskData], stage: TrainSpec) -> Any:
    return load_training_data(registry, parts, Training(RunSpec("toy", "", train=(stage,))), SFT)


def test_a_mixture_is_scored_on_those_of_its_tasks_that_have_validation_rows(
    registry: Any, opened: Open
) -> None:
    stage = TrainSpec(select_metric="same", eval_every=1)
    evaluator = loaded(registry, opened("many", "few"), stage).evaluator
    assert evaluator is not None and evaluator.select == "same" and len(evaluator.requests) == 4
    assert loaded(registry, opened("many"), stage).evaluator is None


def test_a_stage_selects_by_its_own_facts_without_answering(registry: Any, opened: Open) -> None:
    stage = TrainSpec("reward", select_metric="accuracy", eval_every=1)
    judging = replace(SFT, name="reward", answers=False, facts=("accuracy",))
    training = Training(RunSpec("toy", "", train=(stage,)))
    assert load_training_data(registry, opened("few"), training, judging).evaluator is None


def test_prompts_that_are_held_out_are_judged_as_rows_of_their_own_split(registry: Any, opened: Open) -> None:
    stage = TrainSpec("grpo", reward="metric:same", eval_every=1)
    training = Training(RunSpec("toy", "", train=(stage,)))
    data = load_training_data(registry, opened("few"), training, ASKING)
    learned, held = (
        [row.request for row in rows if isinstance(row, PromptRow)] for rows in (data.train, data.validation)
    )
    assert data.judge is not None and not {one.id for one in learned} & {one.id for one in held}
    said = [Completion(one.id, one.prompt.replace("Few", "Y")) for one in (*learned, *held)]
    assert {found["same"] for found in data.judge(said)} == {1.0}


def test_what_references_are_scored_as_changes_nothing_of_what_is_learned(
    opened: Open, test_data: Path
) -> None:
    pytest.importorskip("transformers")
    tokenizer = str(test_data / "tokenizers" / "scibert_scivocab_uncased")  # which knows no capitals
    (part,) = opened("few", data=DataSpec(reference_tokenizer=tokenizer))
    assert [row.target for row in part.rows("train", 1) if isinstance(row, TrainPair)] == ["Y 0"]
    assert [example.references for example in part.scored("test", 1)] == [("y 0",)]
