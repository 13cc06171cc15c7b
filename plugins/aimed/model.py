"""The model plugin: published weights by a path or hub id, or a small LLaMA from nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness import Document, TrainData, TrainPair, TrainSpec
from harness.language_models import LanguageModelPlugin, Loaded
from harness.language_models.fresh import learn_tokenizer, small_llama


@dataclass(frozen=True, slots=True)
class AiMedOptions:
    """Where weights come from, and the sizes of a model from nothing."""

    weights: str = ""  # a LLaMA or Baichuan folder or hub id; empty: from nothing
    hidden: int = 128
    intermediate: int = 352
    layers: int = 4
    heads: int = 4
    pieces: int = 1200  # word pieces that are learned from the training texts
    context: int = 512


class AiMed(LanguageModelPlugin):
    """A causal model that reads documents and answers questions in English and Chinese."""

    Options = AiMedOptions

    def fresh(self, data: TrainData, spec: TrainSpec) -> Loaded:
        """Return a model of the preset's sizes and a tokenizer learned from the training texts."""
        options = self.options
        tokenizer = learn_tokenizer(_texts(data), options.pieces)
        model = small_llama(
            tokenizer,
            hidden=options.hidden,
            intermediate=options.intermediate,
            layers=options.layers,
            heads=options.heads,
            context=options.context,
            seed=spec.seed,
        )
        return Loaded(model, tokenizer)


def _texts(data: TrainData) -> Iterator[str]:
    for row in data.train:
        if isinstance(row, TrainPair):
            yield f"{row.prompt} {row.target}"
        elif isinstance(row, Document):
            yield row.text
