"""What may stand in a table, and why not; what is kept apart; how far a row can be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness import TaskView

from ..plain import mapping
from .submission import Submission

# The ladder of trust, lowest first. A submitter reaches `rescored`; the rest is for a board's keepers.
TRUST = {
    "reported": "as printed elsewhere; not checked, not ranked",
    "rescored": "scored here from the submitted answers",
    "reproduced": "the answers were produced again here",
    "trained": "trained and run here from the recipe",
}
MIN_REPRODUCED = 50


def refusal(submission: Submission, view: TaskView) -> str:
    """Return why a submission cannot be scored against a task, or nothing."""
    about = submission.about
    if not submission.name.isprintable():
        return "its name holds characters that reorder, hide or break text"
    if about.get("limit") is not None and about["limit"] < len(view.examples):
        return f"it answers only the first {about['limit']:,} rows (--limit); a table needs all of them"
    if about["split"] != view.split:
        return f"it answers the split '{about['split']}', the table is of '{view.split}'"
    stated = about.get("task_version", view.task.version)
    if stated != view.task.version:
        return f"it answers version {stated} of {view.name}, this is version {view.task.version}"
    stated = mapping(about["data"]).get("digest", view.digest)
    if stated != view.digest:
        return f"it answers the rows {stated}, the data here is {view.digest}: other rows, another table"
    return ""


def stale(facts: Mapping[str, Any], metrics: Mapping[str, str]) -> dict[str, str]:
    """Return the metrics of a stored row whose definition has changed since, with both versions."""
    return {
        name: f"scored with version {score['version']} of {name}, the table has version {metrics[name]}"
        for name, score in facts["scores"].items()
        if name in metrics and score["version"] != metrics[name]
    }


def superseded(
    rows: Mapping[str, Mapping[str, Any]], evidence: Mapping[str, Mapping[str, Any]]
) -> dict[str, str]:
    """Return the rows that do not stand in the table any more, and why.

    A run that was carried out here takes the place of an earlier one of the same series and seeds, of the
    same trust or less, that was carried out here too. Whatever else says of itself that it is the same is
    another row: series, seeds and run ids are public and anybody can copy them. A keeper may put a row in
    the place of another for its submitter (`replaces` in the evidence), and take one out (`withdrawn`).
    """
    replaced = {
        key: f"withdrawn: {facts['withdrawn']}" for key, facts in evidence.items() if facts.get("withdrawn")
    }
    for key, facts in evidence.items():
        if facts.get("replaces") in rows:
            replaced.setdefault(str(facts["replaces"]), f"its submitter's later row replaces it: {key}")
    latest: dict[tuple[Any, ...], str] = {}
    ours = [key for key in rows if made_here(evidence.get(key, {})) and "series" in rows[key]]
    for key in sorted(ours, key=lambda key: (str(rows[key].get("run_id", "")), key)):
        place = (rows[key]["series"], rows[key].get("seed"), rows[key].get("sampling_seed"))
        before = latest.get(place)
        if before is not None and trust(evidence[before]) > trust(evidence[key]):
            continue
        if before is not None:
            replaced[before] = f"a later run of the same series and seeds replaces it: {key}"
        latest[place] = key
    return replaced


def line_of(row: str, about: Mapping[str, Any], evidence: Mapping[str, Any]) -> str:
    """Name the line that a row stands in: rows of one series share one where the same hands brought them.

    Runs that were carried out here, or submissions that were added together; a series that a stranger
    copies draws nobody's line up or down.
    """
    if "series" not in about:
        return row
    together = "here" if made_here(evidence) else evidence.get("batch")
    return f"{about['series']} {together}" if together else row


def trust(evidence: Mapping[str, Any]) -> int:
    """Return how high a row stands on the ladder of trust."""
    return list(TRUST).index(str(evidence.get("trust", "rescored")))


def made_here(evidence: Mapping[str, Any]) -> bool:
    """Whether the keepers of the board carried a row's run out themselves; no submission can say so."""
    return evidence.get("trust") == "trained" or (
        evidence.get("trust") == "reproduced" and "equal" not in evidence
    )


def reproduction(submission: Submission, again: Submission) -> dict[str, Any]:
    """Compare a submission with a run of the same model here, answer by answer."""
    common = sorted(set(submission.outputs) & set(again.outputs))
    equal = sum(submission.outputs[key].text == again.outputs[key].text for key in common)
    needed = min(MIN_REPRODUCED, len(submission.outputs))
    facts = {"run_id": again.about.get("run_id", ""), "rows": len(common), "equal": equal}
    if len(common) < needed:
        reason = f"the run answers {len(common)} of its rows; {needed} are needed"
    elif equal < len(common):
        reason = f"{len(common) - equal} of {len(common)} answers differ"
    else:
        return {"trust": "reproduced", "reason": f"{equal} of {equal} answers were produced again", **facts}
    return {"trust": "rescored", "reason": reason, **facts}
