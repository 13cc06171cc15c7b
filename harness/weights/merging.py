"""Adapters merged into the weights under them: one plain folder that needs neither."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoTokenizer

from harness import training
from harness.api import DataError, UsageError
from harness.files.folders import whole_folder
from harness.language_models import load, named_if_absent
from harness.training.heads import HEAD

CHECKPOINT = "checkpoint"
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def merge(source: Path, target: Path, *, base: str = "", dtype: str = "auto") -> int:
    """Write the weights under an adapter with it merged, and its tokenizer; return the weights' bytes.

    The head of a reward model goes along. Merging is computed in fp32, whatever precision is written:
    by default that of the base.
    """
    adapter = adapter_at(source)
    refuse_taken(target)
    under = base or base_of(adapter)
    model, tokenizer = load(under, torch.float32)
    merged: Any = training.merge(model, [adapter]).to(DTYPES.get(dtype) or stored_dtype(under))
    with whole_folder(target) as folder:
        merged.save_pretrained(folder)
        own = (adapter / "tokenizer_config.json").is_file()
        (AutoTokenizer.from_pretrained(adapter) if own else tokenizer).save_pretrained(folder)
        if (adapter / HEAD).is_file():
            shutil.copy(adapter / HEAD, folder / HEAD)
    return bytes_of(merged)


def adapter_at(path: Path) -> Path:
    """Return the adapter that a path means: a folder of one, or of the training that left it."""
    found = next((p for p in (path, path / CHECKPOINT) if training.is_adapter(p)), None)
    if found is None:
        raise DataError(f"{path} holds no adapter", hint="an adapter folder has an adapter_config.json")
    return found


def base_of(adapter: Path) -> str:
    """Return what an adapter stands on, as the harness or peft wrote it down."""
    config = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    found = training.base_of(str(adapter)) or str(config.get("base_model_name_or_path") or "")
    if not found:
        raise UsageError(f"{adapter} does not say what it stands on", hint="--base WEIGHTS names it")
    return found


def refuse_taken(target: Path) -> None:
    """Refuse to write over what is there."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise DataError(f"{target} is there already", hint="name a folder that is not")


def bytes_of(model: Any) -> int:
    """Return what a model's weights take, those that are shared once."""
    seen = {weight.data_ptr(): weight.nbytes for weight in model.state_dict().values()}
    return sum(seen.values())


def stored_dtype(source: str) -> torch.dtype:
    """Return the precision in which weights are stored, as their settings say."""
    with named_if_absent(source):
        found = getattr(AutoConfig.from_pretrained(source), "dtype", None)
    return found if isinstance(found, torch.dtype) else torch.float32
