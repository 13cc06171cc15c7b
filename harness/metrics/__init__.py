"""Bundled metrics: text, molecules, properties, question answering and choices."""

from harness.api import MetricEntry, hookimpl

_TEXT = (
    *("bleu-2", "bleu-4", "rouge-1", "rouge-2", "rouge-l", "rouge-lsum", "meteor", "chrf", "exact-match"),
    *("distinct-1", "distinct-2", "bleu-2@scibert", "bleu-4@scibert", "meteor@scibert"),
)
_MOLECULES = (
    *("smiles-bleu", "validity", "molecule-exact", "canonical-exact", "maccs", "rdk", "morgan"),
    *("uniqueness", "novelty", "validity@molt5", "molecule-exact@molt5", "maccs@molt5", "rdk@molt5"),
    *("morgan@molt5", "maccs@lpm24", "rdk@lpm24", "morgan@lpm24", "levenshtein"),
)


def _entry(name: str, module: str, kind: str) -> MetricEntry:
    attribute = name.replace("-", "_").replace("@", "_")
    if name == "validity":
        attribute = "validity_strict"
    falling = name == "levenshtein"
    return MetricEntry(
        name,
        name.replace("-", " "),
        f"harness.metrics.{module}:{attribute}",
        higher_is_better=not falling,
        range=(0.0, None if falling else 1.0),
        scale=1.0 if falling else 100.0,
        kind=kind,
    )


@hookimpl
def harness_metrics() -> list[MetricEntry]:
    """Offer the bundled metrics."""
    texts = [_entry(name, "text", "text") for name in _TEXT]
    return texts + [_entry(name, "chemistry", "molecule") for name in _MOLECULES]
