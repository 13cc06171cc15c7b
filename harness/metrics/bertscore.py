"""BERTScore: how alike the words of an answer and a reference are in an encoder that the user names.

Each token is matched with the one most like it on the other side, by the cosine of their states in one
layer of the encoder; precision and recall are means over tokens, without weights and without rescaling.
The encoder is a folder named by HARNESS_BERTSCORE. Its layer is the one that the method's authors chose for
models of its kind and depth, or the last.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModel, AutoTokenizer

from harness import DataError, Example, Pairs, Score

from .rows import outputs, references
from .statistics import mean_score

ENCODER = "HARNESS_BERTSCORE"
LAYERS = {("roberta", 24): 17, ("roberta", 12): 10, ("xlm-roberta", 24): 17, ("xlm-roberta", 12): 9,
          ("bert", 24): 18, ("bert", 12): 9, ("distilbert", 6): 5}  # fmt: skip
LONGEST = 512  # tokens
AT_ONCE = 32  # pairs


@dataclass(frozen=True, slots=True)
class BertScore:
    """The mean F1 of rows: the best reference, or the first alone; yes/no questions may be left out."""

    name: str
    mozi: bool = False

    def __call__(self, pairs: Pairs) -> Score:
        """Return the mean over rows; without an encoder there is none, and it says what to do."""
        encoder = named_encoder()
        asked = [refs[:1] if self.mozi else refs for refs in references(pairs)]
        texts = [(out, ref) for out, refs in zip(outputs(pairs), asked, strict=True) for ref in refs]
        found = iter(encoder.compare(texts))
        values: list[float | None] = [max((next(found) for _ in refs), default=0.0) for refs in asked]
        if self.mozi:
            values = [None if _is_yes_no(e) else value for (e, _), value in zip(pairs, values, strict=True)]
        return replace(mean_score(self.name, values), note=f"encoder: {encoder.told}")


def _is_yes_no(example: Example) -> bool:
    return any(first.kind == "boolean" for first in example.annotations[:1])


def named_encoder() -> Encoder:
    """Open the encoder that the environment names."""
    folder = os.environ.get(ENCODER, "")
    if not folder:
        raise DataError("no encoder is named", hint=f"{ENCODER}=FOLDER names one, such as roberta-large")
    if not (Path(folder) / "config.json").is_file():
        raise DataError(f"there is no encoder in {folder}", hint=f"{ENCODER}=FOLDER names another")
    return opened(folder)


@lru_cache(maxsize=1)
def opened(folder: str) -> Encoder:
    """Open an encoder once a process."""
    return Encoder(Path(folder))


class Encoder:
    """The states of an encoder's tokens."""

    def __init__(self, folder: Path) -> None:
        try:
            self.tokenizer: Any = AutoTokenizer.from_pretrained(folder)
            self.model: Any = AutoModel.from_pretrained(folder).eval()
        except (OSError, ValueError) as error:
            raise DataError(
                f"no encoder can be loaded from {folder}: {str(error).splitlines()[0]}",
                hint=f"{ENCODER}=FOLDER names another",
            ) from error
        depth = self.model.config.num_hidden_layers
        self.layer = LAYERS.get((self.model.config.model_type, depth), depth)
        self.special = [self.tokenizer.cls_token_id, self.tokenizer.sep_token_id]
        self.told = f"{folder.name}, layer {self.layer} of {depth}"

    def compare(self, texts: Sequence[tuple[str, str]]) -> list[float]:
        """Return the F1 of each answer and reference, pairs of like length together."""
        order = sorted(range(len(texts)), key=lambda place: -sum(map(len, texts[place])))
        found = [0.0] * len(texts)
        with torch.inference_mode():
            for start in range(0, len(order), AT_ONCE):
                places = order[start : start + AT_ONCE]
                answers, wanted = (self.states([texts[place][side] for place in places]) for side in (0, 1))
                for place, value in zip(places, f1(answers, wanted), strict=True):
                    found[place] = value
        return found

    def states(self, texts: Sequence[str]) -> tuple[Tensor, Tensor, Tensor]:
        """Return unit vectors of tokens, which of them there are, and which of them count."""
        stripped = [text.strip() for text in texts]
        limit = min(LONGEST, self.tokenizer.model_max_length)
        read = self.tokenizer(stripped, padding=True, truncation=True, max_length=limit, return_tensors="pt")
        states = self.model(**read, output_hidden_states=True).hidden_states[self.layer]
        there = read["attention_mask"].bool()
        counted = there & ~torch.isin(read["input_ids"], torch.tensor(self.special))
        return torch.nn.functional.normalize(states, dim=-1), there, counted


def f1(answers: tuple[Tensor, Tensor, Tensor], wanted: tuple[Tensor, Tensor, Tensor]) -> list[float]:
    """Return the F1 of greedy matches; 0 where a side has no token that counts."""
    (ours, we, mine), (theirs, they, yours) = answers, wanted
    alike = (ours @ theirs.transpose(1, 2)) * (we[:, :, None] & they[:, None])
    precision = _mean(alike.amax(2), mine)
    recall = _mean(alike.amax(1), yours)
    both = 2 * precision * recall / (precision + recall).clamp(min=1e-12)
    values: list[float] = both.masked_fill(~(mine.any(1) & yours.any(1)), 0.0).tolist()
    return values


def _mean(values: Tensor, counted: Tensor) -> Tensor:
    return (values * counted).sum(1) / counted.sum(1).clamp(min=1)


bertscore = BertScore("bertscore")
mozi_bertscore = BertScore("mozi-bertscore", mozi=True)
