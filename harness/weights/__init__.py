"""Weights as files: converted, merged, quantised, grown by words. Importing this imports nothing heavy."""

from harness.api import VerbEntry, hookimpl


@hookimpl
def harness_verbs() -> list[VerbEntry]:
    """Return the verb that makes weights of weights."""
    return [
        VerbEntry(
            "weights",
            "convert, merge, quantise weights, or grow their vocabulary",
            f"{__name__}.verb:Weights",
            requires=("torch", "transformers"),
            examples=(
                "run-bench weights convert ./chatglm3-6b ./glm",
                "run-bench weights merge runs/trained/aimed/KEY ./merged",
                "run-bench weights quantise ./merged ./small --to nf4 --text held-out.txt",
                "run-bench weights grow ./llama ./llama-zh --text corpus.txt --pieces 2236 --words 1000",
            ),
        )
    ]
