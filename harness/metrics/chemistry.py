"""Metrics of generated molecules: strings, identity, validity, variety, and fingerprint similarity.

A row's reference is its first one. Variants differ in what counts as an answer:
without suffix  one SMILES word; an empty or invalid answer scores nothing
`@molt5`        RDKit's reading ("" is a molecule, a second word is a name); invalid answers are left out
`@lpm24`        RDKit's reading; invalid answers score 0
`@ada-t5`       as `@molt5`, with Morgan fingerprints as 2,048 bits instead of counts
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cpdist
from rdkit import DataStructs

from harness import Pairs, Score, Terms
from harness.chem.molecules import Molecules

from . import terms
from .molecules import answers, is_plain, note, store, targets
from .rows import cached, shared, undefined
from .statistics import mean_score
from .text import Encoded, bleu_rows, bleu_score
from .tokens import lexicon

_HYDROGENS = re.compile(r"H\d*(?![a-z])|[+-]\d*$")


@dataclass(frozen=True, slots=True)
class SmilesBleu:
    """Corpus BLEU-4 over the characters of the strings as they are."""

    name: str

    def __call__(self, pairs: Pairs) -> Score:
        """Return the BLEU of all rows together."""
        if not len(pairs):
            return undefined(self.name, 0, "no rows")
        characters = lexicon("char", pairs)
        refs = targets(pairs)
        hyp, ref = characters.encode(answers(pairs)), characters.encode(refs)
        encoded = Encoded(hyp, ref, np.arange(len(refs)))
        return bleu_score(self.name, bleu_rows(encoded, 4))

    def explain(self, pairs: Pairs, score: Score) -> Terms:
        """Return the n-gram precisions of the characters."""
        return terms.bleu_terms(score)


@dataclass(frozen=True, slots=True)
class EditDistance:
    """Mean number of single-character edits between the strings as they are."""

    name: str

    def __call__(self, pairs: Pairs) -> Score:
        """Return the mean over all rows, invalid and empty ones included."""
        distances = cpdist(answers(pairs), targets(pairs), scorer=Levenshtein.distance, dtype=np.int64)
        return mean_score(self.name, [float(d) for d in distances], higher_is_better=False)

    def explain(self, pairs: Pairs, score: Score) -> Terms:
        """Return the edits by kind."""
        return terms.edit_terms(answers(pairs)[0], targets(pairs)[0])


@dataclass(frozen=True, slots=True)
class Validity:
    """Share of answers that are molecules."""

    name: str
    strict: bool = True

    def __call__(self, pairs: Pairs) -> Score:
        """Return the mean over rows of molecule (1) or not (0)."""
        valid = [float(v) for v in validity(pairs, strict=self.strict)]
        return mean_score(self.name, valid, note=note(pairs))

    def explain(self, pairs: Pairs, score: Score) -> Terms:
        """Return what RDKit makes of the answer."""
        valid = store(pairs)[answers(pairs)[0]].valid
        return [("RDKit", "reads a molecule" if valid else "reads no molecule")]


def validity(pairs: Pairs, *, strict: bool) -> list[bool]:
    """Return for each row whether RDKit reads a molecule; `strict` wants one word and at least an atom."""

    def read() -> list[bool]:
        molecules = store(pairs)
        return [molecules[text].valid for text in answers(pairs)]

    valid = cached(pairs.cache, "valid", read)
    if not strict:
        return valid
    return cached(
        pairs.cache,
        "valid-strict",
        lambda: [v and is_plain(text) for v, text in zip(valid, answers(pairs), strict=True)],
    )


@dataclass(frozen=True, slots=True)
class SameMolecule:
    """Share of answers that are the reference's molecule, by InChI or by canonical SMILES.

    `published` keeps the origin's rule that two molecules without an InChI, such as any two with a dummy
    atom, count as equal.
    """

    name: str
    question: str = "inchi"
    published: bool = False

    def __call__(self, pairs: Pairs) -> Score:
        """Return the mean over all rows of same (1) or not (0)."""
        molecules = store(pairs)
        valid = validity(pairs, strict=not self.published)
        rows = zip(answers(pairs), targets(pairs), valid, _elements_fit(pairs), strict=True)
        same = [float(v and fit and self._same(molecules, out, ref)) for out, ref, v, fit in rows]
        return mean_score(self.name, same, note=note(pairs))

    def explain(self, pairs: Pairs, score: Score) -> Terms:
        """Return what the two molecules are compared by."""
        sides = (("answer", answers(pairs)[0]), ("reference", targets(pairs)[0]))
        ask = store(pairs).ask
        return [(f"{self.question} of the {label}", f"{ask(text, self.question)}") for label, text in sides]

    def _same(self, molecules: Molecules, out: str, ref: str) -> bool:
        if out == ref:
            return True
        ours, theirs = molecules.ask(out, self.question), molecules.ask(ref, self.question)
        if not self.published and self.question == "inchi" and not ours and not theirs:
            ours, theirs = molecules.ask(out, "canonical"), molecules.ask(ref, "canonical")
        return ours is not None and bool(ours == theirs)


def _elements_fit(pairs: Pairs) -> list[bool]:
    """Return for each row whether both are molecules, and not of different heavy atoms.

    Those that do not fit differ in InChI, canonical SMILES and graph without asking for them.
    """

    def compare() -> list[bool]:
        molecules = store(pairs)
        rows = zip(answers(pairs), targets(pairs), strict=True)
        return [_fit(molecules, out, ref) for out, ref in rows]

    return cached(pairs.cache, "elements-fit", compare)


def _fit(molecules: Molecules, out: str, ref: str) -> bool:
    if not molecules[out].valid or not molecules[ref].valid:
        return False
    if out == ref:
        return True
    ours, theirs = _heavy_atoms(molecules, out), _heavy_atoms(molecules, ref)
    # Where InChI gives no answer (dummy atoms, no atoms, very large molecules) nothing is concluded.
    if not ours or not theirs or "*" in theirs:
        return True
    return ours == theirs or int(molecules.ask(ref, "atoms") or 0) >= 1000


def _heavy_atoms(molecules: Molecules, text: str) -> str:
    return _HYDROGENS.sub("", molecules.ask(text, "formula") or "")


@dataclass(frozen=True, slots=True)
class Similarity:
    """Mean Tanimoto similarity of the fingerprints of answer and reference.

    `kind` is maccs, rdk, morgan (counts) or morgan-bits; `invalid` says what an invalid answer does:
    `zero`, `skip`, or `strict` (0, as do an empty answer and one of several words).
    """

    name: str
    kind: str
    invalid: str = "strict"

    def __call__(self, pairs: Pairs) -> Score:
        """Return the mean over the rows that count; rows whose reference is no molecule never do."""
        molecules = store(pairs)
        published = self.invalid != "strict"
        valid = validity(pairs, strict=not published)
        readable = [molecules[ref].valid for ref in targets(pairs)]
        values = [
            None if not known else value if ok else (None if self.invalid == "skip" else 0.0)
            for value, ok, known in zip(
                similarities(pairs, self.kind, published), valid, readable, strict=True
            )
        ]
        unreadable = readable.count(False)
        left_out = f"{unreadable} references are not molecules and are left out" if unreadable else ""
        return mean_score(self.name, values, note="; ".join(filter(None, (left_out, note(pairs)))))

    def explain(self, pairs: Pairs, score: Score) -> Terms:
        """Return the features that the two molecules share and have alone."""
        ask = store(pairs).ask
        return terms.fingerprint_terms(ask(answers(pairs)[0], self.kind), ask(targets(pairs)[0], self.kind))


def similarities(pairs: Pairs, kind: str, published: bool) -> list[float]:
    """Return the Tanimoto similarity of each row, 0 where either side is no molecule.

    Two fingerprints without any bit are alike (1) in the published variants, whatever RDKit's version
    says; in ours only if the molecules are the same.
    """

    def compare() -> list[float]:
        molecules = store(pairs)
        rows = zip(answers(pairs), targets(pairs), _same_graphs(pairs), strict=True)
        return [_similarity(molecules, out, ref, same, kind, published) for out, ref, same in rows]

    return cached(pairs.cache, ("similarity", kind, published), compare)


def _similarity(molecules: Molecules, out: str, ref: str, same: bool, kind: str, published: bool) -> float:
    ours, theirs = molecules[out], molecules[ref]
    if not ours.valid or not theirs.valid:
        return 0.0
    if same and not (ours.empty and kind == "morgan"):
        return 1.0
    left, right = molecules.ask(out, kind), molecules.ask(ref, kind)
    if left is None or right is None:
        return 0.0
    if kind != "morgan" and not left.GetNumOnBits() and not right.GetNumOnBits():
        return 1.0 if published else 0.0
    return float(DataStructs.TanimotoSimilarity(left, right))


def _same_graphs(pairs: Pairs) -> list[bool]:
    """Return for each row whether the molecules are equal but for stereo, which no fingerprint here sees."""

    def compare() -> list[bool]:
        molecules = store(pairs)
        rows = zip(answers(pairs), targets(pairs), _elements_fit(pairs), strict=True)
        return [fit and (out == ref or _same_graph(molecules, out, ref)) for out, ref, fit in rows]

    return cached(pairs.cache, "same-graphs", compare)


def _same_graph(molecules: Molecules, out: str, ref: str) -> bool:
    if _has_isotopes(out) or _has_isotopes(ref):
        return False
    ours = molecules.ask(out, "flat")
    return ours is not None and bool(ours == molecules.ask(ref, "flat"))


def _has_isotopes(text: str) -> bool:
    return _ISOTOPE.search(text) is not None


_ISOTOPE = re.compile(r"\[\d")


@dataclass(frozen=True, slots=True)
class Uniqueness:
    """Distinct molecules over valid answers; `strings` counts distinct strings instead (as LPM-24 does)."""

    name: str
    strings: bool = False

    def __call__(self, pairs: Pairs) -> Score:
        """Return the share; it says how varied the answers are, not how good."""
        valid = _valid_answers(pairs, strict=not self.strings)
        if not valid:
            return undefined(self.name, len(pairs), "no valid answer")
        distinct = set(valid) if self.strings else set(_canonical(pairs, valid))
        return Score(self.name, len(distinct) / len(valid), len(pairs))


@dataclass(frozen=True, slots=True)
class Novelty:
    """Share of the distinct valid molecules that are not among the training targets."""

    name: str

    def __call__(self, pairs: Pairs) -> Score:
        """Return the share; without training data it has no value."""
        if pairs.training_targets is None:
            return undefined(self.name, len(pairs), "no training data to compare with")
        found = set(_canonical(pairs, _valid_answers(pairs, strict=True)))
        if not found:
            return undefined(self.name, len(pairs), "no valid answer")
        training = pairs.training_targets
        known = cached(shared(pairs), "training", lambda: _canonical_once(pairs, training()))
        return Score(self.name, len(found - known) / len(found), len(pairs))


def _valid_answers(pairs: Pairs, *, strict: bool) -> list[str]:
    rows = zip(answers(pairs), validity(pairs, strict=strict), strict=True)
    return [text for text, valid in rows if valid]


def _canonical(pairs: Pairs, texts: list[str]) -> Iterator[str]:
    """Yield canonical SMILES; a molecule that is too much for RDKit stands for itself."""
    molecules = store(pairs)
    for text in texts:
        if molecules[text].valid:
            yield molecules.ask(text, "canonical") or text


def _canonical_once(pairs: Pairs, texts: Iterable[str]) -> frozenset[str]:
    """Return the same of many texts that no other metric asks about, so that none is kept as a molecule."""
    ask = store(pairs).ask_once
    return frozenset(ask(text, "canonical") or text for text in texts)


smiles_bleu = SmilesBleu("smiles-bleu")
levenshtein = EditDistance("levenshtein")
validity_strict = Validity("validity")
validity_molt5 = Validity("validity@molt5", strict=False)
molecule_exact = SameMolecule("molecule-exact")
molecule_exact_molt5 = SameMolecule("molecule-exact@molt5", published=True)
canonical_exact = SameMolecule("canonical-exact", "canonical")
maccs = Similarity("maccs", "maccs")
rdk = Similarity("rdk", "rdk")
morgan = Similarity("morgan", "morgan")
maccs_molt5 = Similarity("maccs@molt5", "maccs", "skip")
rdk_molt5 = Similarity("rdk@molt5", "rdk", "skip")
morgan_molt5 = Similarity("morgan@molt5", "morgan", "skip")
maccs_lpm24 = Similarity("maccs@lpm24", "maccs", "zero")
rdk_lpm24 = Similarity("rdk@lpm24", "rdk", "zero")
morgan_lpm24 = Similarity("morgan@lpm24", "morgan", "zero")
maccs_ada_t5 = Similarity("maccs@ada-t5", "maccs", "skip")
rdk_ada_t5 = Similarity("rdk@ada-t5", "rdk", "skip")
morgan_ada_t5 = Similarity("morgan@ada-t5", "morgan-bits", "skip")
uniqueness = Uniqueness("uniqueness")
uniqueness_lpm24 = Uniqueness("uniqueness@lpm24", strings=True)
novelty = Novelty("novelty")
