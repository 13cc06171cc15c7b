"""Ranks that say how sure they are.

All rows of a table are resampled with the same draws of test rows, so resamples of two rows are paired:
their differences, how often a row is best, and the range of ranks it takes all come from one table.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from harness.scoring.statistics import holm

ALPHA = 0.05
SMALLEST_P = 1e-6  # a standard error from 2,000 draws supports no smaller one
MEDALS = ("gold", "silver", "bronze")

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Entrant:
    """One row's value of one measure, with its paired resamples where the measure has any."""

    value: float
    draws: Floats | None
    rows: int  # test rows behind the value


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row stands. Without resamples there is an order by value, and nothing is tested."""

    rank: int
    rank_range: tuple[int, int] | None = None
    best_share: float | None = None  # of the resamples in which it is the best, ties shared
    p_next: float | None = None  # against the next row down, corrected for all neighbours
    medal: str = ""
    group: int = 0  # rows of one group cannot be told from the best of them


def difference(a: Entrant, b: Entrant) -> tuple[float, float, float]:
    """Return a minus b, its standard error over paired resamples, and a two-sided p-value."""
    gap = a.value - b.value
    if a.draws is None or b.draws is None:
        return gap, math.nan, math.nan
    draws = a.draws - b.draws
    draws = draws[~np.isnan(draws)]
    error = float(draws.std()) if len(draws) else math.nan
    if math.isnan(error):
        return gap, error, math.nan
    if error < 1e-7 * max(1.0, abs(a.value), abs(b.value)):  # kept resamples have seven digits
        # Either the same, or every single row differs alike: then the exact sign test is the answer.
        return gap, 0.0, 1.0 if abs(gap) < 1e-6 else min(1.0, 2.0 ** (1 - a.rows))
    return gap, error, max(SMALLEST_P, math.erfc(abs(gap) / error / math.sqrt(2)))


def places(entrants: Mapping[str, Entrant], *, higher_is_better: bool) -> dict[str, Place]:
    """Rank rows by one measure."""
    sign = 1.0 if higher_is_better else -1.0
    order = sorted(entrants, key=lambda name: (-sign * entrants[name].value, name))
    ranks = _ranks([entrants[name].value for name in order])
    if len(order) < 2 or any(entrants[name].draws is None for name in order):
        return {name: Place(rank) for name, rank in zip(order, ranks, strict=True)}
    ranges, best = _ranges([entrants[name] for name in order], sign)
    next_down = _neighbours([entrants[name] for name in order])
    groups = _groups([entrants[name] for name in order])
    return {
        name: Place(
            rank=ranks[i],
            rank_range=ranges[i],
            best_share=best[i],
            p_next=next_down[i],
            medal=MEDALS[groups[i]] if groups[i] < len(MEDALS) and groups[-1] > 0 else "",
            group=groups[i],
        )
        for i, name in enumerate(order)
    }


def _ranks(values: Sequence[float]) -> list[int]:
    """Return 1-based ranks of sorted values; equal ones share the better rank."""
    found: list[int] = []
    for i, value in enumerate(values):
        found.append(found[-1] if i and value == values[i - 1] else i + 1)
    return found


def _ranges(rows: Sequence[Entrant], sign: float) -> tuple[list[tuple[int, int]], list[float]]:
    """Return each row's range of ranks over the middle 95 % of resamples, and how often it is best."""
    table = np.stack([row.draws for row in rows if row.draws is not None])
    table = sign * np.where(np.isnan(table), -np.inf * sign, table)
    resamples = table.shape[1]
    ranked = np.empty(table.shape, dtype=np.int32)
    for column in range(resamples):
        ordered = np.sort(table[:, column])
        ranked[:, column] = len(rows) - np.searchsorted(ordered, table[:, column], side="right") + 1
    low, high = np.quantile(ranked, [ALPHA / 2, 1 - ALPHA / 2], axis=1, method="inverted_cdf")
    top = ranked == 1
    shares = (top / top.sum(axis=0)).mean(axis=1)
    return [(int(a), int(b)) for a, b in zip(low, high, strict=True)], [float(share) for share in shares]


def _neighbours(rows: Sequence[Entrant]) -> list[float | None]:
    """Test each row against the next one down; all these p-values are corrected together."""
    raw = [difference(rows[i], rows[i + 1])[2] for i in range(len(rows) - 1)]
    return [*holm([1.0 if math.isnan(p) else p for p in raw]), None]


def _groups(rows: Sequence[Entrant]) -> list[int]:
    """Number groups of ties: a row joins while it cannot be told from the group's best row."""
    found: list[int] = []
    start, group = 0, 0
    while start < len(rows):
        raw = [difference(rows[start], row)[2] for row in rows[start + 1 :]]
        adjusted = holm([1.0 if math.isnan(p) else p for p in raw])
        size = 1 + next((i for i, p in enumerate(adjusted) if p < ALPHA), len(adjusted))
        found += [group] * size
        start, group = start + size, group + 1
    return found


def win_rates(values: Mapping[str, Sequence[float]], higher: Sequence[bool]) -> tuple[Floats, Floats]:
    """Return, for rows complete in all measures, who wins how often over whom, and Borda points.

    `wins[i, j]` is the share of measures in which row i beats row j, ties counting half.
    """
    table = np.array(list(values.values()), dtype=np.float64) * np.where(higher, 1.0, -1.0)
    wins = np.zeros((len(table), len(table)))
    for column in table.T:
        wins += (column[:, None] > column[None, :]) + 0.5 * (column[:, None] == column[None, :])
    np.fill_diagonal(wins, 0.0)
    return wins / table.shape[1], wins.sum(axis=1)


def unstable(names: Sequence[str], wins: Floats) -> list[tuple[str, str, str]]:
    """Leave each row out in turn; return (left out, row, row that it then overtakes or meets)."""
    total = wins.sum(axis=1)
    found = []
    for gone in range(len(names)):
        kept = [i for i in range(len(names)) if i != gone]
        before, after = total[kept], (total - wins[:, gone])[kept]
        order = sorted(range(len(kept)), key=lambda i: (-before[i], names[kept[i]]))
        for upper, lower in pairwise(order):
            if before[upper] > before[lower] + 1e-9 and after[upper] < after[lower] - 1e-9:
                found.append((names[gone], names[kept[lower]], names[kept[upper]]))
    return found


def normalised(value: float, zero: float, one: float) -> float:
    """Place a value between two fixed points: 0 and 100."""
    return 100.0 * (value - zero) / (one - zero)
