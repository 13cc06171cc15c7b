"""How numbers are written in every form of a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

OVERALL_METRIC: Mapping[str, Any] = {
    "name": "overall",
    "scale": 1.0,
    "digits": 1,
    "higher_is_better": True,
    "silence_wins": False,
    "ranked": True,
    "summary": "mean of the ranked metrics, each placed between an empty answer (0) and the references (100)",
}
DASH = "–"


def number(value: float | None, metric: Mapping[str, Any]) -> str:
    """Write a value in the metric's scale."""
    return DASH if value is None else f"{value * metric['scale']:.{digits(metric)}f}"


def digits(metric: Mapping[str, Any]) -> int:
    """Return the decimals that a metric is shown with."""
    return int(metric.get("digits", 1 if metric["scale"] == 100 else 2))


def spread(cell: Mapping[str, Any], metric: Mapping[str, Any]) -> str:
    """Write half the width of a cell's interval, or nothing."""
    bounds = cell.get("interval")
    return f"±{number((bounds[1] - bounds[0]) / 2, metric)}" if bounds else ""


def with_spread(cell: Mapping[str, Any], metric: Mapping[str, Any]) -> str:
    """Write a value with its interval."""
    return " ".join(filter(None, (number(cell["value"], metric), spread(cell, metric))))


def rank_range(cell: Mapping[str, Any]) -> str:
    """Write the ranks that a row can take: `1–3`, or the rank alone where nothing was resampled."""
    if cell["rank"] is None:
        return DASH
    bounds = cell.get("rank_range")
    if not bounds:
        return str(cell["rank"])
    return str(bounds[0]) if bounds[0] == bounds[1] else f"{bounds[0]}–{bounds[1]}"


def heading(metric: Mapping[str, Any]) -> str:
    """Write a metric's name, with an arrow where lower is better."""
    return str(metric["name"]) + ("" if metric["higher_is_better"] else " ↓")


def p_value(value: float | None) -> str:
    """Write a p-value; below a ten-thousandth only that it is."""
    if value is None:
        return DASH
    return "<0.0001" if value < 1e-4 else f"{value:.2g}"


def share(part: int | None, whole: int) -> str:
    """Write a share in percent; a few of many are never rounded away to nothing."""
    if part is None or not whole:
        return DASH
    percent = 100 * part / whole
    if 0 < percent < 0.1:
        return "<0.1 %"
    if 99.9 < percent < 100:
        return ">99.9 %"
    return f"{percent:.1f} %"


def seconds(value: float | None) -> str:
    """Write a time span."""
    if value is None:
        return DASH
    if value < 0.5:
        return "<1 s"
    if value < 120:
        return f"{value:.0f} s"
    return f"{value / 60:.0f} min" if value < 7200 else f"{value / 3600:.1f} h"


def big(value: int | None) -> str:
    """Write a count of parameters."""
    if value is None:
        return DASH
    for unit, size in (("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return str(value)
