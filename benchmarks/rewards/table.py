"""The rows of a comparison: what each way of learning took and was scored, and whether the stage wins."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.rewards.program import said
from benchmarks.rewards.recipes import SAMPLES

KEPT = 0.9  # of the start's distinct answers


class Way(NamedTuple):
    """A way to learn: what it is called, the training, and what it was scored to be on the test split."""

    name: str
    training: Path
    run: Path


def table_rows(
    metric: str, seed: str, ways: list[Way], sampled: dict[str, Path], sampling: float
) -> Iterator[dict[str, Any]]:
    start, other, stage = ways
    for way in ways:
        spent = cost(way.training)
        row: dict[str, Any] = {"seed": seed, "way": way.name, "steps": spent["steps"]}
        if seconds := spent.get("cpu_seconds", ""):
            seconds = round(seconds + (sampling if way is stage else 0))
        row["CPU seconds"] = seconds
        for name, score in scores(way.run).items():
            if score["higher_is_better"]:
                row[name] = shown(score)
        for name, score in scores(sampled[way.name]).items() if sampled else ():
            row[f"{name} of {SAMPLES}"] = shown(score)
        for name, against in (("start", start), ("control", other)):
            row[f"against {name}"] = difference(metric, way.run, against.run) if way is stage else ""
        row["wins"] = verdict(metric, ways, sampled) if way is stage else ""
        row["rollouts"] = ""
        if "sampling_seconds" in spent:
            working = ("sampling_seconds", "scoring_seconds", "learning_seconds")
            row["rollouts"] = f"{spent['sampling_seconds'] / sum(spent[part] for part in working):.0%}"
        yield row


def verdict(metric: str, ways: list[Way], sampled: dict[str, Path]) -> str:
    """Say whether the stage is above both others by more than both intervals, with answers as many."""
    stage = scores(ways[-1].run)[metric]
    for way in ways[:-1]:
        found = scores(way.run)[metric]
        if stage["interval"][0] <= found["interval"][1]:
            return f"no: its interval is not above that of {way.name}"
    if sampled:
        first, last = (scores(sampled[way.name])["distinct-answers"]["value"] for way in (ways[0], ways[-1]))
        if last < KEPT * first:
            return f"no: {last / first:.0%} of the start's distinct answers"
    return "yes"


def difference(metric: str, run: Path, other: Path) -> str:
    """Return by how many points two runs differ on the same rows, the interval, and the p-value."""
    (found,) = said("compare", run, other, "--metric", metric, "--json")["differences"]
    low, high = found["interval"]
    return f"{100 * found['difference']:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}] p {found['p_value']:.4f}"


def shown(score: dict[str, Any]) -> str:
    if score["value"] is None:
        return ""
    half = f" ± {50 * (score['interval'][1] - score['interval'][0]):.1f}" if score["interval"] else ""
    return f"{100 * score['value']:.1f}{half}"


def scores(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "record.json").read_text(encoding="utf-8"))["scores"]
    return found


def cost(training: Path) -> dict[str, Any]:
    """Return what a training wrote about itself: steps, and seconds of each part of its work."""
    found: dict[str, Any] = json.loads((training / "state" / "done.json").read_text(encoding="utf-8"))
    return found
