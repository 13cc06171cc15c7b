"""The stages of training: what is particular to each way of learning.

Their entries are here, and cheap; a stage's own module is imported when it is chosen.
"""

from __future__ import annotations

from harness.api import Conversation, Document, StageEntry, TrainPair


def entries() -> list[StageEntry]:
    """Return the stages that come with the harness."""
    return [
        StageEntry(
            "pretrain",
            "predict every token of documents, or pairs in both directions",
            f"{__name__}.supervised:Pretraining",
            rows=(Document, TrainPair),
        ),
        StageEntry(
            "sft",
            "say the wanted answer (supervised fine-tuning)",
            f"{__name__}.supervised:FineTuning",
            rows=(TrainPair, Conversation),
        ),
    ]
