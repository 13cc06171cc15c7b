"""The model plugin: whatever weights are named, laid out by their own chat template, asked or fine-tuned."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import torch

from harness import (
    Checkpoint,
    DataError,
    ModelSession,
    RunContext,
    TrainData,
    TrainRow,
    TrainSpec,
    UsageError,
    training,
)
from harness.api.bounds import OneOf
from harness.language_models import LanguageModelPlugin, Loaded, Source, Template, loading, template_for

from . import vllm_session

QUANTISED = OneOf("", "8bit", "4bit")
BACKENDS = OneOf("own", "vllm")


@dataclass(frozen=True, slots=True)
class HuggingFaceOptions:
    """Which weights, and how they are loaded and asked."""

    weights: str = ""  # a folder, a .gguf file, or a hub id
    adapter: str = ""  # an adapter on them
    tokenizer: str = ""  # a folder or a hub id, where it is not beside the weights
    resize: bool = False  # grow the embeddings to the tokenizer's size
    revision: str = ""  # the commit, tag or branch of a hub id
    template: str = "auto"  # auto | none | chat | a published template
    tools: str = ""  # another format for tools than the template's own
    thinking: bool | None = None  # the switch of chat templates that have one
    quantise: Annotated[str, QUANTISED] = ""  # load the weights in fewer bits
    trust_remote_code: bool = False  # run code that lies beside the weights
    backend: Annotated[str, BACKENDS] = "own"  # what generates and scores: the harness's own loop, or vLLM
    vllm: Mapping[str, Any] = field(default_factory=dict)  # further arguments of vLLM's engine


class HuggingFace(LanguageModelPlugin):
    """Any model of transformers that writes text."""

    Options = HuggingFaceOptions

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        if self.options.backend == "vllm":  # now, because a training may come first
            vllm_session.require()

    def open(self, checkpoint: Checkpoint | None, run: RunContext) -> ModelSession:
        """Open the checkpoint or the weights, in the backend of the options."""
        if self.options.backend == "vllm":
            return vllm_session.VllmSession(self, self.path_of(checkpoint), run)
        return super().open(checkpoint, run)

    def load(
        self, path: str, dtype: torch.dtype, quantization: Any = None, rows: Iterable[TrainRow] = ()
    ) -> Loaded:
        """Load what is named, with room for all that the tokenizer says where that was asked for."""
        named = self.options.tokenizer and self.source(self.options.tokenizer)
        resize = self.options.resize
        return loading.load(self.source(path), dtype, quantization, tokenizer=named, resize=resize)

    def load_tokenizer(self, path: str) -> Any:
        """Load the tokenizer of what is named."""
        return loading.load_tokenizer(self.source(self.options.tokenizer or path))

    def bits(self) -> Any:
        """Return how weights are loaded to be asked: whole, or in the bits of the options."""
        return training.few_bits(self.options.quantise) if self.options.quantise else None

    def template(self, tokenizer: Any) -> Template:
        """Return the tokenizer's own template, or the one that the options name."""
        options = self.options
        return template_for(options.template, tokenizer, tools=options.tools, thinking=options.thinking)

    def path_of(self, checkpoint: Checkpoint | None) -> str:
        """Name what is asked: a checkpoint, the adapter, or the weights."""
        if checkpoint is None and not self.options.weights:
            raise UsageError("model 'hf' has no weights of its own", hint="--checkpoint DIR_OR_HUB_ID")
        if checkpoint is not None:
            return str(checkpoint.path)
        if self.options.adapter and not training.is_adapter(self.options.adapter):
            raise DataError(
                f"{self.options.adapter} holds no adapter",
                hint="an adapter folder has an adapter_config.json",
            )
        return str(self.options.adapter or self.options.weights)

    def whole(self, path: str) -> str:
        """Name the whole weights under an adapter, as the options, the harness or peft have written them."""
        if path and path == self.options.adapter:
            return str(self.options.weights)
        if training.is_adapter(path) and not training.base_of(path) and not self.options.weights:
            config = json.loads((Path(path) / "adapter_config.json").read_text(encoding="utf-8"))
            return str(config.get("base_model_name_or_path") or super().whole(path))
        return super().whole(path)

    def start(self, data: TrainData, spec: TrainSpec) -> Loaded:
        """Start from the weights, with the adapter on them."""
        if not spec.base and not self.options.weights:
            raise UsageError("there is nothing to fine-tune", hint="--checkpoint DIR_OR_HUB_ID names weights")
        return super().start(data, replace(spec, base=spec.base or self.options.adapter))

    def source(self, path: str) -> Source:
        """Return where weights are, with the revision and the trust that the options give."""
        revision = self.options.revision if path == self.options.weights else ""
        return Source(path, revision, self.options.trust_remote_code)
