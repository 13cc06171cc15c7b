"""The cells of a sweep, and the run that each of them is."""

from __future__ import annotations

import tracemalloc

import pytest

from harness.api.errors import DataError, UsageError
from harness.cli.main import parse
from harness.cli.run_arguments import asked_for
from harness.engine.config import read_flag
from harness.engine.matrix import plan as plan_of_run
from harness.sweep.plan import as_toml, lay_out

GRID = """
    [run]
    model = "toy"
    task = "toys"
    seeds = [0, 7]
    [train]
    max_steps = 4
    [sweep.grid]
    train.batch_size = [2, 4]
    model.smoothing = [0.1, 0.2, 0.3]
"""


def test_every_combination_is_one_cell_the_seeds_outermost(load, read) -> None:
    plan = lay_out(load(), read(GRID))
    assert len(plan) == 2 * 2 * 2 * 3
    assert str(plan[0]) == "toy on toy, batch_size=2, smoothing=0.1, seed 0"
    assert str(plan[1]) == "toy on toy, batch_size=2, smoothing=0.2, seed 0"
    assert str(plan[plan.of_a_seed]) == "toy on toy, batch_size=2, smoothing=0.1, seed 7"
    assert len({str(trial) for trial in plan}) == len(plan)
    with pytest.raises(IndexError):
        plan[len(plan)]


def test_a_cell_is_the_run_that_its_command_is(load, read, monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    registry = load()
    plan = lay_out(registry, read(GRID))
    for number in (0, len(plan) - 1):
        _, args = parse(plan.command(plan[number]))
        (cell,) = plan_of_run(registry, asked_for(args))
        assert cell.spec == plan.cell(registry, plan[number]).spec
    assert cell.spec.seed == cell.spec.train[0].seed == 7


def test_a_model_and_a_value_given_twice_are_one(load, read) -> None:
    assert len(lay_out(load(), read("[run]\nmodel = ['toy', 'toy']\ntask = 'toy,toys'"))) == 2


def test_a_million_cells_take_the_room_of_ten(load, read) -> None:
    seeds, steps = list(range(10_000)), list(range(100))
    text = f"[run]\nmodel = 'toy'\ntask = 'toy'\nseeds = {seeds}\n[sweep.grid]\ntrain.warmup_steps = {steps}"
    sweep, registry = read(text), load()
    tracemalloc.start()
    plan = lay_out(registry, sweep)
    assert len(plan) == 1_000_000
    assert plan[999_999].point == {"train.warmup_steps": 99}
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**22


TOY = "[run]\nmodel = 'toy'\ntask = 'toy'\n"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("[run]\ntask = 'toy'", "no model is named", 'model = ["NAME"'),
        ("[run]\nmodel = 'toy'", "no task is named", 'task = ["NAME"'),
        ("[run]\nmodel = 'tooy'\ntask = 'toy'", "no model named 'tooy'", "did you mean toy"),
        ("[run]\nmodel = 'toy'\ntask = ['toy', 'toz']", "no task named 'toz'", "did you mean toy"),
        (TOY + "[sweep.grid]\npreset = ['tiny', '7b']", "no preset '7b'", "tiny"),
        (TOY + "[sweep.grid]\ntrain.batch_size = [2, 0]", "must be at least 1", ""),
        (TOY + "[sweep.halving]\nmetric = 'los'\nrungs = [2]", "named 'los'", ""),
        (
            TOY + "stages = []\n[sweep.halving]\nmetric = 'loss'\nrungs = [2]",
            "compares trainings, and toy has none",
            "",
        ),
        (
            TOY + "[train]\neval_every=3\n[sweep.halving]\nmetric='loss'\nrungs=[4]",
            "lies between two evaluations",
            "multiple",
        ),
    ],
)
def test_what_could_never_run_is_refused_before_anything_does(load, read, text, message, hint) -> None:
    with pytest.raises(UsageError) as caught:
        lay_out(load(), read(text))
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_halving_lets_trainings_look_where_they_are_compared(load, read) -> None:
    text = TOY + "[sweep.halving]\nmetric = 'letter-accuracy'\nrungs = [6, 9]"
    registry = load()
    (stage,) = lay_out(registry, read(text)).cell(registry, lay_out(registry, read(text))[0]).spec.train
    assert (stage.eval_every, stage.select_metric) == (3, "letter-accuracy")


@pytest.mark.parametrize(
    "value", [1e-5, 3, True, "none", 'a "quoted" = text\n', ["a", "b"], {"metric:bleu": 0.5}, [1, [2.5]]]
)
def test_a_value_is_read_back_as_it_was(value) -> None:
    assert read_flag(f"key={as_toml(value)}") == ("key", value)


def test_what_no_setting_can_be_is_refused() -> None:
    with pytest.raises(DataError, match="no value of a setting"):
        as_toml(float("nan"))
