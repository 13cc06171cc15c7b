"""Weights in fewer bits load as they were written, smaller, with the perplexity that was told."""

from __future__ import annotations

import json

import pytest
import torch

from harness.cli.main import main
from harness.language_models import load
from harness.weights.quantising import measured, quantise

pytest.importorskip("bitsandbytes")
TEXTS = ["We measured nitrate in two lakes.", "糖尿病的症状是什么？"]


@pytest.mark.parametrize(("kind", "share"), [("int8", 0.75), ("nf4", 0.7)])
def test_what_is_written_is_smaller_and_measured_as_it_is_read_again(tiny_llama, tmp_path, kind, share):
    found = quantise(str(tiny_llama), tmp_path / "small", kind, TEXTS)
    assert found.after.size < share * found.before.size
    assert found.after.perplexity == pytest.approx(found.before.perplexity, rel=0.1)
    config = json.loads((tmp_path / "small" / "config.json").read_text())
    assert config["quantization_config"]["load_in_4bit"] is (kind == "nf4")
    again = measured(*load(str(tmp_path / "small"), torch.float32), TEXTS)
    assert again.perplexity == pytest.approx(found.after.perplexity, rel=1e-3)


def test_perplexity_is_that_of_the_tokens_and_of_nothing_else(tiny_llama):
    model, tokenizer = load(str(tiny_llama), torch.float32)
    total, count = 0.0, 0
    for text in TEXTS:
        ids = torch.tensor([tokenizer(text)["input_ids"]])
        with torch.inference_mode():
            logs = model(ids).logits[0, :-1].log_softmax(-1)
        total -= float(logs.gather(1, ids[0, 1:, None]).sum())
        count += ids.shape[1] - 1
    assert measured(model, tokenizer, TEXTS).tokens == count
    assert measured(model, tokenizer, TEXTS).perplexity == pytest.approx(
        float(torch.tensor(total / count).exp()), rel=1e-4
    )


def test_the_command_shows_both_and_refuses_what_it_cannot_do(tiny_llama, tmp_path, capsys):
    small = str(tmp_path / "small")
    assert main(["weights", "quantise", str(tiny_llama), small, "--to", "nf4", "--limit", "3"]) == 0
    out = capsys.readouterr().out
    assert "as it was" in out and "nf4" in out and "perplexity a token on" in out
    assert main(["weights", "quantise", small, str(tmp_path / "less"), "--to", "int8"]) == 2
    assert "quantised already" in capsys.readouterr().err
