"""The stage: a softmax over all paragraphs of a batch, of which one answers each question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from harness.retrieval.encoder import TextEncoder
from harness.training import Loss, Shape, Stage

COSINE_SCALE = 20.0  # by which cosines are multiplied: a softmax of numbers up to 1 could hardly choose


class BiEncoder(nn.Module):
    """Both encoders as one module. A line holds a question and its paragraphs, told apart by `segments`.

    Segment 1 is the question, 2 the paragraph that answers it, 3 and on are others of the same paper; 0
    is padding.
    """

    def __init__(self, questions: TextEncoder, texts: TextEncoder) -> None:
        super().__init__()
        self.questions, self.texts = questions, texts
        self.question_encoder, self.answer_encoder = questions.model, texts.model
        self.question_layer, self.answer_layer = questions.layer, texts.layer
        self.config = texts.model.config
        self.scale = COSINE_SCALE if texts.reading.normalise else 1.0

    def forward(self, input_ids: Tensor, segments: Tensor, **others: Tensor) -> tuple[Tensor, Tensor]:
        """Return the score of each paragraph for each question, and the place of the right one."""
        asked: list[list[int]] = []
        offered: list[list[int]] = []
        right: list[int] = []
        for ids, marks in zip(input_ids.tolist(), segments.tolist(), strict=True):
            pieces = _pieces(ids, marks)
            asked.append(pieces[0])
            right.append(len(offered))
            offered += pieces[1:]
        scores = self.scale * self.of_questions(asked) @ self.of_texts(offered).T
        return scores.float().masked_fill(
            _repeats(offered, right).to(scores.device), -torch.inf
        ), torch.tensor(right, device=scores.device)

    def of_questions(self, asked: Sequence[Sequence[int]]) -> Tensor:
        """Return the vectors of questions."""
        return self.questions.forward(asked)

    def of_texts(self, offered: Sequence[Sequence[int]]) -> Tensor:
        """Return the vectors of paragraphs."""
        return self.texts.forward(offered)


class Layered(BiEncoder):
    """Encoders that stay as they are, with a layer upon the questions' vectors that learns.

    A text is one token of a line: its number among those whose vectors are known.
    """

    def __init__(self, questions: TextEncoder, texts: TextEncoder, asked: Tensor, offered: Tensor) -> None:
        layer = questions.with_layer()  # before modules are counted
        super().__init__(questions, texts)
        self.requires_grad_(False)
        layer.requires_grad_(True)
        self.asked, self.offered = asked, offered

    def of_questions(self, asked: Sequence[Sequence[int]]) -> Tensor:
        """Return what the layer makes of questions' vectors, of their encoder's length again."""
        known = self.asked[[number for (number,) in asked]].to(self.question_encoder.device)
        vectors: Tensor = self.questions.with_layer()(known)
        return nn.functional.normalize(vectors, dim=-1) if self.questions.reading.normalise else vectors

    def of_texts(self, offered: Sequence[Sequence[int]]) -> Tensor:
        """Return the vectors of paragraphs as they were embedded."""
        return self.offered[[number for (number,) in offered]].to(self.question_encoder.device)


def _pieces(ids: Sequence[int], marks: Sequence[int]) -> list[list[int]]:
    pieces: list[list[int]] = [[] for _ in range(max(marks))]
    for token, mark in zip(ids, marks, strict=True):
        if mark:
            pieces[mark - 1].append(token)
    return pieces


def _repeats(offered: Sequence[Sequence[int]], right: Sequence[int]) -> Tensor:
    """Mark, for each question, other places that hold its own right paragraph once more."""
    same = [[list(text) == list(offered[place]) for text in offered] for place in right]
    mask = torch.tensor(same)
    mask[torch.arange(len(right)), torch.tensor(right)] = False
    return mask


class RankingStage(Stage):
    """InfoNCE over the paragraphs of a batch."""

    def shape_of(self, *, causal: bool) -> Shape:
        """A row is one line, and weighs 1."""
        return Shape(causal=True, tokens_weigh=False)

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Loss:
        """Return the cross-entropy of the right paragraphs, and how often they come first."""
        scores, right = model(**batch)
        loss = nn.functional.cross_entropy(scores, right, reduction="sum")
        first = (scores.argmax(dim=1) == right).sum().float()
        return Loss(loss, float(len(right)), {"first": first})
