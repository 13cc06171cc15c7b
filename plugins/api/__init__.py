"""api: any endpoint that speaks as OpenAI's does."""

from harness import ModelEntry, hookimpl


@hookimpl
def harness_models() -> list[ModelEntry]:
    """Offer the model."""
    return [
        ModelEntry(
            "api",
            "any OpenAI-compatible endpoint: chat or completions, with retries, limits, a budget and a cache",
            f"{__name__}.model:Api",
            files=(),
            known_by="name",
            stages=(),
            chooses=None,
            tags=("any-model", "remote"),
            licence="that of the service",
        )
    ]
