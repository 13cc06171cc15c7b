"""Cards of molecule and property metrics."""
# ruff: noqa: E501 - cards are prose

from __future__ import annotations

from dataclasses import replace
from typing import Any

from harness.api import MetricEntry

from .card import NOTATION, UNREPEATABLE, VOTES, entry

_MOLECULE = "One SMILES word with at least one atom is an answer; empty or invalid scores 0."
_READINGS = {
    "molt5": "RDKit's reading ('' is a molecule, a second word a name); invalid answers are left out.",
    "lpm24": "RDKit's reading ('' is a molecule, a second word a name); invalid answers score 0.",
    "ada-t5": "RDKit's reading; invalid answers are left out; Morgan as 2,048 bits instead of counts.",
}
_TANIMOTO = "Mean Tanimoto similarity of {} of answer and first reference. "


def molecules() -> list[MetricEntry]:
    """Return the cards of molecule metrics."""

    def card(name: str, summary: str, module: str = "chemistry", **facts: Any) -> MetricEntry:
        reads = (NOTATION,) if facts.get("reference_free") else ("references", NOTATION)
        return entry(module, name, summary, kind="molecule", **{"reads": reads} | facts)

    found = [
        card(
            "smiles-bleu",
            "corpus BLEU-4 of characters",
            definition="As bleu-4 over the characters of the strings as they are.",
            edge_cases="As bleu-4.",
            source="MolT5 mol_translation_metrics (Edwards et al., 2022)",
            silence_wins=True,
        ),
        card(
            "levenshtein",
            "mean edit distance",
            definition="Single-character edits between the strings as they are, meaned over all rows.",
            edge_cases="Invalid and empty answers count; an empty answer costs the reference's length, which a long "
            "wrong answer can exceed.",
            source="MolT5 mol_translation_metrics",
            higher_is_better=False,
            range=(0.0, None),
            scale=1.0,
            silence_wins=True,
        ),
        card(
            "validity",
            "share of answers that are molecules",
            reference_free=True,
            target="harness.metrics.chemistry:validity_strict",
            definition="RDKit parses the answer, which is one word and has an atom.",
            edge_cases="Empty, of several words, or beyond RDKit's limits in time and memory: no molecule.",
            source="ours",
        ),
        card(
            "validity@molt5",
            "share of answers that RDKit parses",
            reference_free=True,
            definition="RDKit parses the answer.",
            edge_cases="'' is a molecule of no atoms and valid; text behind white space is a name and ignored.",
            source="MolT5, LPM-24, ada-T5",
            silence_wins=True,
        ),
        card(
            "molecule-exact",
            "share of exact molecules (InChI)",
            definition="Answer and first reference have the same InChI; where InChI has none, the same canonical SMILES.",
            edge_cases=_MOLECULE + " Some tautomers share an InChI.",
            source="ours, after MolT5",
            vote=VOTES["inchi"],
        ),
        card(
            "molecule-exact@molt5",
            "share of equal InChI",
            definition="Answer and first reference have the same InChI.",
            edge_cases="Molecules without InChI, such as any two with a dummy atom, count as equal.",
            source="MolT5 mol_translation_metrics",
        ),
        card(
            "canonical-exact",
            "share of exact molecules (canonical SMILES)",
            definition="Answer and first reference have the same canonical SMILES, stereo included.",
            edge_cases=_MOLECULE,
            source="ours",
            vote=VOTES["molecules"],
        ),
    ]
    kinds = {
        "maccs": "the 167 MACCS keys",
        "rdk": "RDKit's path fingerprint (1-7 bonds, 2,048 bits)",
        "morgan": "the Morgan fingerprint (radius 2, counts)",
    }
    for kind, what in kinds.items():
        card_of_kind = card(
            kind,
            f"mean {kind.upper() if kind != 'morgan' else 'Morgan'} similarity",
            definition=_TANIMOTO.format(what) + _MOLECULE,
            edge_cases="Two fingerprints without a bit, as of single ions, are alike only if the molecules are the "
            "same. Rows whose reference is no molecule are left out.",
            source="ours, after MolT5 fingerprint_metrics",
        )
        found.append(card_of_kind)
        for origin, reading in _READINGS.items():
            found.append(
                replace(
                    card_of_kind,
                    name=f"{kind}@{origin}",
                    summary=f"{card_of_kind.summary} as {origin} has it",
                    target=f"{card_of_kind.target}_{origin.replace('-', '_')}",
                    definition=_TANIMOTO.format(what) + reading,
                    edge_cases="Two fingerprints without a bit are alike (1), whatever RDKit's version says"
                    + ("." if origin == "lpm24" else "; no valid answer: no value."),
                    source={"molt5": "MolT5, MolReGPT", "lpm24": "LPM-24", "ada-t5": "ada-T5"}[origin],
                    silence_wins=origin != "lpm24",
                )
            )
    distance: dict[str, Any] = {
        "range": (0.0, None),
        "scale": 1.0,
        "higher_is_better": False,
        "silence_wins": True,
    }
    return [
        *found,
        card(
            "uniqueness",
            "distinct molecules over valid answers",
            reference_free=True,
            definition="Distinct canonical SMILES of the valid answers over the number of valid answers.",
            edge_cases=f"No valid answer: no value. Says how varied answers are, not how good. {UNREPEATABLE}",
            source="ours, after MOSES",
            silence_wins=True,
        ),
        card(
            "uniqueness@lpm24",
            "distinct strings over valid answers",
            reference_free=True,
            definition="Distinct strings of the answers that RDKit parses over their number.",
            edge_cases=f"'' counts as valid. No valid answer: no value. {UNREPEATABLE}",
            source="LPM-24 example script",
            silence_wins=True,
        ),
        card(
            "novelty",
            "share of distinct molecules not seen in training",
            reads=("training", NOTATION),
            definition="Distinct canonical SMILES of valid answers that no training target has, over all distinct ones.",
            edge_cases="No training data or no valid answer: no value. No interval: distinct answers are no sample of rows.",
            source="MOSES (Polykovskiy et al., 2020)",
            silence_wins=True,
        ),
        card(
            "fcd",
            "Fréchet ChemNet distance (fcd 1.1)",
            "fcd",
            definition="Distance between ChemNet's activations of valid references and valid answers: 350 positions, "
            "only what stands before the first dot.",
            edge_cases="Fewer than two molecules on a side: no value. 512 or fewer different answers: noted, since the "
            "covariance is singular. Invalid and empty answers are left out. No interval: each resample would need the "
            "square root of a 512 x 512 covariance, a tenth of a second ten thousand times.",
            source="fcd 1.1 (Preuer et al., 2018); weights of the PyPI package fcd",
            **distance,
        ),
        card(
            "fcd@1.2",
            "Fréchet ChemNet distance (fcd 1.2)",
            "fcd",
            definition="As fcd, with the whole string and each side padded to its own longest one.",
            edge_cases="On ChEBI-20 5 to 20 times fcd, because the two sides are padded differently.",
            source="fcd 1.2.2",
            **distance,
        ),
    ]


def properties() -> list[MetricEntry]:
    """Return the cards of LPM-24's property metrics."""

    def card(name: str, summary: str, **facts: Any) -> MetricEntry:
        return entry("properties", name, summary, kind="property", **facts)

    files = (
        "Needs SciBERT's vocabulary and LPM-24's nested_props.json and withheld_combos.txt, found by digest."
    )
    overall = replace(
        card("lpm24-overall", "mean gain over MolT5-Small", reads=("references", "inputs")),
        target="harness.metrics.overall:lpm24_overall",
        definition="Generation: gains of eight metrics over MolT5-Small's published scores, in percentage points "
        "(edit distance and FCD in their own units), over all rows and over those with a held-out pair.",
        edge_cases="A metric without a value leaves none. The reference points, FCD 17.628 among them, are fixed, so "
        f"a score never depends on who else entered. {files}",
        source="LPM-24, with fixed reference points",
        range=(None, None),
        scale=1.0,
        silence_wins=True,
    )
    return [
        card(
            "lpm24-properties",
            "mean F1 over the property tree",
            definition="A caption has a property when the SciBERT pieces of its name occur in it. F1 of each of 3,447 "
            "properties, meaned over sub-categories, four categories, and overall.",
            edge_cases=f"0/0 is left out of means; a group without any value counts as 1. {files} No interval: properties "
            "of few rows vanish from resamples and from the means, which lifts them (28.3 over the rows of one file "
            "of 21,805, 28.0 to 34.1 over its resamples).",
            source="LPM-24 (Edwards et al., 2024)",
        ),
        card(
            "lpm24-combos",
            "F1 of held-out property pairs",
            definition="Both properties of a pair in the caption, over all rows and 18,093 pairs together.",
            edge_cases=f"No pair in any reference or answer: no value. {files}",
            source="LPM-24",
        ),
        overall,
        replace(
            overall,
            name="lpm24-overall@published",
            summary="mean gain over MolT5-Small, values left out where there are none",
            target="harness.metrics.overall:lpm24_overall_published",
            edge_cases="A metric without a value is left out of the mean, so that an undefined FCD, the worst there "
            f"is, can raise the score. {files}",
            source="LPM-24's final table (Edwards et al., 2024)",
        ),
        replace(
            overall,
            name="lpm24-overall-captions",
            summary="mean gain of captions over MolT5-Small",
            target="harness.metrics.overall:lpm24_overall_captions",
            definition="Captions: gains over MolT5-Small's published scores in percentage points, meaned over six text "
            "metrics, property F1 overall, of four categories and twelve sub-categories, and F1 of held-out pairs.",
            edge_cases=f"A metric without a value leaves none; the reference points are fixed. {files}",
        ),
    ]
