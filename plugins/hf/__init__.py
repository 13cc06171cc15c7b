"""hf: any causal or encoder-decoder model that transformers loads, asked as it is or fine-tuned."""

from pathlib import Path

from harness import ModelEntry, hookimpl


@hookimpl
def harness_models() -> list[ModelEntry]:
    """Offer the model."""
    return [
        ModelEntry(
            "hf",
            "any causal or encoder-decoder model of transformers: a folder, a GGUF file or a hub id",
            f"{__name__}.model:HuggingFace",
            requires=("torch", "transformers"),
            recipes=Path(__file__).parent / "recipes",
            presets=("eval", "full", "lora", "qlora"),
            files=("weights", "adapter"),
            known_by="weights",
            stages=("*",),
            tags=("any-model", "cpu", "gpu"),
            licence="that of the weights",
        )
    ]
