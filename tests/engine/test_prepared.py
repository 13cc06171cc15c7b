"""A cell before it is run: what it opens, what identifies it, and what the cells of one command share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness import (
    Answers,
    Checkpoint,
    DataError,
    DataSpec,
    GenerateSpec,
    LaunchSpec,
    ModelPlugin,
    ModelSession,
    PluginError,
    RunContext,
    RunSpec,
    SilentProgress,
    TrainSpec,
    UsageError,
)
from harness.engine.chain import Trained
from harness.engine.config import ask
from harness.engine.matrix import plan
from harness.engine.prepared import Bench, OpenModel, Prepared, stage_spec


def prepared(bench: Bench, *sets: str, model: str = "toy", task: str = "toy", **flags: str) -> Prepared:
    (cell,) = plan(bench.registry, ask({"model": model, "task": task, **flags}, list(sets), None, {}))
    return Prepared(bench, cell)


def keys(bench: Bench, *sets: str, **flags: str) -> tuple[str, str]:
    """Return the keys of the one training and of the run on given weights."""
    cell = prepared(bench, *sets, **flags)
    ((training, _, _),) = cell.trainings()
    return training, cell.key("weights")


@pytest.mark.parametrize(
    ("setting", "trains_anew", "runs_anew"),
    [
        ("train.max_steps=3", True, False),
        ("train.seed=5", True, False),
        ("model.smoothing=0.5", True, True),
        ("generate.max_new_tokens=5", False, True),
        ("generate.seed=3", False, True),
        ("data.limit=2", False, True),
        ("data.train_limit=9", True, False),
        ("metrics=exact-match", False, True),
        ("data.split=validation", False, True),
        ("train.save_every=3", False, False),
        ("train.log_every=3", False, False),
        ("generate.batch_tokens=64", False, False),
        ("train.launch.processes=2", False, False),
        ("generate.processes=2", False, False),
    ],
)
def test_a_setting_begins_anew_what_it_can_change_and_nothing_else(bench, setting, trains_anew, runs_anew):
    plain, changed = keys(bench), keys(bench, setting)
    assert (plain[0] != changed[0], plain[1] != changed[1]) == (trains_anew, runs_anew)


def test_shots_and_their_seed_are_another_prompt_for_both(bench):
    found = [
        keys(bench, f"task.shots={shots}", f"task.shots_seed={seed}") for shots, seed in ((1, 0), (1, 1))
    ]
    assert len({keys(bench)[0], *(key for key, _ in found)}) == 3
    assert len({keys(bench)[1], *(key for _, key in found)}) == 3


def test_other_weights_are_another_run(bench):
    cell = prepared(bench)
    assert cell.key("a") != cell.key("b")
    assert cell.key("a") == prepared(bench).key("a")


def test_runs_that_differ_in_their_seed_are_of_one_series(bench):
    given = Trained(digest="w")
    series = {prepared(bench, seed=seed).series(given) for seed in ("1", "2")}
    assert len(series) == 1
    assert prepared(bench, "data.limit=2").series(given) not in series
    assert prepared(bench).series(Trained(digest="other")) not in series


def test_weights_that_a_run_trained_itself_do_not_part_its_seeds(bench):
    one, other = Trained(digest="a", stages=({"stage": "sft"},)), Trained(digest="b", stages=({},))
    assert prepared(bench).series(one) == prepared(bench).series(other)


def test_a_cell_is_recognised_without_importing_its_model(bench, monkeypatch):
    cell = prepared(bench)
    monkeypatch.setattr(type(cell.cell.model), "load", lambda self: pytest.fail(f"{self.entry.name} loaded"))
    cell.trainings()
    cell.key("weights")
    assert cell.bench.known is bench.known


def test_rows_are_read_once_a_command_however_many_cells_are_on_them(bench, monkeypatch):
    bench.output.mkdir()
    first = prepared(bench).rows()
    later = prepared(Bench(bench.registry, bench.output, SilentProgress()))
    monkeypatch.setattr(type(later.data), "digest", lambda self, split: pytest.fail("read again"))
    assert later.rows() == first


def test_what_a_run_needs_is_missed_before_long_work(bench, monkeypatch):
    cell = prepared(bench)
    monkeypatch.setattr(
        type(cell.cell.model), "load", lambda self: (_ for _ in ()).throw(PluginError("gone"))
    )
    with pytest.raises(PluginError, match="gone"):
        cell.load()


def test_a_training_alone_reads_no_rows_that_would_be_scored(bench):
    cell = prepared(replace(bench, until="train"), "data.split=tset")
    cell.load()
    with pytest.raises(UsageError, match="task 'toy' has no split 'tset'"):
        cell.examples()


def test_a_prompt_is_told_by_its_template(bench):
    assert prepared(bench).prompt_facts() == {"prompt_template": "Write in cipher: {word}"}


def test_data_that_is_not_there_is_named_when_a_cell_is_prepared(bench):
    with pytest.raises(DataError, match="there is no data at nowhere"):
        prepared(bench, "data.source=nowhere")


def test_a_source_that_a_task_does_not_have_is_refused_with_those_it_has(bench):
    with pytest.raises(UsageError, match="task 'toy' has no data source 'hub'") as refused:
        prepared(bench, "data.source=hub")
    assert "--data sample: " in refused.value.hint and "; --data DIR: " in refused.value.hint


class Told(ModelPlugin):
    """Counts how often it is opened and closed."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[str] = []

    def open(self, checkpoint: Checkpoint | None, run: RunContext) -> ModelSession:
        model = self
        self.log.append(f"open {checkpoint and checkpoint.path}")

        class Session(Answers):
            def close(self) -> None:
                model.log.append("close")

        return Session(lambda request: "")


RUN = RunContext(Path(), RunSpec("m", "t"))


def test_a_model_is_opened_once_for_all_that_ask_the_same_weights():
    opened, model = OpenModel(), Told()
    one = Trained(Checkpoint(Path("one")))
    first = opened.session("a", model, one, RUN)
    assert opened.session("a", model, one, RUN) is first
    assert model.log == ["open one"]
    opened.session("b", model, Trained(Checkpoint(Path("two"))), RUN)
    assert model.log == ["open one", "close", "open two"]
    opened.close()
    opened.close()
    assert model.log == ["open one", "close", "open two", "close"]


def test_a_model_that_could_not_be_opened_leaves_nothing_to_close():
    class Fails(ModelPlugin):
        """Cannot be opened."""

    opened = OpenModel()
    with pytest.raises(UsageError, match="Fails does not support being asked"):
        opened.session("a", Fails(), Trained(), RUN)
    opened.close()


@pytest.mark.parametrize(
    ("setting", "same"),
    [
        ("generate.max_new_tokens=3", True),
        ("data.limit=1", True),
        ("generate.precision=bf16", False),
        ("device=cpu", False),
        ("model.smoothing=0.5", False),
    ],
)
def test_runs_that_ask_the_same_weights_in_the_same_way_share_a_session(bench, setting, same):
    log: list[str] = []

    def session(key: str, *rest: Any) -> ModelSession:
        log.append(key)
        return ModelSession()

    bench.opened.session = session  # type: ignore[method-assign]
    for cell in (prepared(bench), prepared(bench, setting)):
        cell.__dict__["model"] = ModelPlugin()
        bench.session(cell, Trained(digest="w"), RUN)
    assert (log[0] == log[1]) is same


def test_work_on_a_task_s_texts_is_shared_by_the_models_on_it_and_kept_for_two_tasks(bench):
    specs = [RunSpec("m", task) for task in ("a", "b", "c")]
    first = bench.parsed(specs[0])
    first["molecule"] = "parsed"
    assert bench.parsed(replace(specs[0], model="n")) is first
    bench.parsed(specs[1])
    assert bench.parsed(specs[0])["molecule"] == "parsed"  # used again, and so the younger
    bench.parsed(specs[2])
    assert bench.parsed(specs[0]) is first
    assert bench.parsed(specs[1]) == {}


def test_a_training_that_two_cells_share_starts_over_once(bench):
    fresh = replace(bench, fresh=True)
    assert [fresh.wants_fresh("a"), fresh.wants_fresh("a"), fresh.wants_fresh("b")] == [True, False, True]
    assert not bench.wants_fresh("a")


LIMITED = RunSpec(
    "toy",
    "toy",
    train_tasks=("toy",),
    data=DataSpec("here", train_limit=5),
    train=(TrainSpec(), TrainSpec(stage="dpo")),
    generate=GenerateSpec(max_new_tokens=9, temperature=0.5),
    metrics=("exact-match",),
)


@pytest.mark.parametrize(
    ("stage", "changes"),
    [
        (TrainSpec(), {"train_tasks": ("toy",), "data": LIMITED.data}),
        (TrainSpec(tasks=("toys",)), {"train_tasks": ("toy", "toy-choice"), "data": LIMITED.data}),
        (TrainSpec(data="there"), {"train_tasks": ("toy",), "data": DataSpec("there")}),
        (TrainSpec(launch=LaunchSpec("torchrun")), {"train_tasks": ("toy",), "data": LIMITED.data}),
    ],
)
def test_a_stage_stands_alone_with_its_own_tasks_and_data(registry, stage, changes):
    way = registry.stages.get("sft").entry
    alone = stage_spec(registry, LIMITED, stage, way)
    assert (alone.task, alone.train, alone.metrics) == ("", (stage,), ())
    assert {name: getattr(alone, name) for name in changes} == changes


@pytest.mark.parametrize(
    ("stage", "kept"),
    [(TrainSpec(), False), (TrainSpec(select_metric="bleu-2"), True), (TrainSpec(eval_limit=3), True)],
)
def test_how_answers_are_generated_belongs_to_a_stage_only_where_they_are_scored(registry, stage, kept):
    alone = stage_spec(registry, LIMITED, stage, registry.stages.get("sft").entry)
    assert (alone.generate.temperature == 0.5) is kept
    assert alone.generate.max_new_tokens == 9


def test_a_stage_that_learns_from_what_it_samples_keeps_how(registry):
    way = registry.stages.get("grpo").entry
    assert stage_spec(registry, LIMITED, TrainSpec(stage="grpo"), way).generate == LIMITED.generate


def test_a_stranger_s_rows_are_read_each_time_for_nobody_knows_what_they_rest_on(
    load: Callable[..., Any], write_plugin: Callable[..., Path], tmp_path: Path
) -> None:
    plugin = write_plugin(
        """
        from harness import Example, Task, TaskEntry, hookimpl

        WORD = ["first"]

        @hookimpl
        def harness_tasks():
            return [TaskEntry("moving", "rows that change", f"{__name__}:Moving")]

        class Moving(Task):
            metrics = ("exact-match",)

            def examples(self, split):
                yield Example("1", {"word": WORD[0]}, ("x",))
        """,
        "moving",
    )
    import sys

    found = []
    (tmp_path / "runs").mkdir()
    registry = load(plugin)
    for word in ("first", "second"):
        sys.modules["moving"].WORD[0] = word  # type: ignore[attr-defined]
        bench = Bench(registry, tmp_path / "runs", SilentProgress())
        found.append(prepared(bench, task="moving").rows()["digest"])
    assert found[0] != found[1]


@pytest.mark.parametrize(
    ("reward", "sentence"),
    [
        ("metric:morgn", "no metric named 'morgn'"),
        ("{validity=0.2, morgn=1}", "no metric named 'morgn'"),
        ("metric:levenshtein", "metric 'levenshtein' alone is no reward"),
        ("json:nothing", "reward 'json:nothing' names no function"),
    ],
)
def test_what_nothing_could_earn_by_is_refused_before_rows_are_read(bench, monkeypatch, reward, sentence):
    monkeypatch.setattr("harness.engine.prepared.training_digest", None)
    sets = ("stages=grpo", "train.base=.", f"train.reward={reward}", "train.eval_every=none")
    cell = prepared(bench, *sets, model="scimind", task="lpm24/text2smiles")
    with pytest.raises(UsageError, match=sentence):
        cell.trainings()
