"""Cards of S²-Bench's own three numbers."""
# ruff: noqa: E501 - cards are prose

from __future__ import annotations

from dataclasses import replace

from harness import MetricEntry

_READS = (
    "RDKit reads the answer, a text behind white space being a name; an empty one is none, as in a CSV file"
)
_CARD = MetricEntry(
    "success@s2-bench",
    "success rate as S²-Bench has it",
    f"{__package__}.metrics:success",
    scale=100.0,
    kind="design",
    definition=f"{_READS}; and every number that the row asks for is right: exact counts of atoms, bonds and SMARTS, one "
    "more or less than the given molecule has, or a property beyond the given molecule's.",
    edge_cases="Mixtures and charged or odd molecules count. Bonds that are asked 0 times are not looked at. A molecule "
    "beyond RDKit's limits is none. Rows without a request are left out.",
    source="S²-Bench evaluate.py (github.com/phenixace/S2-TOMG-Bench, df70b90)",
)
CARDS = (
    _CARD,
    replace(
        _CARD,
        name="validity@s2-bench",
        summary="share of answers that RDKit reads",
        target=f"{__package__}.metrics:validity",
        definition=f"{_READS}; mean over rows.",
        edge_cases="A molecule beyond RDKit's limits counts as none.",
    ),
    replace(
        _CARD,
        name="similarity@s2-bench",
        summary="mean similarity to the given molecule",
        target=f"{__package__}.metrics:similarity",
        silence_wins=True,
        definition="Tanimoto similarity of Morgan fingerprints (radius 2, 2,048 bits) of the given molecule and the answer; "
        "mean over the answers that RDKit reads.",
        edge_cases="Other answers are left out; none: no value. Whoever returns the given molecule has 1: read it beside "
        "success.",
    ),
)
