"""What a score does not show: empty, cut, repeated, copied and unreadable answers, and what they cost."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from harness import Completion, Example, Pairs, Prediction, Task, TaskView
from harness.scoring.letters import letters

SIGNED_ROWS = 512
NEAR = 0.95  # share of equal answers, also among the wrong ones, from which two rows are nearly the same
MIN_TELLING = 20  # answers that are not simply right, below which equality proves nothing
# Board power in watts as the makers state it; a device that is not here has no energy estimate.
DEVICE_WATTS = {
    "H200": 700, "H100 PCIe": 350, "H100": 700, "A100-PCIE": 250, "A100": 400, "V100": 300, "L40S": 350,
    "L4": 72, "T4": 70, "A10": 150, "RTX 4090": 450, "RTX 3090": 350,
}  # fmt: skip


def health(pairs: Pairs, outputs: Mapping[str, Completion], view: TaskView) -> dict[str, Any]:
    """Count what is odd about a row's answers."""
    answers = [_said(prediction) for _, prediction in pairs]
    counted = Counter(answers)
    common, times = min(counted.items(), key=lambda item: (-item[1], item[0])) if counted else ("", 0)
    finishes = [output.finish for output in outputs.values() if output.finish]
    facts: dict[str, Any] = {
        "rows": len(answers),
        "empty": counted[""],
        "unread": sum(_is_unread(*row) for row in pairs),
        "truncated": finishes.count("length") if finishes else None,
        "distinct": len(counted),
        "commonest": {"answer": common[:200], "times": times},
    }
    keys = answers
    if has_one_spelling(view):
        keys = [canonical(view, text) for text in answers]
        facts["valid"] = sum(map(bool, keys))
        facts["distinct_molecules"] = len(set(keys) - {""})
    if view.training is not None:
        seen = _training_keys(view)
        facts["copied"] = sum(1 for key in keys if key and key in seen)
    return facts


def _said(prediction: Prediction) -> str:
    """Return an answer's text, or the passages of a ranking, which has none."""
    return prediction.text or "\n".join(prediction.evidence)


def _is_unread(example: Example, prediction: Prediction) -> bool:
    """Whether something was said of which the task made nothing, or which names none of the choices."""
    said = prediction.raw.strip() or prediction.text.strip()
    if example.choices and prediction.text not in example.choices:
        return bool(said) and not letters(said, example.choices)
    return not prediction.text and bool(said)


def has_one_spelling(view: TaskView) -> bool:
    """Whether a task's answers can be spelt in several ways, as molecules can, or be none."""
    return type(view.task).canonical is not Task.canonical


def _training_keys(view: TaskView) -> set[str]:
    if "training keys" not in view.cache and view.training is not None:
        keys = {canonical(view, view.task.target(example)) for example in view.training()}
        view.cache["training keys"] = keys - {""}
    return cast("set[str]", view.cache["training keys"])


def canonical(view: TaskView, text: str) -> str:
    """Return the task's one spelling of an answer, worked out once."""
    known = cast("dict[str, str]", view.cache.setdefault("canonical", {}))
    if text not in known:
        known[text] = view.task.canonical(text)
    return known[text]


def signature(pairs: Pairs) -> list[str]:
    """Return a hash of the answer to each of up to 512 rows that are drawn by their id alone.

    An answer that is right to the letter is "=": that two systems agree on it says nothing.
    """
    chosen = sorted(pairs, key=lambda pair: _short(pair[0].id))[:SIGNED_ROWS]
    return ["=" if p.text in e.references else _short(_said(p))[:8] for e, p in chosen]


def _short(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def duplicates(rows: Sequence[tuple[str, str, Sequence[str]]]) -> list[tuple[int, int, str]]:
    """Find rows with the same or nearly the same answers as an earlier one, given name, digest, signature.

    Each row is paired with the first row that it repeats and with no other.
    """
    found = []
    first: dict[str, int] = {}
    for place, (_, answers, _) in enumerate(rows):
        if answers in first:
            found.append((first[answers], place, "the same answers, byte for byte"))
        else:
            first[answers] = place
    originals = sorted(first.values())
    lengths = sorted({len(rows[place][2]) for place in originals})
    for length in lengths:
        group = [place for place in originals if len(rows[place][2]) == length]
        found += _near([(place, rows[place][2]) for place in group])
    return sorted(found)


def _near(rows: Sequence[tuple[int, Sequence[str]]]) -> list[tuple[int, int, str]]:
    table: NDArray[np.int64] = np.array(
        [[-1 if mark == "=" else int(mark, 16) for mark in marks] for _, marks in rows], dtype=np.int64
    ).reshape(len(rows), -1)
    found = []
    repeats: set[int] = set()
    for i in range(len(rows) - 1):
        if i in repeats:
            continue
        telling = (table[i] >= 0) | (table[i + 1 :] >= 0)
        equal = table[i] == table[i + 1 :]
        asked = telling.sum(axis=1)
        share = np.where(asked >= MIN_TELLING, (equal & telling).sum(axis=1) / np.maximum(asked, 1), 0.0)
        for below in np.flatnonzero((share >= NEAR) & (equal.mean(axis=1) >= NEAR)):
            j = i + 1 + int(below)
            if j not in repeats:
                text = f"{share[below]:.0%} of the answers that are not simply right are the same"
                found.append((rows[i][0], rows[j][0], text))
                repeats.add(j)
    return found


def cost(about: Mapping[str, Any]) -> dict[str, Any]:
    """Return seconds, parameters, and energy where the device's power is known."""
    seconds = about.get("seconds", {})
    hardware = about.get("hardware", {})
    spent = sum(span for stage, span in seconds.items() if stage == "generate" or stage.startswith("train"))
    device = str(hardware.get("device", ""))
    watts, basis = hardware.get("watts"), "stated by the submitter"
    if watts is None:
        watts = next((w for name, w in DEVICE_WATTS.items() if name in device), None)
        basis = "the device's board power"
    found: dict[str, Any] = {"device": device, "seconds": round(spent, 1) if seconds else None}
    found["parameters"] = about.get("model", {}).get("parameters")
    found["energy_wh"] = round(spent * watts / 3600, 2) if watts and seconds else None
    found["energy_basis"] = f"{watts:g} W, {basis}" if found["energy_wh"] is not None else ""
    return found
