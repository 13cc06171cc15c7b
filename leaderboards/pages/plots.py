"""Plots as inline SVG without a library: every one has a text, and the table beside it has the numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .html import Html, h

WIDTH, LEFT, RIGHT = 760, 230, 30
ROW, TOP, BOTTOM = 24, 12, 34
SCATTER_HEIGHT = 320
MAX_ROWS = 40
MAX_LABEL = 30


@dataclass(frozen=True, slots=True)
class Point:
    """One row of a plot of scores."""

    label: str
    value: float
    low: float
    high: float
    href: str = ""
    strong: bool = False
    shown: str = ""


def intervals(points: Sequence[Point], title: str) -> Html:
    """Draw values with their intervals, one row each, the first rows of a long table."""
    shown = points[:MAX_ROWS]
    low, high = min(p.low for p in shown), max(p.high for p in shown)
    ticks = nice_ticks(low, high)
    low, high = min(low, ticks[0]), max(high, ticks[-1])
    height = TOP + ROW * len(shown) + BOTTOM

    def x(value: float) -> float:
        return LEFT + (value - low) / (high - low or 1.0) * (WIDTH - LEFT - RIGHT)

    parts = [*_grid(ticks, x, TOP, height - BOTTOM)]
    for i, point in enumerate(shown):
        y = TOP + ROW * i + ROW / 2
        label = h("text", _short(point.label), x=LEFT - 10, y=_f(y + 4), class_="label end")
        parts.append(h("a", label, href=point.href) if point.href else label)
        text = h("title", f"{point.label}: {point.shown}")
        kind = "strong" if point.strong else "weak"
        parts.append(
            h(
                "g",
                text,
                h("line", x1=_f(x(point.low)), x2=_f(x(point.high)), y1=_f(y), y2=_f(y), class_="whisker"),
                h("circle", cx=_f(x(point.value)), cy=_f(y), r=5, class_="dot"),
                class_=kind,
            )
        )
    note = f"; the first {MAX_ROWS} of {len(points)}" if len(points) > MAX_ROWS else ""
    return _figure(parts, height, f"{title}, with 95 % intervals{note}")


def scatter(points: Sequence[tuple[str, float, float, str]], title: str, axis: str) -> Html:
    """Draw quality against a cost on a logarithmic axis; points are (label, cost, quality, cost as text)."""
    costs = [math.log10(max(cost, 1e-3)) for _, cost, _, _ in points]
    left, right = math.floor(min(costs)), math.ceil(max(costs))
    right = max(right, left + 1)
    values = [value for _, _, value, _ in points]
    ticks = nice_ticks(min(values), max(values))
    low, high = min(*values, ticks[0]), max(*values, ticks[-1])
    bottom = SCATTER_HEIGHT - BOTTOM - 16

    def x(cost: float) -> float:
        return 60 + (cost - left) / (right - left) * (WIDTH - 60 - 140)

    def y(value: float) -> float:
        return bottom - (value - low) / (high - low or 1.0) * (bottom - TOP)

    parts = [
        h("line", x1=60, x2=WIDTH - 140, y1=_f(y(tick)), y2=_f(y(tick)), class_="grid") for tick in ticks
    ]
    parts += [h("text", f"{tick:g}", x=52, y=_f(y(tick) + 4), class_="tick end") for tick in ticks]
    parts += [
        h("text", _power(power), x=_f(x(power)), y=bottom + 18, class_="tick middle")
        for power in range(left, right + 1)
    ]
    parts.append(h("text", axis, x=_f((WIDTH - 80) / 2), y=bottom + 38, class_="tick middle"))
    for (label, _, value, shown), cost in zip(points, costs, strict=True):
        name = h("text", _short(label, 18), x=_f(x(cost) + 9), y=_f(y(value) + 4), class_="label")
        dot = h("circle", cx=_f(x(cost)), cy=_f(y(value)), r=5, class_="dot")
        few = len(points) <= MAX_ROWS  # more labels than that cover each other
        parts.append(
            h("g", h("title", f"{label}: {value:.1f}, {shown}"), dot, name if few else None, class_="strong")
        )
    return _figure(parts, SCATTER_HEIGHT, title)


def bars(rows: Sequence[tuple[str, float, str]], title: str) -> Html:
    """Draw one bar a metric, from an empty answer (0) to the references (100)."""
    height = TOP + ROW * len(rows) + BOTTOM

    def x(value: float) -> float:
        return LEFT + min(max(value, 0.0), 100.0) / 100 * (WIDTH - LEFT - RIGHT)

    parts = [*_grid([0.0, 25.0, 50.0, 75.0, 100.0], x, TOP, height - BOTTOM)]
    for i, (label, value, shown) in enumerate(rows):
        y = TOP + ROW * i
        parts.append(h("text", _short(label), x=LEFT - 10, y=_f(y + ROW / 2 + 4), class_="label end"))
        width = max(x(value) - LEFT, 1.0)
        bar = h("rect", x=LEFT, y=_f(y + 5), width=_f(width), height=ROW - 10, class_="bar")
        parts.append(h("g", h("title", f"{label}: {shown}"), bar))
    return _figure(parts, height, title)


def curves(series: Sequence[tuple[str, Sequence[tuple[float, float]]]], title: str) -> Html:
    """Draw learning curves: loss over steps, one line a row."""
    points = [point for _, line in series for point in line]
    last = max(step for step, _ in points) or 1.0
    ticks = nice_ticks(min(loss for _, loss in points), max(loss for _, loss in points))
    low, high = ticks[0], max(ticks[-1], max(loss for _, loss in points))
    bottom = SCATTER_HEIGHT - BOTTOM - 16

    def place(step: float, loss: float) -> str:
        x = 60 + step / last * (WIDTH - 60 - 160)
        return f"{_f(x)},{_f(bottom - (loss - low) / (high - low or 1.0) * (bottom - TOP))}"

    parts = []
    for tick in ticks:
        y = place(0, tick).partition(",")[2]
        parts.append(h("line", x1=60, x2=WIDTH - 160, y1=y, y2=y, class_="grid"))
        parts.append(h("text", f"{tick:g}", x=52, y=_f(float(y) + 4), class_="tick end"))
    for tick in nice_ticks(0.0, last):
        if tick <= last:
            x = place(tick, low).partition(",")[0]
            parts.append(h("text", f"{tick:g}", x=x, y=bottom + 18, class_="tick middle"))
    parts.append(h("text", "step", x=_f((WIDTH - 100) / 2), y=bottom + 38, class_="tick middle"))
    for i, (label, line) in enumerate(series):
        path = " ".join(place(step, loss) for step, loss in line)
        x, y = place(*line[-1]).split(",")
        parts.append(h("polyline", h("title", label), points=path, class_=f"curve c{i % 8}"))
        parts.append(
            h("text", _short(label, 20), x=_f(float(x) + 6), y=_f(float(y) + 4), class_=f"label c{i % 8}")
        )
    return _figure(parts, SCATTER_HEIGHT, title)


def nice_ticks(low: float, high: float) -> list[float]:
    """Return four to eight round numbers that span a range."""
    if high <= low:
        low, high = low - 0.5, high + 0.5
    raw = (high - low) / 5
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= raw)
    start, end = math.floor(low / step), math.ceil(high / step)
    return [round(i * step, 10) for i in range(start, end + 1)]


def _grid(ticks: Sequence[float], x: object, top: float, bottom: float) -> list[Html]:
    assert callable(x)
    parts = []
    for tick in ticks:
        parts.append(h("line", x1=_f(x(tick)), x2=_f(x(tick)), y1=top, y2=_f(bottom), class_="grid"))
        parts.append(h("text", f"{tick:g}", x=_f(x(tick)), y=_f(bottom + 18), class_="tick middle"))
    return parts


def _figure(parts: Sequence[Html], height: float, title: str) -> Html:
    svg = h(
        "svg",
        parts,
        viewbox=f"0 0 {WIDTH} {_f(height)}",
        role="img",
        aria_label=title,
        class_="plot",
    )
    return h("figure", svg, h("figcaption", title))


def _power(power: int) -> str:
    return f"{10.0**power:g}"


def _short(text: str, length: int = MAX_LABEL) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _f(value: float) -> str:
    """Write a coordinate; two decimals keep pages small and the same everywhere."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
