"""Every stage learns from MedicalGPT's own files, each from the one before, with adapters between them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from harness.cli.main import main

TINY = [
    *("--set", "model.hidden=32", "--set", "model.intermediate=64", "--set", "model.layers=1"),
    *("--set", "model.heads=2", "--set", "model.pieces=600", "--quiet"),
]


@pytest.fixture(scope="module")
def files(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return slices of the files: their shortest rows, which a tiny model reads whole."""
    source, target = test_data / "medicalgpt", tmp_path_factory.mktemp("medicalgpt")
    if not source.is_dir():
        pytest.skip("MedicalGPT's files are not here")
    found = {}
    for stage, name, count in (
        ("pretrain", "medical_corpus.txt", 24),
        ("sft", "medical_sft_1K_format.jsonl", 24),
        ("reward", "dpo_zh_500.jsonl", 16),
    ):
        lines = (source / name).read_text(encoding="utf-8").splitlines()
        shortest = set(sorted(filter(str.strip, lines), key=len)[:count])
        kept = islice((line for line in lines if line in shortest), count)
        found[stage] = target / name
        found[stage].write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
    return found


STAGES = {
    "pretrain": "ppl",
    "sft": "conversations",
    "reward": "preferences",
    "ppo": "conversations",
    "dpo": "preferences",
}


@pytest.fixture
def train(files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Return a function that trains stages, two steps each, in this process."""
    monkeypatch.chdir(tmp_path)
    data = {**files, "ppo": files["sft"], "dpo": files["reward"]}

    def train(*stages: str, **more: Any) -> int:
        settings = {"stages": json.dumps(stages), "generate.max_new_tokens": 8, "train.learning_rate": 1e-3}
        for stage in stages:
            settings |= {f"stage.{stage}.tasks": f'["{STAGES[stage]}"]', f"stage.{stage}.data": data[stage]}
            settings |= {f"stage.{stage}.max_steps": 2, f"stage.{stage}.batch_size": 4}
            settings |= {f"stage.{stage}.max_length": 400}
            settings |= {} if stage == "ppo" else {f"stage.{stage}.eval_every": 2}
        if "ppo" in stages:
            settings |= {"stage.ppo.reward": "reward", "stage.ppo.options.prompts": 4}
        settings |= {name.replace("__", "."): value for name, value in more.items()}
        flags = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
        return main(["train", "--model", "aimed", "--task", "conversations", *TINY, *flags])

    return train


def folder_of(stage: str) -> Path:
    """Return the training of a stage."""
    (found,) = [
        path.parent
        for path in Path("runs/trained/aimed").glob("*/spec.json")
        if json.loads(path.read_text(encoding="utf-8"))["spec"]["train"][0]["stage"] == stage
    ]
    return found


def told(stage: str) -> list[dict[str, Any]]:
    """Return the log of a stage."""
    log = folder_of(stage) / "train_log.jsonl"
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


def held_out(stage: str) -> dict[str, float]:
    """Return what a stage measured last on rows that are held out."""
    (last,) = [row["validation"] for row in told(stage)[-1:]]
    return dict(last)


def test_every_stage_learns_from_the_files_and_tells_true_measures(train, capsys):
    assert train(*STAGES) == 0, capsys.readouterr().err
    for stage in ("pretrain", "sft"):
        values = held_out(stage)
        assert values["perplexity"] == pytest.approx(math.exp(values["loss"]))
        assert 1 < values["perplexity"] < 2 * 600
    for stage in ("reward", "dpo"):
        values = held_out(stage)
        assert "perplexity" not in values  # that of a loss of pairs is none
        assert 0 <= values["accuracy"] <= 1
        assert values["margin"] == pytest.approx(values["chosen"] - values["rejected"], abs=1e-6)
    rollouts = [row["rollout"] for row in told("ppo") if "rollout" in row]
    assert rollouts and all({"reward", "kl"} <= set(rollout) for rollout in rollouts)


@pytest.mark.parametrize(
    ("stage", "task", "name"),
    [("sft", "conversations", "sample.jsonl"), ("pretrain", "ppl", "en_article_tail500.txt")],
)
def test_the_smaller_files_are_learned_from_as_they_are(train, test_data, capsys, stage, task, name):
    file = {f"stage__{stage}__data": test_data / "medicalgpt" / name, f"stage__{stage}__tasks": f'["{task}"]'}
    assert train(stage, **file) == 0, capsys.readouterr().err
    assert 1 < held_out(stage)["perplexity"] < 2 * 600


def test_adapters_are_merged_between_stages_or_gone_on_with(train, capsys):
    assert train("pretrain") == 0, capsys.readouterr().err
    base = folder_of("pretrain").absolute() / "checkpoint"
    lora = {"train__method": "lora", "model__weights": base, "train__lora_r": 2}
    assert train("sft", "dpo", **lora) == 0, capsys.readouterr().err
    sft, dpo = (folder_of(stage) / "checkpoint" for stage in ("sft", "dpo"))
    assert (dpo / "under" / "adapter_config.json").exists()  # the one of sft, merged before this one began
    assert not (sft / "under").exists()
    assert (dpo / "base.json").exists() and (dpo / "tokenizer_config.json").exists()
