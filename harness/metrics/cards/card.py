"""What the cards of several families say alike."""

from __future__ import annotations

import re
from typing import Any

from harness.api import MetricEntry

WORDS = (
    "Words by rule: control characters and accents dropped, lower-cased; a run of letters and digits, "
    "a punctuation mark or a Chinese ideograph is a word."
)
TOKENISATIONS = {
    "scibert": "SciBERT word pieces, at most 512, [PAD] [CLS] [SEP] dropped (MolT5, LPM-24, ada-T5).",
    "t5": "T5 sentence pieces, not cut short (MolReGPT).",
    "split": "What stands between white space.",
    "zh": "Characters without white space.",
    "jieba": "Words as jieba finds them.",
}
NEEDS = {"t5": ("sentencepiece",), "jieba": ("jieba",)}
SEVERAL = "Of several references the best one counts."
UNREPEATABLE = "No interval: drawing rows again repeats answers, and so makes any set look less varied."
NOTATION = "meta[notation]"  # `selfies` where a molecule is not written as SMILES
VOTES = {
    name: f"harness.metrics.votes:{name}"
    for name in ("text", "words", "choices", "first_letter", "molecules", "inchi")
}
EMPTY_ZERO = "An empty answer scores 0. "


def entry(module: str, name: str, summary: str, **facts: Any) -> MetricEntry:
    """Return a card; `facts` are fields of MetricEntry."""
    attribute = re.sub(r"[-@.]", "_", name)
    usual: dict[str, Any] = {"target": f"harness.metrics.{module}:{attribute}", "scale": 100.0}
    return MetricEntry(name, summary, **usual | facts)
