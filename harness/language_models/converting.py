"""Published weights whose own code runs no longer, as models that transformers has: equal logits.

One weight file is read, renamed and written at a time. No code that lies beside the weights is run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import GenerationConfig, PreTrainedConfig

from harness.api import DataError, UsageError, nearest
from harness.files.folders import whole_folder

INDEX = "model.safetensors.index.json"


@dataclass(frozen=True, slots=True)
class Conversion:
    """How one folder becomes another: the settings, how a file's weights are renamed, how many there are."""

    config: PreTrainedConfig
    renamed: Callable[[Mapping[str, Tensor]], Iterator[tuple[str, Tensor]]]
    weights: int
    tokenizer: Callable[[Path, Path], None]


def convert(source: Path, target: Path) -> int:
    """Write a folder that says what the model of `source` says; return its weights' bytes."""
    from . import baichuan, chatglm  # which stand on this module

    kinds = {"baichuan": baichuan.conversion, "chatglm": chatglm.conversion}
    stated = _stated(source)
    kind = str(stated.get("model_type"))
    if kind not in kinds:
        raise UsageError(
            f"{source} holds a model of type {kind}, which needs no converting or has no converter",
            hint=nearest(kind, kinds) or "there are some for: " + ", ".join(kinds),
        )
    if target.exists() and any(target.iterdir()):
        raise DataError(f"{target} is there already", hint="name a folder that is not")
    conversion = kinds[kind](source, stated)
    with whole_folder(target) as folder:
        total = _write_weights(_weight_files(source), folder, conversion)
        conversion.config.save_pretrained(folder)
        if (source / "generation_config.json").is_file():
            GenerationConfig.from_pretrained(source).save_pretrained(folder)
        if (source / "tokenizer.model").is_file():
            conversion.tokenizer(source, folder)
    return total


def _write_weights(files: list[Path], target: Path, conversion: Conversion) -> int:
    total, places = 0, dict[str, str]()
    for number, file in enumerate(files, start=1):
        name = f"model-{number:05d}-of-{len(files):05d}.safetensors"
        name = "model.safetensors" if len(files) == 1 else name
        tensors = dict(conversion.renamed(_read(file)))
        save_file(tensors, target / name, metadata={"format": "pt"})
        total += sum(tensor.nbytes for tensor in tensors.values())
        places |= dict.fromkeys(tensors, name)
    if len(places) != conversion.weights:
        raise DataError(
            f"{files[0].parent} holds {len(places)} weights after splitting, "
            f"{conversion.weights} were expected"
        )
    if len(files) > 1:
        index = {"metadata": {"total_size": total}, "weight_map": places}
        (target / INDEX).write_text(json.dumps(index, indent=1), encoding="utf-8")
    return total


def _stated(source: Path) -> dict[str, Any]:
    path = source / "config.json"
    try:
        stated: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
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
