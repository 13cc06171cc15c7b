"""Writes docs/reference/metrics.md from the cards: `python -m harness.metrics.cards [--check]`."""
# ruff: noqa: E501 - cards are prose

from __future__ import annotations

import sys
from pathlib import Path

from . import entries

PAGE = Path("docs") / "reference" / "metrics.md"


def page() -> str:
    """Return the reference page of all cards."""
    lines = [
        "# Metrics",
        "",
        "<!-- Written by `python -m harness.metrics.cards`; edit the cards, not this page. -->",
        "",
        "A name without `@` is this project's own definition: it needs no external vocabulary and is declared",
        "below where saying nothing can beat being wrong. What follows `@` is somebody else's definition or",
        "another tokenisation. Values are shares; tables show them times the scale.",
        "",
        "Text that is None, NaN or no text at all counts as an empty answer; RDKit gets five seconds of processor",
        "time and 4 GiB for a dangerous molecule, and what goes beyond counts as not answered and is named.",
    ]
    for kind in ("text", "molecule", "property", "design", "qa", "ranking", "choice"):
        lines += ["", f"## {kind.capitalize()}", ""]
        for card in (card for card in entries() if card.kind == kind):
            low, high = ("−∞" if card.range[0] is None else f"{card.range[0]:g}"), card.range[1]
            facts = [
                f"range {low} to {'∞' if high is None else f'{high:g}'}",
                f"{'higher' if card.higher_is_better else 'lower'} is better",
                f"scale {card.scale:g}",
            ]
            facts += ["saying nothing can beat being wrong"] if card.silence_wins else []
            facts += [f"needs {', '.join(card.requires)}"] if card.requires else []
            lines += [f"### `{card.name}`", "", f"{card.summary} ({'; '.join(facts)}).", ""]
            lines += [
                f"- Definition: {card.definition}",
                f"- Edge cases: {card.edge_cases}",
                f"- Reads: the answer{''.join(f', `{field}`' for field in card.reads)}",
                f"- Source: {card.source}",
                "",
            ]
    return "\n".join(lines).rstrip() + "\n"


def main() -> int:
    """Write the page, or with `--check` say whether it is up to date."""
    if "--check" in sys.argv:
        return int(PAGE.read_text(encoding="utf-8") != page())
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
