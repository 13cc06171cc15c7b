"""Baichuan as a plain LLaMA: its published code runs no longer, its layers are those of LLaMA.

`python -m harness.language_models.baichuan FOLDER OUT` splits the packed query, key and value of Baichuan-7B
and Baichuan2-7B, one weight file at a time; of Baichuan2 the head's rows are brought to length one, which
its code did at every step. Baichuan-13B adds a bias to its attention that LLaMA does not have.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import GenerationConfig, LlamaConfig, LlamaTokenizer

from harness.api import DataError, HarnessError, UsageError

PACKED = "self_attn.W_pack.weight"
SECOND = 125_696  # pieces of Baichuan2's vocabulary, by which its published code knows it too
PROBES = ("The data set holds 3,044 sentences.", "糖尿病的症状是什么？", "a  b\n\tc — ünï")
COPIED = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "max_position_embeddings",
    "rms_norm_eps",
    "initializer_range",
    "bos_token_id",
    "eos_token_id",
    "pad_token_id",
)


def convert(source: Path, target: Path) -> int:
    """Write a LLaMA folder that says what the Baichuan of `source` says; return its weights' bytes."""
    stated = _stated(source)
    files = _weight_files(source)
    target.mkdir(parents=True, exist_ok=True)
    config = LlamaConfig(
        **{key: stated[key] for key in COPIED if key in stated},
        tie_word_embeddings=bool(stated.get("tie_word_embeddings", False)),
    )
    total, places = 0, dict[str, str]()
    for number, file in enumerate(files, start=1):
        name = (
            "model.safetensors" if len(files) == 1 else f"model-{number:05d}-of-{len(files):05d}.safetensors"
        )
        tensors = dict(_renamed(_read(file), normalise=config.vocab_size == SECOND))
        save_file(tensors, target / name, metadata={"format": "pt"})
        total += sum(tensor.nbytes for tensor in tensors.values())
        places |= dict.fromkeys(tensors, name)
    expected = 3 + 9 * config.num_hidden_layers - int(config.tie_word_embeddings)
    if len(places) != expected:
        raise DataError(f"{source} holds {len(places)} weights after splitting, {expected} were expected")
    if len(files) > 1:
        index = {"metadata": {"total_size": total}, "weight_map": places}
        (target / "model.safetensors.index.json").write_text(json.dumps(index, indent=1), encoding="utf-8")
    config.save_pretrained(target)
    if (source / "generation_config.json").is_file():
        GenerationConfig.from_pretrained(source).save_pretrained(target)
    if (source / "tokenizer.model").is_file():
        convert_tokenizer(source / "tokenizer.model", target)
    return total


def _stated(source: Path) -> dict[str, Any]:
    path = source / "config.json"
    try:
        stated: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    kind = stated.get("model_type")
    if kind != "baichuan":
        raise UsageError(f"{source} holds a model of type {kind}, not a Baichuan")
    if "max_position_embeddings" not in stated:
        raise UsageError(
            f"{source} is a Baichuan-13B, whose attention has a bias by distance (ALiBi) that LLaMA lacks",
            hint="the 7B models can be converted",
        )
    return stated


def _weight_files(source: Path) -> list[Path]:
    found = sorted(source.glob("*.safetensors")) or sorted(source.glob("pytorch_model*.bin"))
    if not found:
        raise DataError(f"no weights in {source}", hint="it should hold *.safetensors or pytorch_model*.bin")
    return found


def _read(file: Path) -> dict[str, Tensor]:
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        return dict(torch.load(file, map_location="cpu", weights_only=True))
    except Exception as error:  # safetensors and torch raise a dozen kinds; each means a damaged file
        raise DataError(f"{file} cannot be read: {str(error).splitlines()[0]}") from error


def _renamed(tensors: dict[str, Tensor], *, normalise: bool) -> Iterator[tuple[str, Tensor]]:
    for name, tensor in tensors.items():
        if name.endswith(PACKED):
            stem = name.removesuffix("W_pack.weight")
            for part, weight in zip("qkv", tensor.chunk(3), strict=True):
                yield f"{stem}{part}_proj.weight", weight.clone()
        elif name == "lm_head.weight" and normalise:
            yield name, torch.nn.functional.normalize(tensor.float()).to(tensor.dtype)
        elif not name.endswith("rotary_emb.inv_freq"):  # computed, not learned
            yield name, tensor.contiguous()


def convert_tokenizer(model: Path, target: Path) -> None:
    """Write a tokenizer of transformers that splits texts as the SentencePiece model does, or refuse."""
    import sentencepiece  # here, because weights without a tokenizer need none

    pieces = sentencepiece.SentencePieceProcessor(model_file=str(model))
    for prefix in (False, True):
        tokenizer = LlamaTokenizer.from_pretrained(
            str(model.parent), add_prefix_space=prefix, legacy=False, padding_side="left"
        )
        read = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in PROBES]
        if read == [pieces.encode(text) for text in PROBES]:
            if tokenizer.pad_token is None:
                tokenizer.pad_token = tokenizer.unk_token
            tokenizer.save_pretrained(target)
            return
    raise DataError(f"{model} splits texts in a way that no tokenizer of transformers repeats")


def main(argv: Sequence[str] | None = None) -> int:
    """Convert a folder."""
    parser = argparse.ArgumentParser(prog="python -m harness.language_models.baichuan", description=__doc__)
    parser.add_argument("source", type=Path, help="the folder of a Baichuan-7B or Baichuan2-7B")
    parser.add_argument("target", type=Path, help="the folder that is written")
    args = parser.parse_args(argv)
    try:
        total = convert(args.source, args.target)
    except HarnessError as error:
        sys.stderr.write(f"error: {error.message}\n" + (f"hint: {error.hint}\n" if error.hint else ""))
        return error.exit_code
    sys.stdout.write(f"{total / 2**30:.2f} GiB of weights in {args.target}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
