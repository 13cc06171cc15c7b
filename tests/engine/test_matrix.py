"""Which cells a command has: models, tasks and seeds, each once, and rows that only give context."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import DataError, ModelEntry, TaskEntry, UsageError
from harness.engine.config import Asked, Setting, ask
from harness.engine.matrix import plan
from harness.engine.plugin_manager import load_plugins
from harness.engine.registry import Registry


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry(load_plugins(entry_points=False))


def asked(*sets: str, **names: str) -> Asked:
    return ask(names, list(sets), None, {})


def names(registry: Registry, request: Asked, **changes: bool) -> list[tuple[str, str, int]]:
    return [(c.spec.model, c.spec.task, c.spec.seed) for c in plan(registry, request, **changes)]


def test_every_model_meets_every_task_with_every_seed_once(registry):
    request = asked(model="toy,baseline/random,toy", task="toys,toy", seeds="1,2")
    found = names(registry, request)
    tasks = [registry.tasks.name_of(member) for member in registry.expand("toys")]
    assert sorted(found) == sorted(
        (model, task, seed) for model in ("toy", "baseline/random") for task in tasks for seed in (1, 2)
    )


def test_a_group_is_learned_as_one_by_a_model_that_learns_several_tasks(registry):
    together = [cell.spec.train_tasks for cell in plan(registry, asked(model="scimind", task="lpm24"))]
    assert together == [("lpm24/text2smiles", "lpm24/smiles2text")] * 2
    apart = [cell.spec.train_tasks for cell in plan(registry, asked(model="ada-t5", task="lpm24"))]
    assert apart == [("lpm24/text2smiles",), ("lpm24/smiles2text",)]


def test_what_a_recipe_compares_with_follows_as_context_with_the_same_data(registry):
    request = asked("data.limit=7", model="toy", task="toy")
    cells = plan(registry, request, compare=True)
    assert [cell.shown_beside for cell in cells] == [False, *[True] * (len(cells) - 1)]
    assert all(cell.spec.data == cells[0].spec.data for cell in cells)
    both = names(registry, asked(model="scimind,baseline/nearest", task="lpm24/text2smiles"), compare=True)
    assert len(both) == len(set(both))


@pytest.mark.parametrize(
    ("request_", "said", "hint"),
    [
        ({"task": "toy"}, "--model is missing", "list models"),
        ({"model": "toy"}, "--task is missing", "list tasks"),
        ({"model": "tooy", "task": "toy"}, "no model named 'tooy'", "did you mean toy"),
        ({"model": "toy", "task": "toyz"}, "no task named 'toyz'", "did you mean toy"),
        ({"model": "toy", "task": "toy", "metrics": "blue-4"}, "no metric named 'blue-4'", "bleu-4"),
        ({"model": "toy", "task": "toy", "preset": "huge"}, "has no preset 'huge'", "tiny"),
    ],
)
def test_the_first_mistake_ends_the_plan_with_a_hint(registry, request_, said, hint):
    with pytest.raises(UsageError) as refused:
        plan(registry, asked(**request_))
    assert said in refused.value.message
    assert hint in refused.value.hint


def test_a_stage_or_a_checkpoint_that_is_not_there_is_refused(registry):
    with pytest.raises(UsageError, match="model 'toy' has no stage 'pretrain'") as refused:
        plan(registry, asked("stages=pretrain", model="toy", task="toy"))
    assert refused.value.hint.startswith("it has: sft")
    with pytest.raises(DataError, match="there is no checkpoint at nowhere"):
        plan(registry, asked("checkpoint=nowhere", model="toy", task="toy"))


@pytest.mark.parametrize(
    ("setting", "said", "hint"),
    [
        (
            "stage.sfft.max_steps=3",
            "'stage.sfft.max_steps' (flag) is set, and no stage is named 'sfft'",
            "sft",
        ),
        ("stage.xyz.seed=3", "no stage is named 'xyz'", "known: "),
    ],
)
def test_settings_of_a_stage_that_there_is_nowhere_are_refused(registry, setting, said, hint):
    with pytest.raises(UsageError) as refused:
        plan(registry, asked(setting, model="toy", task="toy"))
    assert said in refused.value.message
    assert hint in refused.value.hint


def test_settings_of_a_stage_that_does_not_run_now_may_stand_in_a_file_for_all(registry):
    (cell,) = plan(registry, asked("stage.pretrain.max_steps=3", model="toy", task="toy"))
    assert [stage.max_steps for stage in cell.spec.train] == [4]


def test_a_path_or_a_hub_id_is_the_weights_of_the_model_that_takes_any(registry, tmp_path):
    (tmp_path / "my-model").mkdir()
    for name in (str(tmp_path / "my-model"), "someone/model-1b"):
        (cell,) = plan(registry, asked(model=name, task="toy"))
        assert (cell.spec.model, cell.spec.model_options["weights"]) == ("hf", name)
    with pytest.raises(DataError, match="there is no model at"):
        plan(registry, asked(model="./nothing-here", task="toy"))


def test_a_folder_without_a_dot_is_hinted_at(registry, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine").mkdir()
    with pytest.raises(UsageError) as refused:
        plan(registry, asked(model="mine", task="toy"))
    assert refused.value.hint == "--model ./mine opens the folder"


def test_the_strongest_layer_names_the_preset(registry):
    request = asked(model="ada-t5", task="lpm24/text2smiles")
    request.layers.append({"preset": Setting("tiny-ada", "flag")})
    (cell,) = plan(registry, request)
    assert cell.spec.preset == "tiny-ada"
    assert len(cell.spec.train) > 1


def test_cells_know_the_plugin_they_come_from(registry):
    (cell,) = plan(registry, asked(model="toy", task="toy"))
    assert isinstance(cell.model.entry, ModelEntry)
    assert isinstance(cell.task.entry, TaskEntry)
    assert cell.model.plugin.origin == cell.task.plugin.origin == "bundled"
