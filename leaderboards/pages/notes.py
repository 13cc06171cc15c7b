"""What a reader must know of a table, in sentences; the same ones under every form of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..board.shapes import Table
from ..intake.tasks import BLIND
from ..plain import mapping
from .numbers import DASH, OVERALL_METRIC, number

SAMPLE = "Built-in synthetic sample: not comparable with any published number."
MAX_CHANGES = 5


def title(table: Table) -> str:
    """Return a table's title: what data it is of, and the options with which all its rows were asked."""
    kind = "synthetic sample" if table["sample"] else f"data {table['digest']}"
    options = "".join(f", {name}={value}" for name, value in asked_with(table).items())
    return f"{table['task']}: {table['rows']:,} rows of {table['split']}, {kind}{options}"


def asked_with(table: Table) -> dict[str, Any]:
    """Return the options of the task that every row of a table was asked with."""
    every = [mapping(mapping(line["about"].get("reading")).get("options")) for line in table["lines"]]
    first = every[0] if every else {}
    return {k: v for k, v in sorted(first.items()) if all(other.get(k) == v for other in every)}


def notes(table: Table) -> Iterator[str]:
    """Yield the notes of a table."""
    if table["sample"]:
        yield SAMPLE
    if table["source"] == BLIND:
        yield (
            "Not ranked: the references of these rows are not public, and what can be computed without them "
            "does not tell good answers from bad."
        )
    if table["lines"]:
        yield (
            "± is half the width of the 95 % bootstrap interval over test rows. A rank is the range that a "
            "row takes in 95 % of paired resamples; rows that cannot be told from the best of their group "
            "(paired test, Holm-corrected) share its medal."
        )
    yield from _overall(table)
    if beside := [m["name"] for m in table["metrics"] if _is_beside(m, table)]:
        says = "say" if len(beside) > 1 else "says"
        yield f"{', '.join(beside)} {says} what answers are like: shown, not ranked."
    if silent := [metric["name"] for metric in table["metrics"] if metric["silence_wins"]]:
        yield f"An empty answer can beat a wrong one under {', '.join(silent)}."
    yield from _seeds(table)
    yield from _unavailable(table)
    yield from _changes(table)
    yield from _toolkits(table)
    for line in table["lines"]:
        if line["unrankable"] and has_overall(table):
            yield f"{line['name']} is not ranked: {line['unrankable']}."
        if line["clean"].get("said"):
            yield f"{line['name']}: {_given_away(line['clean'], table['rows'])}."
        for flag in line["flags"][:MAX_CHANGES]:
            yield f"{line['name']} and {flag['of']}: {flag['how']}."
    if table["reported"]:
        yield "Reported numbers were printed elsewhere; they are not checked here and not ranked."
    for row in table["refused"]:
        yield f"Left out: {row['id']}: {row['reason']}."


def _given_away(clean: Mapping[str, Any], rows: int) -> str:
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in clean["overlap"].items() if count)
    given = f"{rows - clean['rows']:,} of {rows:,} rows" + (f" ({kinds})" if kinds else "")
    return f"its training pairs give away {given}, as its run found; they are not here to be compared again"


def has_overall(table: Table) -> bool:
    """Whether a table averages several metrics."""
    return len([metric for metric in table["metrics"] if metric["overall"]]) > 1


def _overall(table: Table) -> Iterator[str]:
    if not table["lines"] or not has_overall(table):
        return
    inside = [metric["name"] for metric in table["metrics"] if metric["overall"]]
    yield (
        f"Overall is the mean of {', '.join(inside)}, each placed between what an empty answer scores (0) "
        "and what the references score (100); no entrant can move these points."
    )
    outside = [m for m in table["metrics"] if not m["overall"] and m["ranked"] and m["reference"] is not None]
    same = [m["name"] for m in outside if m["reference"][0] == m["reference"][1]]
    if same:
        yield f"{', '.join(same)} cannot enter it: an empty answer scores there as the references do."
    if untested := [m["name"] for m in outside if m["name"] not in same]:
        yield f"{', '.join(untested)} cannot enter it: it cannot be resampled, so nothing could be tested."
    variants = [
        metric["name"] for metric in table["metrics"] if "@" in metric["name"] and not metric["ranked"]
    ]
    if variants:
        several = "are other definitions of metrics beside them"
        what = several if len(variants) > 1 else "is another definition of a metric beside it"
        yield f"{', '.join(variants)} {what}: shown, not averaged."
    undefined = [m["name"] for m in table["metrics"] if m["ranked"] and m["reference"] is None]
    if undefined:
        yield f"{', '.join(undefined)} cannot enter it: an empty answer has no value there."


def _is_beside(metric: Mapping[str, Any], table: Table) -> bool:
    """Whether a metric that is computed here ranks nothing, though it is no other definition of one."""
    unranked = metric["version"] and not metric["ranked"] and "@" not in metric["name"]
    return bool(unranked) and table["source"] != BLIND


def _seeds(table: Table) -> Iterator[str]:
    """Say what the seeds of a line differ by, apart from the interval over test rows."""
    several = [line for line in table["lines"] if len(line["members"]) > 1]
    if several:
        yield "A line of several seeds shows their mean; ± is over test rows and holds none of their spread."
    leading = leading_metric(table)
    for line in several:
        cell = line["overall"] if leading["name"] == "overall" else line["scores"][leading["name"]]
        spreads = [
            f"{number(spread, leading)} between {what}"
            for spread, what in (
                (cell.get("training_sd"), "trainings"),
                (cell.get("sampling_sd"), "samplings of one training"),
            )
            if spread is not None
        ]
        if spreads:
            yield f"{line['name']}: standard deviation of {leading['name']} {', '.join(spreads)}."


def leading_metric(table: Table) -> Mapping[str, Any]:
    """Return the measure that orders a table."""
    ranked = [metric for metric in table["metrics"] if metric["ranked"]]
    return OVERALL_METRIC if has_overall(table) or not ranked else ranked[0]


def _unavailable(table: Table) -> Iterator[str]:
    """Say why a column is empty."""
    printed = [metric["name"] for metric in table["metrics"] if not metric["version"]]
    if printed and table["lines"]:
        yield f"{', '.join(printed)}: reported only, not computed here."
    for metric in table["metrics"]:
        if not metric["version"]:
            continue
        cells = [line["scores"][metric["name"]] for line in table["lines"]]
        if cells and all(cell["value"] is None for cell in cells):
            yield f"{metric['name']} has no value: {cells[0]['note']}."


def _changes(table: Table) -> Iterator[str]:
    if not any(line["win_rate"] is not None for line in table["lines"]):
        return
    changes = table["stability"]
    if not changes:
        yield "The order by mean win rate stays the same whichever one row is left out."
    for gone, lower, upper in changes[:MAX_CHANGES]:
        yield f"Without {gone}, {lower} would overtake {upper} by mean win rate."
    if len(changes) > MAX_CHANGES:
        yield f"{len(changes) - MAX_CHANGES} more orders by mean win rate hang on a single row."


def _toolkits(table: Table) -> Iterator[str]:
    kits = table["toolkits"]
    for name in sorted({name for kit in kits for name in kit}):
        versions = sorted({kit.get(name, DASH) for kit in kits})
        if len(versions) > 1:
            yield f"Rows were scored with different versions of {name}: {', '.join(versions)}."
