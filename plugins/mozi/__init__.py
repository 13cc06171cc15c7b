"""mozi: a LLaMA or Baichuan that reads papers, with low-rank adapters and evidence in its prompt."""

from pathlib import Path

from harness import ModelEntry, PromptFormat, hookimpl

PROMPT = PromptFormat("mozi", "### Evidence:\n{evidence}\n\n### Instruction:\n{question}\n\n### Response:\n")


@hookimpl
def harness_models() -> list[ModelEntry]:
    """Return Mozi."""
    return [
        ModelEntry(
            "mozi",
            "LLaMA or Baichuan with low-rank adapters that answers from the evidence it is shown",
            f"{__name__}.model:Mozi",
            requires=("torch", "transformers"),
            recipes=Path(__file__).parent / "recipes",
            presets=("tiny", "llama-7b", "baichuan-7b", "llama-7b-pretrain", "baichuan-7b-pretrain"),
            multitask=True,
            stages=("*",),
            tags=("papers", "question-answering", "retrieval"),
            licence="Apache-2.0",
        )
    ]


@hookimpl
def harness_prompt(model: str, task: str) -> PromptFormat | None:
    """Ask about papers as Mozi was taught to; a choice of yes and no has a wording of its own."""
    asked = model == "mozi" and task.startswith("qasper") and task != "qasper/yes-no"
    return PROMPT if asked else None
