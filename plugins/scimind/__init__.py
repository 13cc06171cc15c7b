"""scimind: a LLaMA whose feed-forward neurons are experts, routed by modality."""

from pathlib import Path

from harness import ModelEntry, VerbEntry, hookimpl


@hookimpl
def harness_models() -> list[ModelEntry]:
    """Return SciMind."""
    return [
        ModelEntry(
            "scimind",
            "LLaMA with modality-routed experts for text, molecules, nucleotides and proteins",
            "harness.plugins.scimind.model:SciMind",
            requires=("torch", "transformers"),
            recipes=Path(__file__).parent / "recipes",
            presets=("tiny", "7b", "7b-lora", "7b-pretrain"),
            multitask=True,
            files=("weights", "partition"),
            stages=("*",),
            tags=("molecules", "proteins", "nucleotides", "mixture-of-experts"),
            licence="Apache-2.0",
        )
    ]


@hookimpl
def harness_verbs() -> list[VerbEntry]:
    """Return what is done with SciMind's weights."""
    return [
        VerbEntry(
            "convert",
            "convert SciMind's weights to and from MindSpore",
            f"{__name__}.verbs:Convert",
            requires=("torch", "transformers"),
            examples=(
                "run-bench convert scimind.ckpt folder --like llama-2-7b",
                "run-bench convert folder scimind.ckpt",
            ),
        ),
    ]
