"""AiMed's flags open what its users mean, and say why where they cannot."""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def told(main: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return a function that asks one question with some flags; what it changes outside is put back."""
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    return lambda *flags: main(
        "chat", *flags, "--ask", "CCO", "--set", "generate.max_new_tokens=6", "--offline"
    )


@pytest.fixture
def adapter(tiny_llama: Path, tmp_path: Path) -> Path:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = AutoModelForCausalLM.from_pretrained(tiny_llama)
        config = LoraConfig(target_modules=["q_proj", "v_proj", "down_proj"], init_lora_weights=False, r=16)
        get_peft_model(model, config).save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter"


def test_its_flags_are_ours_by_other_names(told: Callable[..., Any], tiny_llama: Path, adapter: Path) -> None:
    plain = told("--model", tiny_llama, "--device", "cpu")
    weights = ("--base_model", tiny_llama, "--only_cpu")
    assert told(*weights, "--model_type", "llama", "--gpus", "0").out == plain.out
    vicuna = told(*weights, "--template_name", "vicuna")
    assert vicuna.out == told("--model", tiny_llama, "--set", "model.template=vicuna").out != plain.out
    adapted = told(*weights, "--lora_model", adapter)
    assert adapted.out == told("--model", tiny_llama, "--set", f"model.adapter={adapter}").out != plain.out


def test_a_tokenizer_of_its_own_and_embeddings_grown_to_it(
    told: Callable[..., Any], tiny_llama: Path, tmp_path: Path
) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_llama)
    tokenizer.add_tokens(["CCO"])
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    shutil.copytree(tiny_llama, tmp_path / "bare", ignore=shutil.ignore_patterns("tokenizer*", "special*"))
    flags = ("--base_model", tmp_path / "bare", "--tokenizer_path", tmp_path / "tokenizer", "--only_cpu")
    grown = told(*flags, "--resize_emb")
    assert grown.code == 0, grown.err
    refused = told(*flags)
    assert refused.code != 0 and "--resize_emb" in refused.err


def test_one_gpu_is_shown_to_torch(told: Callable[..., Any], tiny_llama: Path) -> None:
    assert told("--base_model", tiny_llama, "--gpus", "1", "--device", "cpu").code == 0
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "1"


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--model_type", "bloom"], "holds a llama, no bloom"),
        (["--model_type", "gpt"], "invalid choice: 'gpt'"),
        (["--gpus", "0,1"], "a model is opened on one GPU"),
        (["--model", "toy"], "model is given twice"),
        (["--template_name", "vicuna2"], "no template named 'vicuna2'"),
        (["--lora_model", "absent"], "absent holds no adapter"),
    ],
)
def test_what_cannot_be_is_said(
    told: Callable[..., Any], tiny_llama: Path, flags: list[str], says: str
) -> None:
    done = told("--base_model", tiny_llama, *flags)
    assert done.code in (2, 4) and says in done.err and "Traceback" not in done.err
    assert told("--model_type", "llama").code == 2
