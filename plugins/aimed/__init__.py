"""aimed: a bilingual medical model in stages, pretrained, taught to answer and to prefer."""

from pathlib import Path

from harness import ModelEntry, hookimpl
from harness.api.notice import MEDICAL


@hookimpl
def harness_models() -> list[ModelEntry]:
    """Return AiMed."""
    return [
        ModelEntry(
            "aimed",
            "LLaMA or Baichuan taught medicine in stages: documents, answers, preferences",
            f"{__name__}.model:AiMed",
            requires=("torch", "transformers"),
            recipes=Path(__file__).parent / "recipes",
            presets=("tiny", "tiny-full", "7b", "13b", "7b-ppo", "7b-orpo", "7b-grpo"),
            multitask=True,
            stages=("*",),
            tags=("medicine", "question-answering"),
            licence="Apache-2.0",
            notice=MEDICAL,
        )
    ]
