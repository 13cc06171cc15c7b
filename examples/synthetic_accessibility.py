"""synthetic-accessibility: how hard the answered molecules are to make, from 1 (easy) to 10 (hard)."""

from __future__ import annotations

from harness import MetricEntry, Pairs, Score, hookimpl

HARDEST = 10.0


@hookimpl
def harness_metrics() -> list[MetricEntry]:
    return [
        MetricEntry(
            "synthetic-accessibility",
            "mean SAscore of the answers, lower is easier to make",
            f"{__name__}:synthetic_accessibility",
            requires=("rdkit",),
            higher_is_better=False,
            range=(1.0, HARDEST),
            reference_free=True,
            kind="molecule",
            definition="common fragments lower it, size and odd rings raise it; mean over rows",
            edge_cases="an answer that is no molecule scores 10, the hardest; no rows: undefined",
            source="Ertl and Schuffenhauer, J. Cheminf. 1:8 (2009), as RDKit computes it",
        )
    ]


def synthetic_accessibility(pairs: Pairs) -> Score:
    scores = tuple(accessibility(prediction.text) for _, prediction in pairs)
    mean = sum(scores) / len(scores) if scores else None
    return Score("synthetic-accessibility", mean, len(scores), scores)


def accessibility(text: str) -> float:
    # Here, because listing plugins should load neither RDKit nor its table of fragments.
    from rdkit.Contrib.SA_Score import sascorer

    from harness.chem.smiles import molecule

    found = molecule(text)
    score = None if found is None else sascorer.calculateScore(found)
    return HARDEST if score is None else float(score)
