"""toy: a letter-by-letter substitution learned by counting. Standard library only, done in milliseconds."""

from pathlib import Path

from harness import ModelEntry, hookimpl


@hookimpl
def harness_models() -> list[ModelEntry]:
    """Offer the toy model."""
    return [
        ModelEntry(
            "toy",
            "learns which letter stands for which by counting; proves a pipeline in under a second",
            f"{__name__}.model:Toy",
            recipes=Path(__file__).parent / "recipes",
            presets=("tiny",),
            tags=("toy", "cpu"),
            licence="Apache-2.0",
        )
    ]
