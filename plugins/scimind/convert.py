"""Weights between Hugging Face folders and MindSpore checkpoints, streamed.

One tensor (to .ckpt) or one shard (to safetensors, twice while it is written) is in memory at a time,
whatever the size of the model.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from harness import DataError, UsageError

from .configuration import SciMindConfig
from .experts import read_partition
from .mindspore_ckpt import CheckpointReader, write_checkpoint

SHARD_BYTES = 2 * 2**30
_LAYER_NAMES = {
    "self_attn.q_proj.weight": "attention.wq.weight",
    "self_attn.k_proj.weight": "attention.wk.weight",
    "self_attn.v_proj.weight": "attention.wv.weight",
    "self_attn.o_proj.weight": "attention.wo.weight",
    "mlp.gate_proj.weight": "feed_forward.w1.weight",
    "mlp.down_proj.weight": "feed_forward.w2.weight",
    "mlp.up_proj.weight": "feed_forward.w3.weight",
    "input_layernorm.weight": "attention_norm.weight",
    "post_attention_layernorm.weight": "ffn_norm.weight",
}
_OTHER_NAMES = {
    "model.embed_tokens.weight": "model.tok_embeddings.embedding_weight",
    "model.norm.weight": "model.norm_out.weight",
    "lm_head.weight": "lm_head.weight",
}
_FROM_MINDSPORE = {value: key for key, value in _LAYER_NAMES.items()}
_OTHER_FROM_MINDSPORE = {value: key for key, value in _OTHER_NAMES.items()}
_LAYER = re.compile(r"model\.layers\.(\d+)\.(.+)\Z")


@dataclass(frozen=True, slots=True)
class Converted:
    """What a conversion wrote, and the names it had no counterpart for."""

    tensors: int
    bytes: int
    skipped: tuple[str, ...]


def to_mindspore_name(name: str) -> str | None:
    """Return the MindSpore name of a Hugging Face weight, None where there is none."""
    if match := _LAYER.match(name):
        inner = _LAYER_NAMES.get(match[2])
        return None if inner is None else f"model.layers.{match[1]}.{inner}"
    return _OTHER_NAMES.get(name)


def from_mindspore_name(name: str) -> str | None:
    """Return the Hugging Face name of a MindSpore parameter, None for optimizer state and the like."""
    if match := _LAYER.match(name):
        inner = _FROM_MINDSPORE.get(match[2])
        return None if inner is None else f"model.layers.{match[1]}.{inner}"
    return _OTHER_FROM_MINDSPORE.get(name)


def to_mindspore(folder: Path, path: Path, *, dtype: torch.dtype = torch.float16) -> Converted:
    """Write the weights of a dense or masked model's folder as one `.ckpt`, in fp16 as the release has it."""
    files = _weight_files(folder)
    names = [(name, file) for file in files for name in _names_in(file)]
    if any(".experts." in name for name, _ in names):
        raise UsageError(
            "routed experts have no counterpart in MindSpore",
            hint="convert a model with routing as_described, as_released or dense",
        )
    skipped = tuple(name for name, _ in names if to_mindspore_name(name) is None)
    count, written = 0, 0

    def tensors() -> Iterator[tuple[str, Tensor]]:
        nonlocal count, written
        for name, file in names:
            if (target := to_mindspore_name(name)) is not None:
                with safe_open(file, framework="pt") as shard:
                    tensor = shard.get_tensor(name).to(dtype)
                count, written = count + 1, written + tensor.nbytes
                yield target, tensor

    write_checkpoint(path, tensors())
    return Converted(count, written, skipped)


def to_folder(
    path: Path,
    folder: Path,
    *,
    like: Path | None = None,
    partition: Path | None = None,
    heads: int | None = None,
    shard_bytes: int = SHARD_BYTES,
) -> Converted:
    """Write a `.ckpt` as a SciMind folder of safetensors.

    The file says nothing about heads and context length: they come from the config.json in `like`, else
    heads are `heads` or 128 wide. `partition` is the folder of the release's neuron partition.
    """
    with CheckpointReader(path) as reader:
        wanted = {target: name for name in reader.tensors if (target := from_mindspore_name(name))}
        skipped = tuple(name for name in reader.tensors if from_mindspore_name(name) is None)
        config = _configuration(
            {new: reader.tensors[old].shape for new, old in wanted.items()}, like, heads, path
        )
        extra: dict[str, Tensor] = {}
        if partition is not None:
            labels = read_partition(
                partition, config.num_hidden_layers, config.intermediate_size, config.num_experts
            )
            extra = {f"model.layers.{i}.mlp.expert_of_neuron": row.clone() for i, row in enumerate(labels)}
        folder.mkdir(parents=True, exist_ok=True)
        total = _write_shards(folder, reader, wanted, extra, shard_bytes)
    if not extra:
        config.routing = "dense"
    config.save_pretrained(folder)
    return Converted(len(wanted), total, skipped)


def _write_shards(
    folder: Path,
    reader: CheckpointReader,
    wanted: dict[str, str],
    extra: dict[str, Tensor],
    shard_bytes: int,
) -> int:
    plan: list[list[str]] = [[]]
    held = 0
    for name in wanted:
        size = reader.tensors[wanted[name]].wanted_bytes
        if plan[-1] and held + size > shard_bytes:
            plan.append([])
            held = 0
        plan[-1].append(name)
        held += size
    total, weight_map = 0, {}
    for number, names in enumerate(plan, start=1):
        file = "model.safetensors" if len(plan) == 1 else f"model-{number:05d}-of-{len(plan):05d}.safetensors"
        shard = {name: reader.read(wanted[name]) for name in names} | (extra if number == 1 else {})
        save_file(shard, folder / file, metadata={"format": "pt"})
        total += sum(tensor.nbytes for tensor in shard.values())
        weight_map.update(dict.fromkeys(shard, file))
    if len(plan) > 1:
        index = {"metadata": {"total_size": total}, "weight_map": weight_map}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1), encoding="utf-8")
    return total


def _configuration(
    shapes: dict[str, tuple[int, ...]], like: Path | None, heads: int | None, path: Path
) -> SciMindConfig:
    layers = 1 + max((int(match[1]) for name in shapes if (match := _LAYER.match(name))), default=-1)
    expected = [f"model.layers.{i}.{name}" for i in range(layers) for name in _LAYER_NAMES]
    if missing := [name for name in [*_OTHER_NAMES, *expected] if name not in shapes]:
        raise DataError(
            f"{path} lacks {len(missing)} weights, the first is '{missing[0]}'",
            hint="is it one rank's slice of a pipelined run? merge the slices first",
        )
    vocabulary, hidden = shapes["model.embed_tokens.weight"]
    stated: dict[str, Any] = {}
    if like is not None:
        loaded = SciMindConfig.get_config_dict(str(like))[0]
        stated = {k: v for k, v in loaded.items() if k not in ("model_type", "architectures", "vocab_size")}
    elif heads or hidden % 128 == 0:
        stated = {"num_attention_heads": heads or hidden // 128}
    else:
        raise UsageError(f"{hidden} hidden units do not say how many heads there are", hint="pass --heads")
    first = shapes["model.layers.0.mlp.gate_proj.weight"]
    found = {"hidden_size": hidden, "intermediate_size": first[0], "num_hidden_layers": layers}
    for key, value in found.items():
        if stated.get(key, value) != value:
            raise DataError(f"{path} has {key} {value}, {like} says {stated[key]}")
    ranges = {"molecule": [32000, 32066]} if vocabulary >= 32066 else {}
    if vocabulary >= 32098:
        ranges |= {"nucleotide": [32066, 32071], "protein": [32071, 32098]}
    return SciMindConfig(**{**stated, **found, "vocab_size": vocabulary, "modality_ranges": ranges})


def _weight_files(folder: Path) -> list[Path]:
    if files := sorted(folder.glob("*.safetensors")):
        return files
    raise DataError(f"no *.safetensors in {folder}", hint="save the model with save_pretrained first")


def _names_in(file: Path) -> list[str]:
    try:
        with safe_open(file, framework="pt") as shard:
            return list(shard.keys())
    except (SafetensorError, OSError) as error:
        raise DataError(f"{file} is no safetensors file: {error}") from error
