"""What is compared and how it learns, so that a command says only what it does otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

Settings = Mapping[str, object]

SAMPLES = 8  # answers to one request


class Ground(NamedTuple):
    """A task to learn on: what is chosen and compared by, what answers earn, and where its rows are from."""

    metric: str
    reward: Mapping[str, float]
    data: str = "sample"


GROUNDS: Mapping[str, Ground] = {
    "design/constraints": Ground("all-met-unseen", {"all-met": 1, "share-met": 0.5}, "fresh:2026"),
    "lpm24/text2smiles": Ground("molecule-exact", {"molecule-exact": 1, "morgan": 1}),
}

GENTLE: Settings = {
    "train.optimizer": "adamw",
    "train.weight_decay": 0,
    "train.schedule": "constant",
    "train.warmup_steps": 0,
    "train.eval_every": "none",
    "train.prompt_loss": "false",
}

STAGES: Mapping[str, Settings] = {
    "grpo": {
        **GENTLE,
        "train.learning_rate": 1.5e-4,
        "train.batch_tokens": 4096,
        "train.max_steps": 100,
        "train.save_every": 10,
        "train.options.prompts": 32,
        "train.options.samples": SAMPLES,
        "train.options.supervised": 0.1,
        "train.options.max_new_tokens": 64,
    },
    "dpo": {**GENTLE, "train.learning_rate": 1e-5, "train.max_steps": 30},
}

ANSWERS: Settings = {
    "generate.decoder": "sampling",
    "generate.n_best": SAMPLES,
}  # that preferences are made of


def control(rate: str, steps: int, *, looks: int) -> dict[str, object]:
    """Return more supervised fine-tuning that harms as little as it can.

    The rate falls, and what is kept is the step of the least validation loss.
    """
    return {
        "train.optimizer": "adamw",
        "train.learning_rate": rate,
        "train.schedule": "linear",
        "train.warmup_steps": 0.05,
        "train.max_steps": steps,
        "train.eval_every": max(1, steps // looks) if looks else "none",
    }


def given(settings: Settings) -> list[str]:
    """Return settings as a command takes them."""
    return [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]


def as_reward(weights: Mapping[str, float]) -> str:
    """Return what answers earn as a setting."""
    return "{" + ", ".join(f"{name}={weight:g}" for name, weight in weights.items()) + "}"
