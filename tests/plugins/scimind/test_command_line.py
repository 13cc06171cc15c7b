"""SciMind on the command line: chains of stages, files that what they leave answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROWS = "SMILES\tdescription\nCCO\tAn alcohol.\nCC\tAn alkane of two.\nCCC\tAn alkane of three.\n"
CHAIN = """
stages = ["pretrain", "sft"]
[train]
optimizer = "adamw"
max_steps = 4
eval_every = "none"
max_length = 512
[generate]
max_new_tokens = 8
"""


@pytest.mark.parametrize(
    ("first", "second", "more"),
    [("lora", "lora", ""), ("lora", "lora", "train.lora_continue=true"), ("full", "lora", "")],
)
def test_a_chain_with_adapters_is_trained_asked_and_answers_a_file(
    main: Callable[..., Any], llama: Path, tmp_path: Path, first: str, second: str, more: str
) -> None:
    for name in ("train", "test"):
        (tmp_path / f"{name}.tsv").write_text(ROWS, encoding="utf-8")
    (tmp_path / "chain.toml").write_text(CHAIN, encoding="utf-8")
    settings = [f"stage.pretrain.method={first}", f"stage.sft.method={second}", *filter(None, [more])]
    settings += [f"model.weights={llama}", "model.experts=4", "model.text_experts=3"]
    asked = [word for setting in settings for word in ("--set", setting)]
    command = ["--model", "scimind", "--task", "chebi20/smiles2text", "--data", tmp_path, *asked]
    done = main("run", *command, "--config", tmp_path / "chain.toml", "--quiet")
    assert done.code == 0, done.err
    by_stage = {
        json.loads(p.read_text())["stage"]: p.parent for p in tmp_path.glob("runs/trained/*/*/c*.json")
    }
    adapter = by_stage["sft"] / "checkpoint"
    assert (adapter / "under").exists() == (first == second and not more)
    prompts = ["SMILES: CCO\\nName:", "CC"]
    (tmp_path / "prompts.txt").write_text("\n".join(prompts) + "\n", encoding="utf-8")
    settings = ["generate.max_new_tokens=20", "model.release_quirks=true"]
    settings += [] if first == "full" else [f"model.weights={llama}"]
    options = [word for setting in settings for word in ("--set", setting)]
    asked = main("generate", "prompts.txt", "--model", "scimind", "--checkpoint", adapter, *options)
    assert asked.code == 0, asked.err
    rows = [json.loads(line) for line in (tmp_path / "prompts.txt.answers.jsonl").read_text().splitlines()]
    assert [row["prompt"] for row in rows] == prompts
    assert all(isinstance(row["answer"], str) for row in rows)


def test_the_tasks_metrics_run_during_training_where_rows_for_them_are_named(
    main: Callable[..., Any], tmp_path: Path
) -> None:
    for name in ("train", "validation"):
        (tmp_path / f"{name}.tsv").write_text(ROWS, encoding="utf-8")
    sizes = ("hidden=16", "intermediate=32", "layers=1", "heads=2", "pieces=20")
    command = ["--model", "scimind", "--task", "chebi20/smiles2text", "--data", tmp_path, "--max-steps", "4"]
    command += [word for size in sizes for word in ("--set", f"model.{size}")]
    command += ["--set", "generate.max_new_tokens=8", "--eval-every", "2", "--quiet"]
    seen = []
    for output, more in (("loss", []), ("metrics", ["--eval-limit", "2"])):
        done = main("train", *command, *more, "--output", tmp_path / output)
        assert done.code == 0, done.err
        (log,) = (tmp_path / output).glob("trained/*/*/train_log.jsonl")
        seen.append([row for row in map(json.loads, log.read_text().splitlines()) if "validation" in row])
    plain, watched = seen
    assert [row["step"] for row in plain] == [row["step"] for row in watched] == [0, 2, 4]
    assert [set(row["validation"]) for row in plain] == [{"loss", "perplexity"}] * 3
    assert all({"loss", "bleu-4", "rouge-l"} <= set(row["validation"]) for row in watched[1:])
    assert [row["validation"]["loss"] for row in plain] == [row["validation"]["loss"] for row in watched]
