"""Adapters: LoRA on full or 4-bit weights, continued, stacked, merged, and bound to the base they fit."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from harness.api import DataError, StageError, TrainSpec, UsageError
from harness.files import folders
from harness.files.json_files import write_json

from . import settings

CONFIG = "adapter_config.json"
BASE = "base.json"
UNDER = "under"  # the adapter that was merged into the weights before this one was trained
SAMPLED = 8  # values of each weight that are kept to recognise a base
TOLERANCE = 0.02  # the same weights in another number format differ by rounding only
WRAPPERS = (".base_layer", ".original_module", ".token_adapter")
ADDED = ("lora_", "modules_to_save", "trainable_tokens_")


def is_adapter(path: str | Path) -> bool:
    """Whether a folder holds an adapter and not whole weights."""
    return bool(str(path)) and (Path(path) / CONFIG).is_file()


def base_of(path: str) -> str:
    """Return the whole weights at the bottom of `path`: an adapter's base, or the weights that it names.

    Empty are the weights that a preset names, and those alone an adapter on them needs to be told.
    """
    if not is_adapter(path):
        return path
    base = str(_facts(Path(path)).get("path", ""))
    beside = os.path.normpath(Path(path) / base)
    return beside if base and Path(beside).exists() else base


def quantization(spec: TrainSpec) -> Any:
    """Return what `from_pretrained(quantization_config=...)` needs for the spec's method, or None.

    QLoRA keeps the base in 4-bit NormalFloat, with the scales quantised too. Weights that an adapter
    is first merged into are loaded whole: `prepare_model` quantises what comes of it.
    """
    return few_bits("4bit") if spec.method == "qlora" and merged_first(spec) is None else None


def few_bits(how: str) -> Any:
    """Return what `from_pretrained(quantization_config=...)` needs for `8bit` or `4bit` weights."""
    settings.require("bitsandbytes", f"weights in {how}")  # transformers would fail later, and less clearly
    from transformers import BitsAndBytesConfig

    if how == "8bit":
        # It says at each layer of each step that fp32 is cast.
        logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )


def merged_first(spec: TrainSpec) -> Path | None:
    """Return the adapter that is merged into the weights before a stage begins, if it starts from one."""
    if not is_adapter(spec.base):
        return None
    if spec.method == "full" or not spec.lora_continue:
        return Path(spec.base)
    under = Path(spec.base) / UNDER
    return under if under.exists() else None


def prepare_model(
    model: nn.Module, spec: TrainSpec, *, targets: Sequence[str] = (), new_tokens: Sequence[int] = ()
) -> nn.Module:
    """Return the model with what `spec.method` trains made trainable.

    `model` has the weights of `base_of(spec.base)`. Where `spec.base` is an adapter, it is merged into
    them and a new one begun, or continued with `spec.lora_continue`. `targets` are the layers of the
    published recipe where the spec names none. `new_tokens` are vocabulary rows that are learned and
    saved with the adapter.
    """
    under = merged_first(spec)
    if under is not None:
        model = merge(model, [under])
    if spec.method == "full":
        return model.requires_grad_(True)
    peft = _peft()
    if spec.method == "qlora":
        model = _quantised(model) if under is not None else model
        if not getattr(model, "is_loaded_in_4bit", False):
            raise StageError("method 'qlora' was asked for, but the weights were not loaded in 4 bit")
        _keep_layout(model)
        # Recomputing activations is train.gradient_checkpointing's business.
        model = peft.prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    if spec.lora_continue and spec.base:
        return _continued(model, spec)
    config = peft.LoraConfig(
        r=spec.lora_r,
        lora_alpha=spec.lora_alpha,
        lora_dropout=spec.lora_dropout,
        target_modules=_targets(model, tuple(spec.lora_targets) or tuple(targets)),
        fan_in_fan_out=any(type(module).__name__ == "Conv1D" for module in model.modules()),  # GPT-2's
        trainable_token_indices=_token_rows(model, new_tokens),
        task_type="SEQ_2_SEQ_LM" if model.config.is_encoder_decoder else "CAUSAL_LM",  # type: ignore[union-attr]
    )
    torch.manual_seed(spec.seed)
    adapted: nn.Module = peft.get_peft_model(model, config)
    return adapted


def _quantised(model: Any) -> nn.Module:
    whole: Any = type(model).from_pretrained(
        None,
        config=model.config,
        state_dict=model.state_dict(),
        quantization_config=few_bits("4bit"),
        dtype=model.dtype,
    )
    whole.name_or_path = model.name_or_path  # which peft writes down, and would be "None"
    return whole  # type: ignore[no-any-return]


def _keep_layout(model: nn.Module) -> None:
    """Keep bitsandbytes from rearranging weights at an evaluation on the CPU.

    It never turns them back, and what it then computes has no right gradient.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False  # type: ignore[assignment]


def _continued(model: nn.Module, spec: TrainSpec) -> nn.Module:
    """Put on the adapter that a stage goes on with; settings that it cannot take are refused."""
    if not is_adapter(spec.base):
        raise UsageError(
            f"{spec.base} holds no adapter to continue", hint="--set train.lora_continue=false begins one"
        )
    adapted: Any = _put(model, Path(spec.base), trainable=True)
    config = adapted.peft_config["default"]
    has = {"lora_r": config.r, "lora_alpha": config.lora_alpha, "lora_dropout": config.lora_dropout}
    if spec.lora_targets and isinstance(config.target_modules, set):
        has["lora_targets"] = tuple(sorted(config.target_modules))
    for name, value in has.items():
        asked = getattr(spec, name)
        if (tuple(sorted(asked)) if name == "lora_targets" else asked) != value:
            raise UsageError(
                f"train.{name} is {asked}, the adapter that is continued has {value}",
                hint="--set train.lora_continue=false merges it and begins a new one",
            )
    return adapted  # type: ignore[no-any-return]


def _targets(model: nn.Module, asked: tuple[str, ...]) -> list[str] | str:
    if not asked:
        return "all-linear"
    names = {name.rsplit(".", 1)[-1] for name, _ in model.named_modules()}
    if absent := [target for target in asked if target.rsplit(".", 1)[-1] not in names]:
        linear = sorted({n.rsplit(".", 1)[-1] for n, m in model.named_modules() if isinstance(m, nn.Linear)})
        raise UsageError(
            f"{type(model).__name__} has no layer '{absent[0]}' to adapt",
            hint=f"its linear layers: {', '.join(linear)}",
        )
    return list(asked)


def _token_rows(model: nn.Module, new_tokens: Sequence[int]) -> dict[str, list[int]] | None:
    if not new_tokens:
        return None
    tables = [model.get_input_embeddings(), model.get_output_embeddings()]  # type: ignore[operator]
    if model.config.tie_word_embeddings:  # type: ignore[union-attr]
        tables = tables[:1]
    return {
        name: list(new_tokens) for name, m in model.named_modules() if any(m is table for table in tables)
    }


def grow_embeddings(model: nn.Module, vocabulary: int) -> list[int]:
    """Make room for a larger vocabulary and return the new rows, which start from the mean of the old."""
    before = model.get_input_embeddings().weight.shape[0]  # type: ignore[operator]
    if vocabulary > before:
        model.resize_token_embeddings(vocabulary)  # type: ignore[operator]
    return list(range(before, vocabulary))


def load_adapter(model: nn.Module, adapter: Path) -> nn.Module:
    """Put a saved adapter on its base, after those that were merged under it; other bases are refused."""
    if not is_adapter(adapter):
        raise DataError(f"{adapter} holds no adapter", hint=f"an adapter folder has an {CONFIG}")
    if (adapter / UNDER).exists():
        model = merge(model, [adapter / UNDER])
    return _put(model, adapter)


def add_adapter(model: Any, adapter: Path, name: str) -> Any:
    """Put a saved adapter beside those of a model, under a name, to be chosen when the model is asked."""
    if not re.fullmatch(r"[\w-]+", name) or name in "lora_":  # peft finds weights by names with this prefix
        raise UsageError(f"'{name}' is no name for an adapter", hint="letters, digits, - and _, such as sft")
    if not is_adapter(adapter):
        raise DataError(f"{adapter} holds no adapter", hint=f"an adapter folder has an {CONFIG}")
    facts = _facts(adapter)
    if (adapter / UNDER).exists() or (facts and facts["vocabulary"]):
        raise DataError(
            f"{adapter} changes the weights under it, so it cannot stand beside others",
            hint="name it alone, as the checkpoint",
        )
    if facts:
        _require_base(model, facts, adapter)
    if hasattr(model, "peft_config"):
        model.load_adapter(str(adapter), adapter_name=name)
        return model
    return _peft().PeftModel.from_pretrained(model, adapter, adapter_name=name)


def _put(model: nn.Module, adapter: Path, *, trainable: bool = False) -> nn.Module:
    if facts := _facts(adapter):
        if facts["vocabulary"]:
            grow_embeddings(model, facts["vocabulary"])
        _require_base(model, facts, adapter)
    loaded: nn.Module = _peft().PeftModel.from_pretrained(model, adapter, is_trainable=trainable)
    return loaded


def _peft() -> Any:
    import peft  # slow to import, and needed for adapters alone

    # It reads a property of transformers by a name that will go, and no user can change that.
    warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
    return peft


def _facts(adapter: Path) -> dict[str, Any]:
    """Return what is known of an adapter's base; nothing where another program wrote it."""
    path = adapter / BASE
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def merge(model: nn.Module, adapters: Sequence[Path]) -> nn.Module:
    """Merge adapters into a model one on the other, as after pretraining and before the next stage."""
    for adapter in adapters:
        adapted: Any = load_adapter(model, adapter)
        model = adapted.merge_and_unload()
    return model


def export(model: nn.Module, folder: Path) -> None:
    """Write a model with all its adapters merged as one plain Hugging Face folder."""
    whole: Any = model
    if hasattr(model, "peft_config"):
        whole = whole.merge_and_unload()
    whole.save_pretrained(folder)


def save_base(folder: Path, facts: dict[str, Any], spec: TrainSpec) -> None:
    """Write beside an adapter what recognises its base, and the adapter that was merged into it."""
    base = base_of(spec.base)
    if base and Path(base).exists():  # seen from here, so that both may be moved together
        base = os.path.relpath(base, folder)
    write_json(folder / BASE, {"path": base, **facts})
    if (under := merged_first(spec)) is not None:
        shutil.copytree(under, folder / UNDER, ignore=shutil.ignore_patterns(folders.MANIFEST))


def describe_base(model: nn.Module) -> dict[str, Any]:
    """Return what recognises the base under an adapter: a few values of each of its weights."""
    base = {}
    for name, weight in model.named_parameters():
        if any(part in name for part in ADDED):
            continue
        plain = name.removeprefix("base_model.model.")
        for wrapper in WRAPPERS:
            plain = plain.replace(wrapper, "")
        base[plain] = _sample(weight)
    embeddings = getattr(model, "get_input_embeddings", lambda: None)()
    vocabulary = embeddings.weight.shape[0] if embeddings is not None else 0
    return {"vocabulary": vocabulary, "weights": base}


def _sample(weight: torch.Tensor) -> list[float]:
    values = weight.detach().reshape(-1)[:SAMPLED]
    # Four-bit weights are packed bytes, which say nothing about the same weights unpacked.
    return [float(value) for value in values] if values.is_floating_point() else []


def _require_base(model: nn.Module, facts: dict[str, Any], adapter: Path) -> None:
    found, wanted = describe_base(model)["weights"], facts["weights"]
    for name, values in wanted.items():
        if name not in found:
            raise UsageError(f"{adapter} was trained on another base: this one has no '{name}'")
        other = found[name]
        size = max((abs(value) for value in values), default=0.0) or 1.0
        apart = max((abs(a - b) for a, b in zip(values, other, strict=False)), default=0.0)
        if apart > TOLERANCE * size:
            raise UsageError(
                f"{adapter} was trained on another base: '{name}' differs",
                hint="load it on the weights it was trained on; after stacking these are the merged ones",
            )
