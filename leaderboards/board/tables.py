"""The table as a value: a pure function of scored rows, the task's card and reported numbers."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from harness.scoring.measure import metric_of

from ..intake.rules import TRUST, line_of, stale, superseded, trust
from ..plain import mapping, slug, unique
from . import ranking
from .health import duplicates
from .scored import interval
from .shapes import Cell, Line, Table

SCHEMA_VERSION = 1
OVERALL = "overall"
UNRANKED: Mapping[str, Any] = {"ranked": False, "reference": None}
OF_SEVERAL = "pass@k: k answers to a row hold a right one; maj@k: the commonest of k is right"
SEEDS = ("seed", "sampling_seed")
MIN_SPREAD = 1e-9  # of the two fixed points of a metric; below it the metric cannot enter the overall score


@dataclass(frozen=True, slots=True)
class StoredRow:
    """A row of the store: what its maker says, what scoring gave, and its paired resamples."""

    id: str
    about: Mapping[str, Any]
    facts: Mapping[str, Any]
    draws: NDArray[np.float32]
    evidence: Mapping[str, Any]

    @property
    def weights(self) -> str:
        """What tells one training from another: the digest of its weights, or else its seed."""
        digest = mapping(self.about.get("model")).get("weights_digest")
        return str(digest or f"seed {self.about.get('seed')}")

    def drawn(self, metric: str) -> NDArray[np.float64] | None:
        """Return a metric's resamples."""
        names: Sequence[str] = self.facts["drawn"]
        return self.draws[names.index(metric)].astype(np.float64) if metric in names else None


@dataclass(slots=True)
class Members:
    """The rows of one line with their averages."""

    rows: list[StoredRow]
    values: dict[str, float]
    draws: dict[str, NDArray[np.float64] | None]
    notes: dict[str, str]

    @property
    def id(self) -> str:
        """The line's id: that of its first row."""
        return self.rows[0].id


def build_board(
    card: Mapping[str, Any],
    rows: Sequence[StoredRow],
    reported: Sequence[Mapping[str, Any]] = (),
    refused: Sequence[Mapping[str, Any]] = (),
) -> Table:
    """Build a table. Rows must all have been scored on the card's task version and data."""
    columns = [*_with_several(card, rows), *_reported_only(card, reported)]
    metrics = {metric["name"]: metric for metric in columns}
    evidence = {row.id: row.evidence for row in rows}
    replaced = superseded({row.id: row.about for row in rows}, evidence)
    kept = sorted((row for row in rows if row.id not in replaced), key=lambda row: row.id)
    lines = [_line(members, metrics) for members in _series(kept)]
    measures = _measures(lines, card)
    ranked = {name: _places(lines, name, metrics, measures) for name in [*metrics, OVERALL]}
    aggregates = _aggregates(lines, measures)
    found = [_as_row(line, metrics, ranked, aggregates, measures) for line in lines]
    _tell_apart(found)
    _flag_duplicates(found, lines)
    left_out = [*refused, *({"id": key, "reason": why} for key, why in sorted(replaced.items()))]
    table = {
        "schema": SCHEMA_VERSION,
        "id": board_id(card),
        **{key: card[key] for key in ("task", "split", "source", "sample", "version", "digest", "rows")},
        "summary": card["summary"],
        "metrics": [metric | {"overall": name in measures} for name, metric in metrics.items()],
        "lines": sorted(found, key=partial(_order, _leading(metrics, measures))),
        "reported": [
            {key: value for key, value in row.items() if key != "columns"}
            for row in sorted(reported, key=lambda row: str(row["name"]).lower())
        ],
        "refused": sorted(left_out, key=lambda row: str(row["id"])),
        "stability": [list(change) for change in aggregates.changes],
        "toolkits": _toolkits(kept),
        "trust": TRUST,
    }
    return cast(Table, table)  # what its task says of itself is copied by name


def _with_several(card: Mapping[str, Any], rows: Sequence[StoredRow]) -> Iterator[dict[str, Any]]:
    """Yield each metric, and behind it what rows with several answers have of it, which ranks nothing."""
    found = {name for row in rows for name in row.facts["scores"]}
    for metric in card["metrics"]:
        yield metric
        for name in sorted(found, key=lambda name: (" maj@" in name, len(name), name)):
            if metric_of(name) == metric["name"] != name:
                yield {**metric, "name": name, "summary": f"{metric['summary']}; {OF_SEVERAL}", **UNRANKED}


def _reported_only(card: Mapping[str, Any], reported: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the columns that only reported rows fill."""
    here = {metric["name"] for metric in card["metrics"]}
    columns = {name: facts for row in reported for name, facts in row.get("columns", {}).items()}
    blank = {"version": "", "definition": "", "range": [None, None], "silence_wins": False, "kind": ""}
    return [
        {"name": name, **blank, **facts, **UNRANKED}
        for name, facts in sorted(columns.items())
        if name not in here
    ]


def board_id(card: Mapping[str, Any]) -> str:
    """Name a table: task, split where it is not the test, and what data it is of.

    A sample has the name of the sample alone, unless options changed its rows.
    """
    split = "" if card["split"] in ("test", "blind") else f"-{card['split']}"
    kinds = ["sample"] if card["sample"] else []
    if not card["sample"] or card.get("changed"):
        kinds.append(slug(str(card["digest"]))[:12])
    return f"{slug(card['task'])}{split}-{'-'.join(kinds)}"


def _leading(metrics: Mapping[str, Any], measures: Mapping[str, Any]) -> str:
    """Name the measure that orders the table: overall where it averages anything, else the first ranked."""
    ranked = [name for name, metric in metrics.items() if metric["ranked"]]
    return OVERALL if len(measures) > 1 or not ranked else ranked[0]


def _order(leading: str, row: Line) -> tuple[Any, ...]:
    cell = row["overall"] if leading == OVERALL else row["scores"][leading]
    return (cell["rank"] is None, cell["rank"] or 0, row["name"].lower(), row["id"])


def _series(rows: Sequence[StoredRow]) -> list[list[StoredRow]]:
    found: dict[str, list[StoredRow]] = {}
    for row in rows:
        found.setdefault(line_of(row.id, row.about, row.evidence), []).append(row)
    return list(found.values())


def _line(rows: list[StoredRow], metrics: Mapping[str, Mapping[str, Any]]) -> Members:
    """Average the rows of a series; a metric that one of them lacks, the line lacks."""
    line = Members(rows, {}, {}, {})
    versions = {name: metric["version"] for name, metric in metrics.items()}
    for name in metrics:
        notes = [note for row in rows if (note := _missing(row, name, versions))]
        if notes:
            line.notes[name] = notes[0]
            continue
        line.values[name] = statistics.fmean(row.facts["scores"][name]["value"] for row in rows)
        draws = [row.drawn(name) for row in rows]
        present = [drawn for drawn in draws if drawn is not None]
        line.draws[name] = np.mean(present, axis=0) if len(present) == len(rows) else None
    return line


def _missing(row: StoredRow, name: str, versions: Mapping[str, str]) -> str:
    score = row.facts["scores"].get(name)
    if score is None:
        return "not computed here"
    if note := stale(row.facts, versions).get(name):
        return note
    return "" if score["value"] is not None else score["note"] or f"{name} has no value"


def _measures(lines: Sequence[Members], card: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """Return the metrics of the overall score with their fixed points, which no entrant can move."""
    found = {}
    for metric in card["metrics"]:
        points = metric["reference"]
        if points is None or abs(points[1] - points[0]) < MIN_SPREAD or not metric["ranked"]:
            continue
        name = metric["name"]
        if any(name in line.values and line.draws[name] is None for line in lines):
            continue  # what cannot be resampled would leave the whole overall score untested
        found[name] = (float(points[0]), float(points[1]))
    return found


def _places(
    lines: Sequence[Members],
    name: str,
    metrics: Mapping[str, Mapping[str, Any]],
    measures: Mapping[str, tuple[float, float]],
) -> dict[str, tuple[ranking.Entrant, ranking.Place]]:
    entrants = {}
    for line in lines:
        entrant = _overall(line, measures) if name == OVERALL else _entrant(line, name)
        if entrant is not None:
            entrants[line.id] = entrant
    higher = True if name == OVERALL else bool(metrics[name]["higher_is_better"])
    placed = ranking.places(entrants, higher_is_better=higher)
    return {key: (entrants[key], place) for key, place in placed.items()}


def _entrant(line: Members, name: str) -> ranking.Entrant | None:
    if name not in line.values:
        return None
    return ranking.Entrant(line.values[name], line.draws[name], line.rows[0].facts["answers"]["rows"])


def _overall(line: Members, measures: Mapping[str, tuple[float, float]]) -> ranking.Entrant | None:
    """Average the metrics, each placed between its fixed points; a missing one makes a row unrankable."""
    if not measures or any(name not in line.values for name in measures):
        return None
    value = statistics.fmean(
        ranking.normalised(line.values[name], *points) for name, points in measures.items()
    )
    draws = None
    if all(line.draws[name] is not None for name in measures):
        parts = [
            100.0 * (drawn - zero) / (one - zero)
            for name, (zero, one) in measures.items()
            if (drawn := line.draws[name]) is not None
        ]
        draws = np.mean(parts, axis=0)
    return ranking.Entrant(value, draws, line.rows[0].facts["answers"]["rows"])


@dataclass(frozen=True, slots=True)
class Aggregates:
    """What depends on who else is in the table, and by whose absence it would change."""

    win_rate: Mapping[str, float]
    borda: Mapping[str, float]
    changes: Sequence[tuple[str, str, str]]


def _aggregates(lines: Sequence[Members], measures: Mapping[str, tuple[float, float]]) -> Aggregates:
    complete = [line for line in lines if measures and all(name in line.values for name in measures)]
    if len(complete) < 2:
        return Aggregates({}, {}, [])
    oriented = {
        line.id: [ranking.normalised(line.values[name], *points) for name, points in measures.items()]
        for line in complete
    }
    wins, borda = ranking.win_rates(oriented, [True] * len(measures))
    names = {line.id: str(line.rows[0].about["name"]) for line in complete}
    ids = [line.id for line in complete]
    rates = wins.sum(axis=1) / (len(ids) - 1)
    changes = [(names[a], names[b], names[c]) for a, b, c in ranking.unstable(ids, wins)]
    return Aggregates(
        dict(zip(ids, map(float, rates), strict=True)),
        dict(zip(ids, map(float, borda), strict=True)),
        changes,
    )


def _as_row(
    line: Members,
    metrics: Mapping[str, Mapping[str, Any]],
    ranked: Mapping[str, Mapping[str, tuple[ranking.Entrant, ranking.Place]]],
    aggregates: Aggregates,
    measures: Mapping[str, tuple[float, float]],
) -> Line:
    first = line.rows[0]
    lowest = min((row.evidence for row in line.rows), key=trust).get("trust", "rescored")
    missing = [line.notes[name] for name in measures if name in line.notes]
    return {
        "id": line.id,
        "name": first.about["name"],
        "trust": lowest,
        "trust_reason": first.evidence.get("reason", "scored here from the submitted answers"),
        "scores": {name: _cell(line, name, ranked[name], measures) for name in metrics},
        "overall": _cell(line, OVERALL, ranked[OVERALL], measures),
        "win_rate": aggregates.win_rate.get(line.id),
        "borda": aggregates.borda.get(line.id),
        "unrankable": "; ".join(unique(missing)) if measures else "no metric of this table has fixed points",
        "details": _parts(line),
        "health": first.facts["health"],
        "clean": _clean(first),
        "cost": first.facts["cost"],
        "flags": [],
        "members": [
            {"id": row.id, **{key: row.about.get(key) for key in SEEDS}, **row.facts["answers"]}
            for row in line.rows
        ],
        "about": _shown(first.about),
        "toolkit": first.facts["toolkit"],
    }


def _clean(row: StoredRow) -> Mapping[str, Any]:
    """Return what training gives away: found here, or where the training data is not, as the maker says."""
    here: Mapping[str, Any] = row.facts["clean"]
    said = row.about.get("overlap")
    if here["overlap"] or not said:
        return here
    scores = said.get("clean_scores", {})
    return {"overlap": said["counts"], "rows": said["clean_rows"], "scores": scores, "said": True}


def _parts(line: Members) -> dict[str, dict[str, float]]:
    """Return the means over a line's rows of each metric's parts, where all rows have them."""
    every = [row.facts["details"] for row in line.rows]
    return {
        name: {
            part: statistics.fmean(details[name][part] for details in every)
            for part in parts
            if all(part in details.get(name, {}) for details in every)
        }
        for name, parts in every[0].items()
    }


def _cell(
    line: Members,
    name: str,
    placed: Mapping[str, tuple[ranking.Entrant, ranking.Place]],
    measures: Mapping[str, tuple[float, float]],
) -> Cell:
    if line.id not in placed:
        return {"value": None, "note": line.notes.get(name, ""), "rank": None}
    entrant, place = placed[line.id]
    trainings, samplings = _spreads(line, [_value(row, name, measures) for row in line.rows])
    alone = len(line.rows) == 1 and name != OVERALL
    return {
        "value": entrant.value,
        # A single row's interval comes from all its resamples; a series keeps what its average has.
        "interval": line.rows[0].facts["scores"][name]["interval"] if alone else interval(entrant.draws),
        "training_sd": trainings,
        "sampling_sd": samplings,
        "rank": place.rank,
        "rank_range": list(place.rank_range) if place.rank_range else None,
        "best_share": place.best_share,
        "p_next": place.p_next,
        "medal": place.medal,
        "group": place.group,
        "note": line.rows[0].facts["scores"][name]["note"] if name != OVERALL else "",
    }


def _value(row: StoredRow, name: str, measures: Mapping[str, tuple[float, float]]) -> float:
    if name != OVERALL:
        return float(row.facts["scores"][name]["value"])
    return statistics.fmean(
        ranking.normalised(row.facts["scores"][one]["value"], *points) for one, points in measures.items()
    )


def _spreads(line: Members, values: Sequence[float]) -> tuple[float | None, float | None]:
    """Return the deviation between trainings, and the pooled one between samplings of one training."""
    trainings: dict[str, list[float]] = {}
    for row, value in zip(line.rows, values, strict=True):
        trainings.setdefault(row.weights, []).append(value)
    means = [statistics.fmean(group) for group in trainings.values()]
    free = len(values) - len(trainings)
    within = math.fsum((v - statistics.fmean(group)) ** 2 for group in trainings.values() for v in group)
    return statistics.stdev(means) if len(means) > 1 else None, math.sqrt(within / free) if free else None


def _shown(about: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in about.items() if key not in ("schema", "name", "limit")}


def _tell_apart(found: Sequence[Line]) -> None:
    """Add the start of the answers' hash to names that several lines share."""
    times = Counter(row["name"] for row in found)
    for row in found:
        if times[row["name"]] > 1:
            row["name"] = f"{row['name']} #{row['members'][0]['sha256'][:4]}"


def _flag_duplicates(found: Sequence[Line], lines: Sequence[Members]) -> None:
    """Say on both rows that their answers are the same or nearly so."""
    signed = [
        (row["name"], line.rows[0].facts["answers"]["sha256"], line.rows[0].facts["signature"])
        for row, line in zip(found, lines, strict=True)
    ]
    for one, other, how in duplicates(signed):
        for here, there in ((one, other), (other, one)):
            found[here]["flags"].append({"of": found[there]["name"], "how": how})


def _toolkits(rows: Sequence[StoredRow]) -> list[dict[str, str]]:
    """Return the sets of versions that rows were scored with; more than one is worth a warning."""
    seen: list[dict[str, str]] = []
    for row in rows:
        kit = dict(mapping(row.facts["toolkit"]))
        if kit not in seen:
            seen.append(kit)
    return seen
