"""Tiny models that answer while they learn, and judges who know the best answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from harness import GenerateSpec, MetricEntry, PromptRow, Request, TrainData, TrainSpec, decoding, training
from harness.api.example import Completion

from .conftest import OFFSET, encode_causal, encode_seq2seq, llama

CAUSAL = SimpleNamespace(eos_token_id=2, pad_token_id=0, bos_token_id=1)
SEQ2SEQ = SimpleNamespace(eos_token_id=1, pad_token_id=0, bos_token_id=None)


def text_of(ids: Sequence[int]) -> str:
    """One character a token, which encodes to the same token again."""
    return "".join(chr(token + OFFSET) for token in ids)


def learner(model: Any = None, **more: Any) -> training.Learner:
    model = model if model is not None else llama()
    causal = not model.config.is_encoder_decoder
    tokenizer = CAUSAL if causal else SEQ2SEQ

    def read(request: Request) -> dict[str, list[int]]:
        ids = [ord(letter) - OFFSET for letter in request.prompt]
        return {"input_ids": [1, *ids] if causal else [*ids, 1]}

    def sample(model: Any, requests: Sequence[Request], asking: GenerateSpec) -> Iterator[Any]:
        return decoding.sample(model, tokenizer, requests, asking, encode=read, decode=text_of)

    encode = encode_causal if causal else encode_seq2seq
    pad = {"labels": -100}
    return training.Learner(model, encode, save, pad, request=read, sample=sample, **more)


def save(model: Any, folder: Any) -> None:
    model.save_pretrained(folder)


class Knowing:
    """Judges an answer by its share of x, by what it repeats of the prompt, and by its silence."""

    metrics: Mapping[str, MetricEntry] = {
        "x": MetricEntry("x", "", ""),
        "copied": MetricEntry("copied", "", ""),
        "silent": MetricEntry("silent", "", "", silence_wins=True, higher_is_better=False, range=(0.0, None)),
        "corpus": MetricEntry("corpus", "", ""),
    }

    def __init__(self, prompts: Sequence[str]) -> None:
        self.prompts = dict(enumerate(prompts))

    def __call__(self, completions: Sequence[Completion]) -> list[dict[str, float]]:
        return [self._judged(one.text, self.prompts[int(one.request_id)]) for one in completions]

    def _judged(self, text: str, prompt: str) -> dict[str, float]:
        right = sum(a == b for a, b in zip(text, prompt, strict=False))
        found = {"copied": right / max(len(prompt), len(text)), "silent": float(len(text))}
        return found | ({"x": text.count("x") / len(text)} if text else {})


def prompts(texts: Sequence[str]) -> TrainData:
    rows = [PromptRow(Request(str(place), text)) for place, text in enumerate(texts)]
    return TrainData(rows, judge=Knowing(texts))


BANDIT = TrainSpec(
    "grpo",
    reward="metric:x",
    max_steps=40,
    learning_rate=1e-2,
    batch_size=64,
    max_length=16,
    save_every=1000,
    options={"prompts": 4, "samples": 8, "max_new_tokens": 2},
)
