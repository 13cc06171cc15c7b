"""Chains of stages on the command line: what each stands on, and who is asked in the end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Main = Callable[..., Any]
SIZES = ("hidden=16", "intermediate=32", "layers=1", "heads=2", "pieces=40")
SCIMIND = ["--model", "scimind", *(word for size in SIZES for word in ("--set", f"model.{size}"))]
T5_SIZES = ("vocabulary_size=80", "d_model=16", "d_ff=32", "layers=1", "heads=2")
ADA_T5 = ["--model", "ada-t5", *(word for size in T5_SIZES for word in ("--set", f"model.{size}"))]
CHAIN = """
stages = ["sft", "reward", "{stage}"]
[train]
max_steps = 2
eval_every = 2
optimizer = "adamw"
learning_rate = 1e-3
[stage.reward]
tasks = ["preferences"]
select_metric = "accuracy"
[stage.{stage}]
reward = "reward"
select_metric = "validity"
eval_limit = 4
options = {{ prompts = 4, samples = 2, max_new_tokens = 8, kl = 0.1 }}
"""


@pytest.mark.parametrize(("model", "stage"), [(SCIMIND, "ppo"), (ADA_T5, "grpo")])
def test_a_policy_learns_from_a_reward_model_that_was_learned_before_it(
    main: Main, tmp_path: Path, model: list[str], stage: str
) -> None:
    (tmp_path / "chain.toml").write_text(CHAIN.format(stage=stage))
    done = main(
        *model, "--task", "lpm24/text2smiles", "--config", "chain.toml", "--limit", "3", "--no-compare"
    )
    assert done.code == 0, done.err
    places = {
        json.loads(path.read_text())["stage"]: path.parent
        for path in tmp_path.glob("runs/trained/*/*/checkpoint.json")
    }
    told = json.loads((places[stage] / "spec.json").read_text())
    assert {name: Path(place).name for name, place in told["inputs"].items()} == {
        "base": places["sft"].name,
        "reward": places["reward"].name,
    }
    rows = [json.loads(row) for row in (places[stage] / "train_log.jsonl").read_text().splitlines()]
    assert sum("rollout" in row for row in rows) == (1 if stage == "ppo" else 2)
    assert "accuracy" in (places["reward"] / "train_log.jsonl").read_text()
    (record,) = tmp_path.glob("runs/lpm24/*/*/*/record.json")
    told = json.loads(record.read_text())
    assert [one["stage"] for one in told["training"]] == ["sft", "reward", stage]
    assert "trained with rewards: reward" in told["notes"]
    again = main(
        *model, "--task", "lpm24/text2smiles", "--config", "chain.toml", "--limit", "3", "--no-compare"
    )
    assert again.code == 0 and len(list(tmp_path.glob("runs/trained/*/*/checkpoint.json"))) == 3


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (["--stage", "dpo"], "stage 'dpo' goes on from a model that can answer, and there is none"),
        (["--stage", "grpo", "--task", "lpm24/text2smiles"], "learns from rewards, and none is named"),
        (
            ["--stage", "ppo", "--task", "lpm24/text2smiles", "--set", "train.reward=rm"],
            "input 'reward' of stage 'ppo' is 'rm', which is no stage before it",
        ),
        (
            ["--stage", "grpo", "--task", "lpm24/text2smiles", "--set", "train.reward=metric:levenshtein"],
            "metric 'levenshtein' alone is no reward",
        ),
        (
            ["--stage", "grpo", "--task", "lpm24/text2smiles", "--set", "train.reward=metric:mrgan"],
            "no metric named 'mrgan'",
        ),
        (["--stage", "sft"], "--task is missing"),
    ],
)
def test_what_a_stage_lacks_is_said_before_anything_is_trained(
    main: Main, tmp_path: Path, settings: list[str], sentence: str
) -> None:
    done = main("train", *SCIMIND, "--max-steps", "1", "--set", "train.eval_every=none", *settings)
    assert done.code == 2 and sentence in done.err and "hint: " in done.err, done.err
    assert not list(tmp_path.glob("runs/trained/*/*/checkpoint"))


def test_preferences_are_learned_without_naming_a_task(main: Main, tmp_path: Path) -> None:
    small = [*SCIMIND, "--max-steps", "1", "--set", "train.eval_every=none"]
    first = main("train", *small, "--task", "lpm24/text2smiles")
    assert first.code == 0, first.err
    (weights,) = tmp_path.glob("runs/trained/*/*/checkpoint")
    done = main("train", *small, "--stage", "orpo", "--set", f"train.base={weights}")
    assert done.code == 0 and "scimind on preferences: " in done.out, done.err
