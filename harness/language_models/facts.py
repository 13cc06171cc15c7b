"""What a record says of an open model: what it is, and what was settled for it where it does not say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from transformers import GenerationConfig

from .loading import Loaded
from .templates import Template

PLAIN = ("False", "1", "1.0")  # what asks for nothing, as text: True is 1 among numbers
SAMPLING = ("do_sample", "temperature", "top_k", "top_p", "min_p", "num_beams", "repetition_penalty")


def facts(loaded: Loaded, template: Template) -> dict[str, Any]:
    """Return what identifies a model and how it is asked, as JSON."""
    model, tokenizer = loaded
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    config = base.config.get_text_config(decoder=True)
    found = {
        "architecture": type(base).__name__,
        "parameters": sum(weight.numel() for weight in base.parameters()),
        "precision": str(base.dtype).removeprefix("torch."),
        "quantised": bool(getattr(base, "is_quantized", False)),
        "context": getattr(config, "max_position_embeddings", None),
        "template": template.name,
        "template_digest": template.digest,
        "commit": getattr(base.config, "_commit_hash", None),
        "settled": list(_settled(base, tokenizer)),
    }
    return {key: value for key, value in found.items() if value not in (None, [], False)}


def _settled(model: Any, tokenizer: Any) -> Iterator[str]:
    """Say in sentences what a model leaves open, or asks for and does not get."""
    if not getattr(tokenizer, "chat_template", None):
        yield "the tokenizer has no chat template"
    if tokenizer.pad_token_id is None:
        yield "there is no token to pad with"
    elif tokenizer.pad_token_id == tokenizer.eos_token_id:
        yield "padding is the end of text, and masked"
    if tokenizer.eos_token_id is None:
        yield "no token ends a text: answers end at their greatest length"
    asked = getattr(model, "generation_config", None)
    plain = GenerationConfig()
    wanted = {name: getattr(asked, name, None) for name in SAMPLING}
    ignored = [
        f"{name}={value}"
        for name, value in wanted.items()
        if value is not None and str(value) not in (str(getattr(plain, name, None)), *PLAIN)
    ]
    if ignored:
        yield "its generation_config is not followed, generate.* decides: " + ", ".join(ignored)
    rows = model.get_input_embeddings().weight.shape[0]
    if len(tokenizer) > rows:
        yield f"the tokenizer has {len(tokenizer)} tokens, the model {rows}: those beyond cannot be read"
