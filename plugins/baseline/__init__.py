"""baseline: what a model must beat. Four ways to answer without having understood anything."""

from harness import ModelEntry, hookimpl


@hookimpl
def harness_models() -> list[ModelEntry]:
    """Offer the baselines."""
    summaries = {
        "frequent": "always says the most frequent training answer, the most typical one where all differ",
        "nearest": "says the answer of the most similar training row (words, k-mers, Morgan of a SMILES)",
        "random": "says the answer of a training row drawn at random",
    }
    return [
        ModelEntry(
            f"baseline/{name}",
            summary,
            f"{__name__}.model:{name.capitalize()}",
            requires=("numpy",),
            tags=("baseline", "cpu"),
            licence="Apache-2.0",
        )
        for name, summary in summaries.items()
    ] + [
        ModelEntry(
            "baseline/passage",
            "says the first passage that it is shown, whatever is asked",
            f"{__name__}.model:FirstPassage",
            stages=(),
            chooses=False,
            tags=("baseline", "cpu"),
            licence="Apache-2.0",
        )
    ]
