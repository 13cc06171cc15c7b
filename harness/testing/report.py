"""What came of all checks together: a line to read, and a badge to show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from .checking import Result

BADGE = """<svg xmlns="http://www.w3.org/2000/svg" width="168" height="20" role="img">
<title>assay: {text}</title>
<rect width="44" height="20" fill="#444"/><rect x="44" width="124" height="20" fill="{colour}"/>
<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">
<text x="7" y="14">assay</text><text x="52" y="14">{text}</text></g></svg>
"""


def lines_of(results: Sequence[Result]) -> list[str]:
    """Count what passed, failed and was skipped."""
    counts = Counter(result.status for result in results)
    names = ("passed", "failed", "skipped")
    return ["", ", ".join(f"{counts[name]} {name}" for name in names if counts[name]) or "nothing to check"]


def badge_of(results: Sequence[Result]) -> str:
    """Return an SVG that says how many checks passed."""
    counts = Counter(result.status for result in results)
    held = counts["passed"] + counts["failed"]
    text = f"{counts['passed']} of {held} checks"
    return BADGE.format(text=text, colour="#b3261e" if counts["failed"] else "#1f7a3d")
