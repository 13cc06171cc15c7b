"""Cards of metrics that judge a molecule by what was asked."""
# ruff: noqa: E501 - cards are prose

from __future__ import annotations

from typing import Any

from harness.api import MetricEntry

from .card import NOTATION, VOTES, entry

_WHOLE = (
    "Whole is one word that RDKit reads within its limits, of one piece with at least an atom, without charge left "
    "over, radicals, isotopes or dummy atoms; whatever else is answered has nothing of what is asked."
)
_CONSTRAINTS = "Rows without `constraints` in their `meta` are left out."
_REPEATS = (
    "Requests that are each asked once: no value. No interval: rows of one request are no sample of rows."
)


def designs() -> list[MetricEntry]:
    """Return the cards of design metrics."""

    def card(name: str, summary: str, *more: str, **facts: Any) -> MetricEntry:
        reads = ("meta[constraints]", *more, NOTATION)
        return entry("design", name, summary, kind="design", source="ours", reads=reads, **facts)

    return [
        card(
            "all-met",
            "share of answers that have everything asked",
            definition="The answer is a whole molecule and every constraint of the row holds: a measure (rings, atoms, "
            "matches of a SMARTS, weight, logP, polar surface, similarity …) lies between two ends, which count.",
            edge_cases=f"{_WHOLE} Whether a molecule is stable or can be made is not judged, nor whether all answers are "
            f"one and the same: read it beside distinct-answers. {_CONSTRAINTS}",
            vote=VOTES["molecules"],
        ),
        card(
            "all-met-unseen",
            "all-met where the combination asked for is unseen",
            "meta[combination]",
            definition="As all-met, over the rows that ask for two things together which no training row asks together.",
            edge_cases=f"Rows whose `meta` does not say `combination: unseen` are left out; none: no value. {_WHOLE}",
        ),
        card(
            "share-met",
            "mean share of what is asked that answers have",
            definition="Constraints of the row that hold over its constraints; mean over all rows.",
            edge_cases=f"{_WHOLE} Could be gamed by taking what is easy: a molecule returned unchanged is similar and keeps "
            "what it must keep, and a small one has no group that is unwanted. As a reward, put all-met beside it. "
            f"{_CONSTRAINTS}",
        ),
        card(
            "distinct-answers",
            "distinct molecules over the answers to one request",
            "meta[request]",
            definition="Distinct canonical SMILES of the whole molecules among the answers to a request, over the number of "
            "its answers; mean over requests.",
            edge_cases=f"Wrong molecules count, so it says how varied answers are, not how good. {_REPEATS}",
        ),
        card(
            "met-once",
            "share of requests that one of several answers meets",
            "meta[request]",
            definition="Requests for which at least one answer has everything asked, over all requests.",
            edge_cases=f"Grows with the number of answers: compare equal numbers only. {_WHOLE} {_REPEATS}",
        ),
    ]
