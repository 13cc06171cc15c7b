"""The stages of training: what is particular to each way of learning.

Their entries are here, and cheap; a stage's own module is imported when it is chosen.
"""

from __future__ import annotations

from harness.api import Conversation, Document, Preference, PromptRow, StageEntry, TrainPair

PREFERENCES = "preferences"
PREFERRED = ("accuracy", "margin")  # on pairs that are held out


def entries() -> list[StageEntry]:
    """Return the stages that come with the harness."""
    return [
        StageEntry(
            "pretrain",
            "predict every token of documents, or pairs in both directions",
            f"{__name__}.supervised:Pretraining",
            requires=("torch",),
            rows=(Document, TrainPair),
            begins=True,
        ),
        StageEntry(
            "sft",
            "say the wanted answer (supervised fine-tuning)",
            f"{__name__}.supervised:FineTuning",
            requires=("torch",),
            rows=(TrainPair, Conversation),
            begins=True,
        ),
        StageEntry(
            "reward",
            "say of two answers which is better: a model with a number for an answer",
            f"{__name__}.reward:Reward",
            requires=("torch",),
            rows=(Preference,),
            task=PREFERENCES,
            answers=False,
            facts=PREFERRED,
        ),
        StageEntry(
            "dpo",
            "prefer the better of two answers more than a reference does (DPO)",
            f"{__name__}.preference:Dpo",
            requires=("torch",),
            rows=(Preference,),
            task=PREFERENCES,
            inputs={"reference": ""},
            facts=PREFERRED,
        ),
        StageEntry(
            "orpo",
            "learn the better of two answers and its odds, without a reference (ORPO)",
            f"{__name__}.preference:Orpo",
            requires=("torch",),
            rows=(Preference,),
            task=PREFERENCES,
            facts=PREFERRED,
        ),
        *(
            StageEntry(
                name,
                summary,
                f"{__name__}.{target}",
                rows=(PromptRow,),
                task=PREFERENCES,
                inputs={"reward": "reward", "reference": ""},
                facts=("reward",),
            )
            for name, summary, target in (
                ("ppo", "earn more by one's answers, with a value head (PPO)", "ppo:Ppo"),
                ("rloo", "earn more than by the other answers, each an action (RLOO)", "groups:Rloo"),
                ("grpo", "earn more than the group of answers, token by token (GRPO)", "groups:Grpo"),
            )
        ),
    ]
