"""The model plugin: published weights by a path or hub id, or a small LLaMA from nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness import Document, TrainData, TrainPair, TrainSpec
from harness.language_models import LanguageModelPlugin, Loaded
from harness.language_models.fresh import SmallOptions, from_nothing


@dataclass(frozen=True, slots=True)
class AiMedOptions(SmallOptions):
    """Where weights come from, a LLaMA or a Baichuan, and the sizes of a model from nothing."""

    pieces: int = 1200
    context: int = 512


class AiMed(LanguageModelPlugin):
    """A causal model that reads documents and answers questions in English and Chinese."""

    Options = AiMedOptions

    def fresh(self, data: TrainData, spec: TrainSpec) -> Loaded:
        """Return a model of the preset's sizes and a tokenizer learned from the training texts."""
        return from_nothing(_texts(data), self.options, spec.seed)


def _texts(data: TrainData) -> Iterator[str]:
    for row in data.train:
        if isinstance(row, TrainPair):
            yield f"{row.prompt} {row.target}"
        elif isinstance(row, Document):
            yield row.text
