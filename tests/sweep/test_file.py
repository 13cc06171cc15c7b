"""What a sweep's file says, and what is wrong with it."""

from __future__ import annotations

import pytest

from harness.api.errors import UsageError


def test_settings_stand_beside_the_table_of_the_sweep(read) -> None:
    sweep = read(
        """
        [run]
        model = ["toy", "ada-t5"]
        seeds = [0, 1]
        [train]
        max_steps = 4
        [sweep]
        retries = 3
        [sweep.grid]
        train.learning_rate = [1e-3, 1e-4]
        [[sweep.overrides]]
        train.batch_size = 2
        [[sweep.overrides]]
        train.batch_size = 4
        train.max_steps = 2
        """
    )
    assert sweep.asked.models == ("toy", "ada-t5") and sweep.asked.seeds == (0, 1)
    assert {key: setting.value for key, setting in sweep.settings.items()} == {"train.max_steps": 4}
    assert sweep.options.retries == 3
    rates, sizes = sweep.axes
    assert rates == ({"train.learning_rate": 1e-3}, {"train.learning_rate": 1e-4})
    assert sizes[1] == {"train.batch_size": 4, "train.max_steps": 2}


def test_the_command_line_is_stronger_than_the_file(read) -> None:
    assert read("[sweep]\nworkers = 1", workers=3, budget_hours=None).options.workers == 3


def test_a_value_given_twice_is_one(read) -> None:
    assert len(read("[sweep.grid]\ntrain.batch_size = [2, 4, 2]").axes[0]) == 2


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("[sweep]\nretires = 2", "has no option 'retires'", "did you mean retries?"),
        ("[sweep]\nexecutor = 'slrum'", "sweep.executor is slrum", "did you mean slurm?"),
        ("[sweep]\nretries = -1", "must be at least 0", ""),
        ("[sweep]\nworkers = 'many'", "is no whole number", ""),
        ("[sweep]\nbudget_hours = 0", "must be more than 0", ""),
        ("sweep = 3", "it must be a table", "[sweep]"),
        ("[sweep.grid]\ntrain.learning_rte = [1]", "which nothing reads", "did you mean train.learning_rate"),
        ("[sweep.grid]\ntrain.learning_rate = 1", "must be a list of values", "= [1, 2]"),
        ("[sweep.grid]\ntrain.learning_rate = []", "must be a list of values", ""),
        ("[[sweep.overrides]]\ntrain.bach_size = 3", "which nothing reads", "did you mean train.batch_size"),
        ("[sweep]\noverrides = [3]", "must hold tables", "[[sweep.overrides]]"),
        ("[trian]\nmax_steps = 3", "which nothing reads", "did you mean train.max_steps"),
        ("[sweep.halving]\nmetric = 'loss'", "names no rungs", "rungs = ["),
        ("[sweep.halving]\nrungs = [1]", "names no metric", ""),
        ("[sweep.halving]\nmetric = 'loss'\nrungs = [4, 2]", "numbers of steps that grow", ""),
        ("[sweep.halving]\nmetric = 'loss'\nrungs = [4]\nkeep = 1", "must be more than 0 and below 1", ""),
        ("[sweep]\nretries = 1\nretries = 2", "is not TOML", ""),
    ],
)
def test_what_is_wrong_is_said_with_what_was_meant(read, text: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(text)
    assert message in caught.value.message
    assert hint in caught.value.hint
