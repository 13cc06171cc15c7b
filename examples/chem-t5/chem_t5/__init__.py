"""chem-t5: a byte-level T5 for any text-to-text task."""

from pathlib import Path

from harness import ModelEntry, hookimpl


@hookimpl
def harness_models() -> list[ModelEntry]:
    return [
        ModelEntry(
            "chem-t5",
            "byte-level T5 with random weights",
            f"{__name__}.model:ChemT5",
            requires=("torch", "transformers"),
            recipes=Path(__file__).parent / "recipes",
            presets=("tiny",),
        )
    ]
