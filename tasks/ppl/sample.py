"""Short made-up reports: four sentences each, from a small grammar, in three splits that share no report."""

from __future__ import annotations

from functools import lru_cache
from random import Random

SIZES = {"train": 600, "validation": 30, "test": 60}
_FIRST = ("We measured {what} in {where}.", "This report is about {what} in {where}.")
_SECOND = ("Samples were taken {when} by {who}.", "{who} took samples {when}.")
_THIRD = ("The mean was {number} {unit}.", "We found {number} {unit} on average.")
_FOURTH = ("This is {more} than a year ago.", "A year ago the value was {less}.")
_WHAT = ("nitrate", "plankton", "lead", "pollen", "ozone", "fine dust", "salinity", "turbidity")
_WHERE = ("two lakes", "a harbour", "the old town", "five wells", "a mountain valley", "the delta")
_WHEN = ("every week", "at dawn", "after rain", "in winter", "twice a day")
_WHO = ("Two students", "A survey ship", "Volunteers", "The county office")
_UNITS = ("milligrams per litre", "grains per cubic metre", "parts per million")


@lru_cache(maxsize=1)
def sample() -> dict[str, list[str]]:
    """Return the reports of all splits."""
    random, seen = Random(5), set[str]()
    found: dict[str, list[str]] = {}
    for split, size in SIZES.items():
        found[split] = []
        while len(found[split]) < size:
            if (text := _report(random)) not in seen:
                seen.add(text)
                found[split].append(text)
    return found


def _report(random: Random) -> str:
    facts = {
        "what": random.choice(_WHAT),
        "where": random.choice(_WHERE),
        "when": random.choice(_WHEN),
        "who": random.choice(_WHO),
        "number": str(random.randrange(2, 99)),
        "unit": random.choice(_UNITS),
        "more": random.choice(("more", "less")),
        "less": random.choice(("lower", "higher")),
    }
    parts = (random.choice(options) for options in (_FIRST, _SECOND, _THIRD, _FOURTH))
    return " ".join(part.format(**facts) for part in parts)
