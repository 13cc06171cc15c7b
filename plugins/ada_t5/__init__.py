"""ada-t5: a T5 adapted to molecules by pretraining on pseudo-captions, then fine-tuned per direction."""

from pathlib import Path

from harness import ModelEntry, hookimpl


@hookimpl
def harness_models() -> list[ModelEntry]:
    """Offer the model."""
    return [
        ModelEntry(
            "ada-t5",
            "T5 for molecules and captions: pseudo-data pretraining, then fine-tuning per direction",
            f"{__name__}.model:AdaT5",
            requires=("torch", "transformers", "sentencepiece", "google.protobuf"),
            recipes=Path(__file__).parent / "recipes",
            presets=("tiny", "tiny-ada", "tiny-aug", "small", "small-ada", "small-aug", "base"),
            stages=("*",),
            tags=("molecule", "encoder-decoder", "cpu", "gpu"),
            licence="Apache-2.0",
            citation="Chen et al., From Artificially Real to Real, AAAI 2024",
        )
    ]
