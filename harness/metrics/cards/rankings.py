"""Cards of what a ranking of passages is worth."""

from __future__ import annotations

from harness.api import MetricEntry

from .card import entry

READS = ("annotations", "passages", "evidence")
ANNOTATORS = (
    "The best annotator counts; evidence that is no passage of the row does not, and a row without any has "
    "no value. Nothing right found: 0."
)


def rankings() -> list[MetricEntry]:
    """Return the cards of ranking metrics."""
    depths = (1, 2, 3, 4, 5, 6)
    names = (
        *(f"evidence-f1@{depth}" for depth in (*depths, "best")),
        *(f"recall@{depth}" for depth in depths),
        "mrr",
    )
    baselines = entry(
        "ranking",
        "evidence-f1@qasper-baselines",
        "mean evidence F1 of a passage that all annotators marked",
        kind="ranking",
        reads=READS,
        definition="F1 of the first passage, best over annotators; 0 unless each of them marked it.",
        edge_cases="All questions count. Marked tables and figures are not wanted.",
        source="script of QASPER's baselines (allenai/qasper-led-baseline)",
        ranked=False,
    )
    return [*(_card(name) for name in names), baselines]


def _card(name: str) -> MetricEntry:
    kind, _, depth = name.partition("@")
    summaries = {
        "evidence-f1": f"mean evidence F1 of the first {depth} passages",
        "recall": f"mean share of the evidence among the first {depth} passages",
        "mrr": "mean of one over the place of the first right passage",
    }
    summary = "mean over questions of the best evidence F1 at 1 to 6" if depth == "best" else summaries[kind]
    return entry(
        "ranking",
        name,
        summary,
        kind="ranking",
        reads=READS,
        definition=f"The {summary}; a prediction's evidence is a ranking, best first.",
        edge_cases=ANNOTATORS,
        source="QASPER evaluator's paragraph F1, at k" if kind == "evidence-f1" else "ours",
    )
