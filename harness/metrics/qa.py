"""Question answering: token F1 and exact match after SQuAD's normalisation, and evidence F1.

A row has one reference an annotator, and beside it an annotation with its kind and its evidence. Evidence
is named by the ids of passages; a prediction read from a file may give their texts instead.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from harness import Example, Pairs, Prediction, Score

from .rows import outputs, references
from .statistics import mean, mean_score, weighted_score
from .text import bleu_rows, bleu_value, encode, rouge_lsum

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
MISSING = "\0missing"  # the `raw` of a prediction that a file does not have
FLOATING = "FLOAT SELECTED"  # how QASPER marks evidence that is a table or a figure


def normalised(text: str) -> str:
    """Return a text in lower case without ASCII punctuation, English articles and extra white space."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def token_overlap(answer: str, reference: str) -> tuple[float, float, float]:
    """Return precision, recall and F1 of the normalised words; all 0 where none is shared."""
    ours, theirs = normalised(answer).split(), normalised(reference).split()
    common = (Counter(ours) & Counter(theirs)).total()
    if not common:
        return 0.0, 0.0, 0.0
    precision, recall = common / len(ours), common / len(theirs)
    return precision, recall, 2 * precision * recall / (precision + recall)


def _best(answer: str, accepted: Sequence[str]) -> tuple[float, int]:
    """Return the best F1 over references and the place of the first reference that gives it."""
    scores = [token_overlap(answer, reference)[2] for reference in accepted]
    best = max(scores)
    return best, scores.index(best)


@dataclass(frozen=True, slots=True)
class QasperF1:
    """QASPER's answer F1: the best annotator's token F1, meaned over questions."""

    name: str

    def __call__(self, pairs: Pairs) -> Score:
        """Return the mean over rows; the means by type of the best annotator's answer are details."""
        found = [_best(out, refs) for out, refs in zip(outputs(pairs), references(pairs), strict=True)]
        by_type: dict[str, list[float]] = {}
        missing = 0
        for (example, prediction), (value, place) in zip(pairs, found, strict=True):
            if is_missing(prediction):
                missing += 1
                continue
            if place < len(example.annotations):
                by_type.setdefault(example.annotations[place].kind, []).append(value)
        details = {kind: mean(values) for kind, values in sorted(by_type.items())}
        details["missing"] = float(missing)
        return mean_score(self.name, [value for value, _ in found], details=details)


def is_missing(prediction: Prediction) -> bool:
    """Return whether a row has no prediction at all, which is not the same as an empty answer."""
    return prediction.raw == MISSING


def rests_on(example: Example, prediction: Prediction) -> list[str]:
    """Return the ids of a prediction's evidence; what a file gives as texts is named by its passages."""
    ids = {passage.text: passage.id for passage in example.passages}
    return [ids.get(name, name) for name in prediction.evidence]


@dataclass(frozen=True, slots=True)
class QasperEvidenceF1:
    """QASPER's evidence F1: the best annotator's overlap of paragraphs, meaned over questions."""

    name: str
    text_only: bool = False

    def __call__(self, pairs: Pairs) -> Score:
        """Return the mean over rows; `text_only` leaves tables and figures out of what is wanted."""
        return mean_score(self.name, [self._value(example, prediction) for example, prediction in pairs])

    def _value(self, example: Example, prediction: Prediction) -> float:
        if is_missing(prediction):
            return 0.0
        texts = {passage.id: passage.text for passage in example.passages}
        wanted = [self._kept(annotation.evidence, texts) for annotation in example.annotations] or [[]]
        return max(_paragraph_f1(rests_on(example, prediction), evidence) for evidence in wanted)

    def _kept(self, evidence: Sequence[str], texts: Mapping[str, str]) -> list[str]:
        return [name for name in evidence if not (self.text_only and FLOATING in texts.get(name, name))]


def _paragraph_f1(found: Sequence[str], wanted: Sequence[str]) -> float:
    if not found and not wanted:
        return 1.0
    common = len(set(found) & set(wanted))
    if not common:
        return 0.0
    precision, recall = common / len(found), common / len(wanted)
    return 2 * precision * recall / (precision + recall)


@dataclass(frozen=True, slots=True)
class Squad:
    """SQuAD's exact match or token F1, the best over references; two empty texts are equal (SQuAD 2)."""

    name: str
    exact: bool = False

    def __call__(self, pairs: Pairs) -> Score:
        """Return the mean over rows."""
        rows = zip(outputs(pairs), references(pairs), strict=True)
        return mean_score(self.name, [max(self._value(out, ref) for ref in refs) for out, refs in rows])

    def _value(self, answer: str, reference: str) -> float:
        ours, theirs = normalised(answer), normalised(reference)
        if self.exact or not ours or not theirs:
            return float(ours == theirs)
        return token_overlap(answer, reference)[2]


@dataclass(frozen=True, slots=True)
class Mozi:
    """Mozi's own evaluation: the best precision, recall or F1 of words over the references, yes/no left out.

    `running` repeats a slip of its release: each reference is a term of the mean, with the best one up to it.
    """

    name: str
    part: int  # 0 precision, 1 recall, 2 F1
    running: bool = False

    def __call__(self, pairs: Pairs) -> Score:
        """Return the mean over the rows, or their references, that are no yes/no questions."""
        rows = zip(outputs(pairs), references(pairs), _yes_no(pairs), strict=True)
        values = [[] if yes_no else self._terms(out, refs) for out, refs, yes_no in rows]
        return weighted_score(self.name, [mean(terms) for terms in values], [len(terms) for terms in values])

    def _terms(self, answer: str, accepted: Sequence[str]) -> list[float]:
        best = list(accumulate((token_overlap(answer, ref)[self.part] for ref in accepted), max))
        return best if self.running else best[-1:]


@dataclass(frozen=True, slots=True)
class MoziBleu:
    """Mozi's mean sentence BLEU-4: white-space words, all references, no smoothing, yes/no left out."""

    name: str

    def __call__(self, pairs: Pairs) -> Score:
        """Return the mean over the rows that are no yes/no questions."""
        rows = bleu_rows(encode(pairs, "split"), 4).tolist() if len(pairs) else []
        values = [None if no else bleu_value(row) for row, no in zip(rows, _yes_no(pairs), strict=True)]
        return mean_score(self.name, values)


@dataclass(frozen=True, slots=True)
class MoziRouge:
    """Mozi's mean ROUGE-Lsum against the first reference, yes/no left out."""

    name: str

    def __call__(self, pairs: Pairs) -> Score:
        """Return the mean over the rows that are no yes/no questions."""
        rows = [(Example(e.id, e.inputs, e.references[:1]), p) for e, p in pairs]
        values = rouge_lsum(Pairs(rows)).per_example or ()
        return mean_score(
            self.name, [None if no else v for v, no in zip(values, _yes_no(pairs), strict=True)]
        )


def _yes_no(pairs: Pairs) -> list[bool]:
    return [any(first.kind == "boolean" for first in example.annotations[:1]) for example, _ in pairs]


qasper_f1 = QasperF1("qasper-f1")
qasper_evidence_f1 = QasperEvidenceF1("qasper-evidence-f1")
qasper_evidence_f1_text = QasperEvidenceF1("qasper-evidence-f1@text", text_only=True)
squad_em = Squad("squad-em", exact=True)
squad_f1 = Squad("squad-f1")
mozi_precision = Mozi("mozi-precision", 0)
mozi_recall = Mozi("mozi-recall", 1)
mozi_f1 = Mozi("mozi-f1", 2)
mozi_precision_running = Mozi("mozi-precision@running", 0, running=True)
mozi_recall_running = Mozi("mozi-recall@running", 1, running=True)
mozi_f1_running = Mozi("mozi-f1@running", 2, running=True)
mozi_bleu = MoziBleu("mozi-bleu")
mozi_rouge_lsum = MoziRouge("mozi-rouge-lsum")
