"""Bundled metrics: text, molecules, properties, question answering and choices."""

from harness.api import MetricEntry, hookimpl


@hookimpl
def harness_metrics() -> list[MetricEntry]:
    """Offer the bundled metrics."""
    from .cards import entries  # here, because importing a helper module should not build all cards

    return entries()
