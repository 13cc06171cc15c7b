"""An adapter merged into its base says what both said together."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from harness import DataError, TrainSpec, training
from harness.cli.main import main
from harness.language_models import load
from harness.training.adapters import describe_base, save_base

LORA = TrainSpec(method="lora", lora_r=4)
IDS = torch.tensor([[1, 7, 8, 9, 10]])


def adapted(base: Path, folder: Path) -> torch.Tensor:
    """Write an adapter that says something, as a training does, and return the logits it gives."""
    model: Any
    model, tokenizer = load(str(base), torch.float32)
    spec = replace(LORA, base=str(base))
    model = training.prepare_model(model, spec)
    facts = describe_base(model)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.1)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    save_base(folder, facts, spec)
    return said(model)


def said(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        return model.eval()(input_ids=IDS).logits


def test_the_merged_folder_says_what_base_and_adapter_said(tiny_llama, tmp_path, capsys):
    together = adapted(tiny_llama, tmp_path / "adapter")
    assert main(["weights", "merge", str(tmp_path / "adapter"), str(tmp_path / "merged"), "--json"]) == 0
    written = json.loads(capsys.readouterr().out)
    assert written["target"] == str(tmp_path / "merged") and written["bytes"] > 10_000
    alone = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype=torch.float32)
    assert not hasattr(alone, "peft_config")
    assert (said(alone) - together).abs().max() < 1e-5
    assert AutoTokenizer.from_pretrained(tmp_path / "merged")("abc")["input_ids"]


def test_what_is_no_adapter_or_would_be_written_over_is_refused(tiny_llama, tmp_path, capsys):
    assert main(["weights", "merge", str(tiny_llama), str(tmp_path / "merged")]) == DataError.exit_code
    assert "holds no adapter" in capsys.readouterr().err
    adapted(tiny_llama, tmp_path / "adapter")
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "mine.txt").write_text("mine")
    arguments = ["weights", "merge", str(tmp_path / "adapter"), str(tmp_path / "there")]
    assert main(arguments) == DataError.exit_code
    assert "is there already" in capsys.readouterr().err


def test_another_base_is_refused(tiny_llama, tmp_path, capsys):
    adapted(tiny_llama, tmp_path / "adapter")
    other = AutoModelForCausalLM.from_pretrained(tiny_llama)
    with torch.no_grad():
        other.model.embed_tokens.weight.add_(1)
    other.save_pretrained(tmp_path / "other")
    AutoTokenizer.from_pretrained(tiny_llama).save_pretrained(tmp_path / "other")
    arguments = ["weights", "merge", str(tmp_path / "adapter"), str(tmp_path / "merged")]
    assert main([*arguments, "--base", str(tmp_path / "other")]) == 2
    assert "was trained on another base" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_what_has_no_converter_is_refused(tmp_path, capsys, kind):
    (tmp_path / "config.json").write_text(f'{{"model_type": "{kind}"}}')
    assert main(["weights", "convert", str(tmp_path), str(tmp_path / "new")]) == 2
    assert f"a model of type {kind}" in capsys.readouterr().err
