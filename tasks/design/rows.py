"""Rows of requests, dealt out to splits by the combinations of things that they ask for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from random import Random

from harness.chem.constraints import Constraint

from .asking import Pairs, choose


@dataclass(frozen=True, slots=True)
class Row:
    """A request, one molecule of many that meet it, and the molecule to change, where one is given.

    `wanted` says in words what the constraints ask, where our own words are not to be used.
    """

    id: str
    constraints: tuple[Constraint, ...]
    answer: str = ""
    combination: str = ""
    given: str = ""
    wanted: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A molecule and what could be asked so that it is a right answer, by what that is about.

    `given` is the molecule to change, where there is one, and has what is `held` already.
    """

    answer: str
    can: Mapping[str, Constraint]
    given: str = ""
    held: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Plan:
    """How many rows of which combinations a split has, and how many things a row asks for."""

    sizes: Mapping[str, Mapping[str, int]]
    asked: tuple[int, ...]
    withheld: Mapping[str, Pairs]  # split -> pairs of things that its unseen rows ask for and no other split


def deal(rng: Random, candidates: Mapping[str, Iterator[Candidate]], plan: Plan) -> dict[str, list[Row]]:
    """Turn each split's candidates into its rows; no request occurs twice."""
    requests: set[tuple[str, frozenset[Constraint]]] = set()
    withheld = frozenset[frozenset[str]]().union(*plan.withheld.values())
    splits: dict[str, list[Row]] = {}
    for split, sizes in plan.sizes.items():
        rows = splits[split] = []
        for combination, size in sizes.items():
            wanted = plan.withheld[split] if combination == "unseen" else frozenset()
            for candidate, constraints in islice(
                _asked(rng, candidates[split], plan.asked, wanted, withheld - wanted, requests), size
            ):
                name = f"{split}-{len(rows):05d}"
                rows.append(Row(name, constraints, candidate.answer, combination, candidate.given))
    return splits


def _asked(
    rng: Random,
    candidates: Iterator[Candidate],
    counts: tuple[int, ...],
    wanted: Pairs,
    barred: Pairs,
    requests: set[tuple[str, frozenset[Constraint]]],
) -> Iterator[tuple[Candidate, tuple[Constraint, ...]]]:
    for candidate in candidates:
        count = counts[int(rng.random() * len(counts))]
        chosen = choose(rng, candidate.can, count, wanted, barred)
        constraints = tuple(candidate.can[thing] for thing in chosen)
        request = (candidate.given, frozenset(constraints))
        if not candidate.held.issuperset(chosen) and request not in requests:
            requests.add(request)
            yield candidate, constraints
