"""What a stage stands on: the stage before it, the one it names, or what is on disk."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness import StageEntry, TrainSpec, UsageError
from harness.engine.graph import inputs_of

SHELF = {
    "sft": StageEntry("sft", "", ""),
    "more": StageEntry("more", "", ""),
    "judge": StageEntry("judge", "", "", answers=False),
    "policy": StageEntry("policy", "", "", inputs={"reward": "judge", "reference": ""}),
}


def chain(*stages: TrainSpec) -> list[dict[str, str]]:
    return inputs_of(stages, [SHELF[stage.stage] for stage in stages])


def test_a_stage_goes_on_from_the_one_before_it() -> None:
    assert chain(TrainSpec("sft"), TrainSpec("more")) == [{}, {"base": "sft"}]


def test_a_stage_does_not_go_on_from_one_that_cannot_answer_and_finds_what_it_needs() -> None:
    found = chain(TrainSpec("sft"), TrainSpec("judge"), TrainSpec("policy"))
    assert found == [{}, {"base": "sft"}, {"base": "sft", "reward": "judge"}]


def test_inputs_are_named_left_out_or_taken_from_disk(tmp_path: Path) -> None:
    policy = TrainSpec("policy", inputs={"base": "sft", "reward": str(tmp_path), "reference": "sft"})
    found = chain(TrainSpec("sft"), TrainSpec("more"), policy)
    assert found[-1] == {"base": "sft", "reward": str(tmp_path), "reference": "sft"}
    assert chain(TrainSpec("sft"), TrainSpec("more", inputs={"base": "none"})) == [{}, {}]


def test_a_reward_that_is_a_stage_is_its_input() -> None:
    found = chain(TrainSpec("sft"), TrainSpec("judge"), TrainSpec("policy", reward="judge"))
    assert found[-1]["reward"] == "judge"
    scored = TrainSpec("policy", reward="metric:exact")
    assert "reward" not in chain(TrainSpec("sft"), scored)[-1]


@pytest.mark.parametrize(
    ("stages", "sentence"),
    [
        ([TrainSpec("sft"), TrainSpec("sft")], "stage 'sft' stands twice"),
        ([TrainSpec("sft", inputs={"bse": "sft"})], "stage 'sft' has no input 'bse'"),
        ([TrainSpec("sft"), TrainSpec("more", inputs={"base": "sfr"})], "which is no stage before it"),
        ([TrainSpec("policy", inputs={"base": "sft"}), TrainSpec("sft")], "which is no stage before it"),
    ],
)
def test_an_input_that_is_not_there_is_named(stages: list[TrainSpec], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        chain(*stages)


PLUGIN = """
    import json
    from dataclasses import replace

    from harness import Answers, Checkpoint, ModelEntry, ModelPlugin, StageEntry, hookimpl

    @hookimpl
    def harness_models():
        return [ModelEntry("told", "says what it was told", f"{__name__}:Told", stages=("*",))]

    @hookimpl
    def harness_stages():
        return [
            StageEntry("judge", "leaves no answers", f"{__name__}:Stage", answers=False),
            StageEntry("policy", "needs a judge", f"{__name__}:Stage", inputs={"reward": "judge"}),
        ]

    class Stage:
        pass

    class Told(ModelPlugin):
        def train(self, data, spec, run):
            folder = run.directory / "checkpoint"
            folder.mkdir(exist_ok=True)
            inputs = {name: str(found.path) for name, found in run.inputs.items()}
            facts = {"stage": run.stage.name, "base": spec.base, "inputs": inputs, "reward": spec.reward}
            (folder / "told.json").write_text(json.dumps(facts))
            return Checkpoint(folder)

        def open(self, checkpoint, run):
            told = json.loads((checkpoint.path / "told.json").read_text())
            return Answers(lambda request: told["stage"])
"""


def told(tmp_path: Path, stage: str) -> dict[str, Any]:
    found = [
        json.loads(path.read_text()) for path in tmp_path.glob("runs/trained/told/*/checkpoint/told.json")
    ]
    return next(facts for facts in found if facts["stage"] == stage)


def test_stages_of_a_plugin_run_as_a_graph_and_the_last_that_answers_is_asked(
    main: Callable[..., Any], write_plugin: Callable[..., Path], tmp_path: Path
) -> None:
    plugin = write_plugin(PLUGIN, "telling")
    command = ["--plugin", plugin, "--model", "told", "--task", "toy", "--metrics", "exact-match"]
    stages = ["--set", 'stages=["sft", "policy", "judge"]', "--set", "stage.policy.inputs.reward=none"]
    done = main(*command, *stages)
    assert done.code == 0, done.err
    (answers,) = tmp_path.glob("runs/toy/told/*/completions.jsonl")
    assert '"policy"' in answers.read_text()
    assert told(tmp_path, "policy")["inputs"] == {}
    places = {name: Path(told(tmp_path, name)["base"]) for name in ("judge", "policy")}
    bases = {name: json.loads((place / "told.json").read_text())["stage"] for name, place in places.items()}
    assert bases == {"judge": "policy", "policy": "sft"}

    refused = main("run", *command, "--set", "stages=judge")
    assert refused.code == 2 and "stage 'judge' leaves no model that answers" in refused.err
    assert main("train", *command, "--set", "stages=judge").code == 0


def test_the_rewards_of_a_stage_are_read_from_a_table_and_from_a_flag(
    main: Callable[..., Any], write_plugin: Callable[..., Path], tmp_path: Path
) -> None:
    plugin = write_plugin(PLUGIN, "telling")
    (tmp_path / "run.toml").write_text(
        'stages = ["judge", "policy"]\n[stage.policy]\nreward = { morgan = 1, validity = 0.2 }\n'
    )
    command = ["train", "--plugin", plugin, "--model", "told", "--task", "toy", "--config", "run.toml"]
    assert main(*command).code == 0
    facts = told(tmp_path, "policy")
    assert facts["reward"] == {"morgan": 1, "validity": 0.2}
    assert list(facts["inputs"]) == ["reward"]
    shutil.rmtree(tmp_path / "runs")
    assert main(*command, "--set", "stage.policy.reward=metric:morgan").code == 0
    assert told(tmp_path, "policy")["reward"] == "metric:morgan"
