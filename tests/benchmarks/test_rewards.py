"""A stage wins over its start and its control by more than both intervals, with answers as different."""

from __future__ import annotations

import json

import pytest

from benchmarks.rewards import recipes
from benchmarks.rewards.__main__ import command
from benchmarks.rewards.table import Way, verdict
from harness.engine.config import ask
from harness.engine.matrix import plan
from harness.engine.plugin_manager import load_plugins
from harness.engine.registry import Registry


@pytest.fixture
def ways(tmp_path):
    def make(**found):
        made, sampled = [], {}
        for name, (low, high, distinct) in found.items():
            run, again = tmp_path / name, tmp_path / f"{name}-again"
            scores = {"all-met": {"value": (low + high) / 2, "interval": [low, high]}}
            for folder, content in ((run, scores), (again, {"distinct-answers": {"value": distinct}})):
                folder.mkdir(exist_ok=True)
                (folder / "record.json").write_text(json.dumps({"scores": content}), encoding="utf-8")
            made.append(Way(name, run, run))
            sampled[name] = again
        return made, sampled

    return make


def test_a_stage_wins_where_its_interval_is_above_both_and_answers_stay_as_different(ways):
    made, sampled = ways(start=(0.1, 0.2, 0.5), control=(0.2, 0.3, 0.5), grpo=(0.4, 0.5, 0.46))
    assert verdict("all-met", made, sampled) == "yes"


def test_intervals_that_touch_are_no_win(ways):
    made, sampled = ways(start=(0.1, 0.2, 0.5), control=(0.2, 0.4, 0.5), grpo=(0.4, 0.5, 0.5))
    assert verdict("all-met", made, sampled) == "no: its interval is not above that of control"


def test_a_win_with_fewer_answers_is_none(ways):
    made, sampled = ways(start=(0.1, 0.2, 0.5), control=(0.2, 0.3, 0.5), grpo=(0.4, 0.5, 0.4))
    assert verdict("all-met", made, sampled) == "no: 80% of the start's distinct answers"


def test_the_command_is_what_was_typed_without_the_places_of_a_machine():
    """A reader can run it as it stands."""
    typed = [
        "grpo",
        "--output",
        "here",
        "--set",
        "train.reward={all-met=1}",
        "--seeds",
        "0",
        "--start",
        "there",
    ]
    assert command(typed) == (
        "python -m benchmarks.rewards grpo --set 'train.reward={all-met=1}' --seeds 0 --start DIR"
    )


@pytest.mark.parametrize("stage", recipes.STAGES)
@pytest.mark.parametrize("task", recipes.GROUNDS)
def test_a_recipe_says_nothing_that_nobody_reads(stage, task):
    """Its settings are read by the stage, and its reward names metrics of the task."""
    registry = Registry(load_plugins(entry_points=False))
    ground = recipes.GROUNDS[task]
    told = {**recipes.STAGES[stage], "train.reward": recipes.as_reward(ground.reward), "stages": stage}
    (cell,) = plan(registry, ask({"model": "scimind", "task": task}, recipes.given(told)[1::2], None, {}))
    (train,) = cell.spec.train
    assert (train.stage, train.optimizer, train.schedule) == (stage, "adamw", "constant")
    metrics = registry.tasks.get(task).load().metrics
    assert {ground.metric, *ground.reward} <= set(metrics)
