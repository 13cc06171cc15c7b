"""Metrics of open requests: a molecule is judged by what was asked, not by a reference.

All of them hear one judge (`harness.chem.constraints.judge`). Whatever is no whole molecule has nothing
of what is asked, so that no empty, broken or patched-up answer ever gains. Rows that ask for nothing, as
those of other tasks do, are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from harness import Example, Pairs, Score, Terms
from harness.chem.constraints import Constraint, Verdict, judge, read_constraints

from .molecules import answers, store
from .rows import cached, undefined
from .statistics import mean, mean_score

MIXED = "a whole molecule is one piece without charge, radicals, isotopes or dummy atoms"
ONCE = "no request is asked twice; --set task.repeats=8 asks each 8 times, of a decoder that samples"


def verdicts(pairs: Pairs) -> list[Verdict]:
    """Return what each row's answer has of what is asked."""

    def hear() -> list[Verdict]:
        molecules = store(pairs)
        rows = zip(pairs, answers(pairs), strict=True)
        return [judge(asked_of(example), molecules[text]) for (example, _), text in rows]

    return cached(pairs.cache, "verdicts", hear)


def asked_of(example: Example) -> tuple[Constraint, ...]:
    """Return what a row asks; nothing where it is of another task."""
    return read_constraints(example.meta["constraints"]) if "constraints" in example.meta else ()


@dataclass(frozen=True, slots=True)
class AllMet:
    """Share of answers that have everything that is asked; `combination` keeps rows of one kind."""

    name: str
    combination: str = ""

    def __call__(self, pairs: Pairs) -> Score:
        """Return the mean over the rows that count of has everything (1) or not (0)."""
        rows = zip(pairs, verdicts(pairs), strict=True)
        values = [float(v.all_met) if v.met and self._counts(example) else None for (example, _), v in rows]
        return mean_score(self.name, values, note=_note(pairs))

    def explain(self, pairs: Pairs, score: Score) -> Terms:
        """Return what is asked, one by one, with what the answer has of it."""
        return _terms(pairs)

    def _counts(self, example: Example) -> bool:
        return not self.combination or example.meta.get("combination") == self.combination


@dataclass(frozen=True, slots=True)
class ShareMet:
    """Mean share of what is asked that answers have."""

    name: str

    def __call__(self, pairs: Pairs) -> Score:
        """Return the mean over all rows."""
        shares = [verdict.share if verdict.met else None for verdict in verdicts(pairs)]
        return mean_score(self.name, shares, note=_note(pairs))

    def explain(self, pairs: Pairs, score: Score) -> Terms:
        """Return what is asked, one by one, with what the answer has of it."""
        return _terms(pairs)


def _terms(pairs: Pairs) -> Terms:
    (example, _), verdict = pairs[0], verdicts(pairs)[0]
    if not verdict.sound:
        return [("whole molecule", "no, so nothing of what is asked")]
    mol = store(pairs)[answers(pairs)[0]].mol
    return [
        (
            f"{asked.measure} {asked.name or asked.of}".rstrip(),
            f"{asked.measured(mol):g}, asked {asked.ends}: {'met' if met else 'not met'}",
        )
        for asked, met in zip(asked_of(example), verdict.met, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class DistinctAnswers:
    """Distinct whole molecules over the answers to one request that is asked several times."""

    name: str

    def __call__(self, pairs: Pairs) -> Score:
        """Return the mean over requests; without repeats it has no value."""

        def share(rows: list[int]) -> float:
            return len(set(_whole(pairs, rows))) / len(rows)

        return _over_requests(self.name, pairs, share)


@dataclass(frozen=True, slots=True)
class MetOnce:
    """Share of requests that at least one of several answers meets."""

    name: str

    def __call__(self, pairs: Pairs) -> Score:
        """Return the share of requests; without repeats it has no value."""
        heard = verdicts(pairs)
        return _over_requests(self.name, pairs, lambda rows: float(any(heard[row].all_met for row in rows)))


def _over_requests(name: str, pairs: Pairs, value: Callable[[list[int]], float]) -> Score:
    """Mean a value of the places of a request's answers over requests."""
    places: dict[str, list[int]] = {}
    for place, ((example, _), verdict) in enumerate(zip(pairs, verdicts(pairs), strict=True)):
        if verdict.met:
            places.setdefault(str(example.meta.get("request", example.id)), []).append(place)
    if all(len(rows) == 1 for rows in places.values()):
        return undefined(name, len(pairs), ONCE)
    return Score(name, mean(map(value, places.values())), len(pairs))


def _whole(pairs: Pairs, rows: list[int]) -> Iterator[str]:
    """Yield the canonical SMILES of the answers in these places that are whole molecules."""
    molecules, texts, heard = store(pairs), answers(pairs), verdicts(pairs)
    return (molecules.ask(texts[row], "canonical") for row in rows if heard[row].sound)


def _note(pairs: Pairs) -> str:
    """Say how many answers are molecules and yet not whole, or nothing."""
    molecules = store(pairs)
    rows = zip(answers(pairs), verdicts(pairs), strict=True)
    odd = sum(not v.sound and bool(v.met) and bool(text) and molecules[text].valid for text, v in rows)
    return f"{odd} answers are molecules and not whole ({MIXED})" if odd else ""


all_met = AllMet("all-met")
all_met_unseen = AllMet("all-met-unseen", "unseen")
share_met = ShareMet("share-met")
distinct_answers = DistinctAnswers("distinct-answers")
met_once = MetOnce("met-once")
