"""AiMed's own flags on `chat` and `serve`: its users' commands go on working.

They stand here and not in AiMed's plugin, since they open any weights: each is another name of a setting.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from harness.api.errors import UsageError

KINDS = ("auto", "llama", "baichuan", "bloom", "chatglm")
# What transformers calls them; a Baichuan that was converted is a LLaMA.
CALLED = {"baichuan": ("baichuan", "llama"), "chatglm": ("chatglm", "glm", "glm4")}
FLAGS = {  # flag -> the setting that it is, and what it says
    "--base_model": ("model", "the weights, as --model"),
    "--lora_model": ("model.adapter", "an adapter on them"),
    "--tokenizer_path": ("model.tokenizer", "the tokenizer, where it is not beside the weights"),
    "--template_name": ("model.template", "the template, such as vicuna"),
}
OWN = (*(flag.strip("-") for flag in FLAGS), "model_type", "only_cpu", "gpus", "resize_emb")


def add_aimed_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    group = parser.add_argument_group("as AiMed's programs call it")
    group.add_argument("--model_type", choices=KINDS, help="checked against the weights")
    for flag, (_, text) in FLAGS.items():
        group.add_argument(flag, metavar="PATH" if "template" not in flag else "NAME", help=text)
    group.add_argument("--gpus", metavar="N", help="the GPU, by its number")
    group.add_argument("--only_cpu", action="store_true", help="use no GPU, as --device cpu")
    group.add_argument(
        "--resize_emb", action="store_true", help="grow the embeddings to the tokenizer's size"
    )


def take_aimed_arguments(args: argparse.Namespace) -> None:
    """Turn the flags that were given into the settings they stand for."""
    settings: dict[str, Any] = {}
    for flag, (key, _) in FLAGS.items():
        if value := getattr(args, flag.strip("-")):
            settings[key] = _place(value) if key == "model" else value
    if args.resize_emb:
        settings["model.resize"] = True
    if args.only_cpu:
        settings["device"] = "cpu"
    if twice := sorted(vars(args).keys() & settings.keys()):
        raise UsageError(f"{twice[0]} is given twice, once by AiMed's flag", hint="leave one of them out")
    for key, value in settings.items():
        setattr(args, key, value)
    _check_kind(args.model_type, args.base_model)
    _choose_gpu(args.gpus, alone=args.only_cpu)


def _place(path: str) -> str:
    """Return a path as one that cannot be taken for the name of a model."""
    return str(Path(path).expanduser().resolve()) if Path(path).expanduser().exists() else path


def _check_kind(kind: str | None, weights: str | None) -> None:
    if kind in (None, "auto"):
        return
    if weights is None:
        raise UsageError("--model_type goes with --base_model")
    config = Path(weights).expanduser() / "config.json"
    if not config.is_file():  # on the hub: transformers finds out
        return
    found = json.loads(config.read_text(encoding="utf-8")).get("model_type")
    if found not in CALLED.get(kind, (kind,)):
        raise UsageError(f"{weights} holds a {found}, no {kind}", hint="--model_type auto, or leave it out")


def _choose_gpu(gpus: str | None, *, alone: bool) -> None:
    """Show torch one GPU alone, before it looks."""
    if not gpus or alone:
        return
    if not gpus.isdigit():
        raise UsageError(
            f"--gpus {gpus}: a model is opened on one GPU",
            hint="--gpus 0; --set model.quantise=8bit or 4bit makes weights smaller",
        )
    os.environ["CUDA_VISIBLE_DEVICES"] = gpus
