"""LPM-24's overall scores: the mean gain over MolT5-Small's published scores, which never move.

Shares gain in percentage points, edit distance and FCD in their own units, as published. MolT5-Small's
FCD is undefined; the published table took the worst entrant's in its place, which was MolT5-Large's and
stays fixed here, so that a score never depends on who else entered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness import DataError, MissingDependency, Pairs, Score

from . import chemistry, fcd, properties, text
from .properties import lpm24
from .rows import shared, undefined
from .statistics import mean

Points = Mapping[str, float]

# Over all rows, and over the rows whose description has a held-out pair.
MOLECULES: Points = {
    "smiles-bleu": 0.5544013031412994,
    "molecule-exact@molt5": 0.0,
    "levenshtein": 57.20568676908966,
    "validity@molt5": 0.8102728731942215,
    "maccs@lpm24": 0.6305763678323959,
    "rdk@lpm24": 0.5682855772779128,
    "morgan@lpm24": 0.3668649394173688,
    "fcd": 17.62825406930954,
    "Combo smiles-bleu": 0.5696274310461934,
    "Combo molecule-exact@molt5": 0.0,
    "Combo levenshtein": 72.43829475802762,
    "Combo validity@molt5": 0.9188546336108315,
    "Combo maccs@lpm24": 0.8103359337353132,
    "Combo rdk@lpm24": 0.7336338094735436,
    "Combo morgan@lpm24": 0.4159826395075451,
    "Combo fcd": 17.62825406930954,
}
CAPTIONS: Points = {
    "bleu-2@scibert": 0.6682253182679389,
    "bleu-4@scibert": 0.48285237845874995,
    "rouge-1": 0.7280180593334239,
    "rouge-2": 0.5443678547036,
    "rouge-l": 0.5332590661169105,
    "meteor@scibert": 0.6813818935186478,
    "F-1 Overall": 0.03228382215794559,
    "F-1 Biomedical": 0.07870968077453899,
    "F-1 Human Interaction and Organoleptics": 0.0027303374460589227,
    "F-1 Agriculture and Industry": 0.016515821248016958,
    "F-1 Light and electricity": 0.031179449163167477,
    "F-1 Agriculture and Industry__icides": 0.0,
    "F-1 Human Interaction and Organoleptics__toxin": 0.0,
    "F-1 Light and electricity__lights": 0.062358898326334955,
    "F-1 Light and electricity__electros": 0.0,
    "F-1 Biomedical__inhibitors": 0.0006094964335143192,
    "F-1 Biomedical__antis": 0.0,
    "F-1 Biomedical__modulators": 0.0,
    "F-1 Biomedical__antagonists": 0.0,
    "F-1 Biomedical__treatments": 0.016649751905976912,
    "F-1 Biomedical__agonists": 0.0,
    "F-1 Biomedical__cancer": 0.1799417942942787,
    "F-1 Biomedical__disease": 0.41093180734858425,
    "lpm24-combos": 0.6506194941241116,
}
_FALLING = ("levenshtein", "fcd")  # less is better, and not a share


def gains(points: Points, scores: Mapping[str, float | None]) -> dict[str, float | None]:
    """Return what each score gains over its point, None where there is no score."""
    found: dict[str, float | None] = {}
    for name, point in points.items():
        score = scores[name]
        falls = name.removeprefix("Combo ") in _FALLING
        found[name] = None if score is None else point - score if falls else 100 * (score - point)
    return found


@dataclass(frozen=True, slots=True)
class Overall:
    """The mean of the gains; `lenient` leaves out scores without a value, as the published table did."""

    name: str
    points: Points
    measure: Callable[[Pairs], dict[str, Score]]
    lenient: bool = False

    def __call__(self, pairs: Pairs) -> Score:
        """Return the mean gain, with each gain as a detail."""
        if not len(pairs):
            return undefined(self.name, 0, "no rows")
        try:
            scores = self.measure(pairs)
        except (DataError, MissingDependency) as error:
            return undefined(self.name, len(pairs), f"{error.message}; {error.hint}")
        found = gains(self.points, {name: score.value for name, score in scores.items()})
        without = [name for name, gain in found.items() if gain is None]
        note = "; ".join(f"{name} has no value: {scores[name].note}" for name in without)
        if without and not self.lenient:
            return undefined(self.name, len(pairs), note)
        return Score(self.name, mean(found.values()), len(pairs), details=found, note=note)


def of_molecules(pairs: Pairs) -> dict[str, Score]:
    """Score generated molecules over all rows, and over those whose description has a held-out pair."""
    metrics: tuple[Callable[[Pairs], Score], ...] = (
        chemistry.smiles_bleu,
        chemistry.molecule_exact_molt5,
        chemistry.levenshtein,
        chemistry.validity_molt5,
        chemistry.maccs_lpm24,
        chemistry.rdk_lpm24,
        chemistry.morgan_lpm24,
        fcd.fcd,
    )
    held_out = _held_out(pairs)
    parts = (("", pairs), ("Combo ", held_out))
    scores = [(part, metric(rows)) for part, rows in parts for metric in metrics]
    return {part + score.metric: score for part, score in scores}


def _held_out(pairs: Pairs) -> Pairs:
    task = lpm24(pairs)
    found = task.matcher.find([" ".join(example.inputs.values()) for example, _ in pairs])
    chosen = [row for row, names in zip(pairs, found, strict=True) if task.combos_in(names)]
    return Pairs(chosen, vocab=pairs.vocab, cache={"shared": shared(pairs)})


def of_captions(pairs: Pairs) -> dict[str, Score]:
    """Score captions: their text, each recorded category's property F1, and held-out pairs."""
    metrics: tuple[Callable[[Pairs], Score], ...] = (
        text.bleu_2_scibert,
        text.bleu_4_scibert,
        text.rouge_1,
        text.rouge_2,
        text.rouge_l,
        text.meteor_scibert,
        properties.lpm24_combos,
    )
    lpm24(pairs)  # an absent file is named once and for all
    scores = {score.metric: score for score in (metric(pairs) for metric in metrics)}
    for name, value in properties.lpm24_properties(pairs).details.items():
        if name in CAPTIONS:
            scores[name] = Score(name, value, len(pairs))
    return scores


lpm24_overall = Overall("lpm24-overall", MOLECULES, of_molecules)
lpm24_overall_published = Overall("lpm24-overall@published", MOLECULES, of_molecules, lenient=True)
lpm24_overall_captions = Overall("lpm24-overall-captions", CAPTIONS, of_captions)
