"""The model plugin: published weights by a path or hub id, or a small LLaMA from nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from dataclasses import dataclass, replace
from typing import Annotated, Any

import torch

from harness import Document, TrainData, TrainPair, TrainRow, TrainSpec, training
from harness.api.bounds import OneOf
from harness.language_models import LanguageModelPlugin, Loaded, Template, loading, template_for
from harness.language_models.blocks import Blocks
from harness.language_models.fresh import SmallOptions, from_nothing


@dataclass(frozen=True, slots=True)
class AiMedOptions(SmallOptions):
    """Where weights come from, a LLaMA or a ChatGLM, how they are asked, and sizes of a model from nothing.

    `documents` are read `apart`, each with its end; laid end to end and cut into lines, `joined` by the
    end of text; or `run-on`, without it.
    """

    pieces: int = 1200
    context: int = 512
    tokenizer: str = ""  # a folder or a hub id, where it is not beside the weights
    resize: bool = False  # grow the embeddings to the tokenizer's size
    template: str = "none"  # none | chat | auto | a published template
    tools: str = ""  # another format for tools than the template's own
    quantise: Annotated[str, OneOf("", "8bit", "4bit")] = ""  # ask the weights in fewer bits
    documents: Annotated[str, OneOf("apart", "joined", "run-on")] = "apart"


class AiMed(LanguageModelPlugin):
    """A causal model that reads documents and answers questions in English and Chinese."""

    Options = AiMedOptions

    def fresh(self, data: TrainData, spec: TrainSpec) -> Loaded:
        """Return a model of the preset's sizes and a tokenizer learned from the training texts."""
        return from_nothing(_texts(data.train), self.options, spec.seed)

    def load(
        self, path: str, dtype: torch.dtype, quantization: Any = None, rows: Iterable[TrainRow] = ()
    ) -> Loaded:
        """Load weights, with another tokenizer where one is named."""
        named = path == self.options.weights  # what was trained here has its own beside it
        tokenizer = self.options.tokenizer if named else ""
        return loading.load(path, dtype, quantization, tokenizer=tokenizer, resize=self.options.resize)

    def load_tokenizer(self, path: str) -> Any:
        """Load the tokenizer of weights, or the one that is named for them."""
        named = self.options.tokenizer if path == self.options.weights else ""
        return loading.load_tokenizer(named or path)

    def template(self, tokenizer: Any) -> Template:
        """Return the template that the options name."""
        return template_for(self.options.template, tokenizer, tools=self.options.tools)

    def bits(self) -> Any:
        """Return how weights are loaded to be asked: whole, or in the bits of the options."""
        return training.few_bits(self.options.quantise) if self.options.quantise else None

    def taught(self, loaded: Loaded, data: TrainData, spec: TrainSpec) -> TrainData:
        """Return documents as lines of one length, where they are not read apart."""
        if spec.stage != "pretrain" or self.options.documents == "apart":
            return data
        ends = self.options.documents == "joined"

        def blocks(rows: Iterable[TrainRow]) -> Iterable[TrainRow]:
            return Blocks(rows, loaded.tokenizer, spec.max_length, ends=ends)

        train = blocks(data.train)
        held_out = list(blocks(data.validation))
        return replace(
            data, train=list(train) if isinstance(data.train, Sized) else train, validation=held_out
        )


def _texts(rows: Iterable[TrainRow]) -> Iterator[str]:
    for row in rows:
        if isinstance(row, TrainPair):
            yield f"{row.prompt} {row.target}"
        elif isinstance(row, Document):
            yield row.text
        else:
            yield from row.texts()
