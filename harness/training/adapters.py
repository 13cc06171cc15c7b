"""Adapters: LoRA on full or 4-bit weights, continued, stacked, merged, and bound to the base they fit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from harness.api import DataError, StageError, TrainSpec, UsageError

from . import settings

BASE = "base.json"
SAMPLED = 8  # values of each weight that are kept to recognise a base
TOLERANCE = 0.02  # the same weights in another number format differ by rounding only
WRAPPERS = (".base_layer", ".original_module", ".token_adapter")
ADDED = ("lora_", "modules_to_save", "trainable_tokens_")


def quantization(spec: TrainSpec) -> Any:
    """Return what `from_pretrained(quantization_config=...)` needs for the spec's method, or None.

    QLoRA keeps the base in 4-bit NormalFloat, with the scales quantised too.
    """
    if spec.method != "qlora":
        return None
    settings.require("bitsandbytes", "method 'qlora'")  # transformers would fail later, and less clearly
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )


def prepare_model(
    model: nn.Module,
    spec: TrainSpec,
    *,
    targets: Sequence[str] = (),
    new_tokens: Sequence[int] = (),
    adapter: Path | None = None,
) -> nn.Module:
    """Return the model with what `spec.method` trains made trainable.

    `targets` are the layers of the published recipe where the spec names none. `new_tokens` are
    vocabulary rows that are learned and saved with the adapter. `adapter` is continued instead of
    starting a new one.
    """
    if spec.method == "full":
        if adapter is not None:
            raise UsageError("method 'full' continues no adapter", hint="--set train.method=lora")
        return model
    import peft  # slow to import, and needed for adapters alone

    if spec.method == "qlora":
        if not getattr(model, "is_loaded_in_4bit", False):
            raise StageError("method 'qlora' was asked for, but the weights were not loaded in 4 bit")
        # Recomputing activations is train.gradient_checkpointing's business.
        model = peft.prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    if adapter is not None:
        return load_adapter(model, adapter, trainable=True)
    config = peft.LoraConfig(
        r=spec.lora_r,
        lora_alpha=spec.lora_alpha,
        lora_dropout=spec.lora_dropout,
        target_modules=_targets(model, tuple(spec.lora_targets) or tuple(targets)),
        trainable_token_indices=_token_rows(model, new_tokens),
        task_type="SEQ_2_SEQ_LM" if model.config.is_encoder_decoder else "CAUSAL_LM",  # type: ignore[union-attr]
    )
    torch.manual_seed(spec.seed)
    adapted: nn.Module = peft.get_peft_model(model, config)
    return adapted


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


def load_adapter(model: nn.Module, adapter: Path, *, trainable: bool = False) -> nn.Module:
    """Put a saved adapter on its base; any other base is refused."""
    if not (adapter / "adapter_config.json").is_file():
        raise DataError(f"{adapter} holds no adapter", hint="an adapter folder has an adapter_config.json")
    import peft  # slow to import, and needed for adapters alone

    if (adapter / BASE).exists():
        facts = json.loads((adapter / BASE).read_text(encoding="utf-8"))
        if facts["vocabulary"]:
            grow_embeddings(model, facts["vocabulary"])
        _require_base(model, facts, adapter)
    loaded: nn.Module = peft.PeftModel.from_pretrained(model, adapter, is_trainable=trainable)
    return loaded


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
