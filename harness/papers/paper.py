"""A paper that was read: its paragraphs in the order of reading, each with where it stands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from harness.api import Passage

TEXT, HEADING, CAPTION, TABLE, NOTE, REFERENCE = "text", "heading", "caption", "table", "note", "reference"
SEARCHED = (TEXT, CAPTION, TABLE, NOTE)  # headings stand beside passages, and references answer nothing


class Box(NamedTuple):
    """A rectangle on a page, in points from the top left corner of the page as it is shown; pages from 1."""

    page: int
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A piece of a paper: running text, a heading, a caption, a table or labels, a note, a reference.

    It has a box for each column that it stands in. `section` is the heading above it, after those above that.
    """

    id: str
    text: str
    kind: str
    section: str
    boxes: tuple[Box, ...]

    @property
    def page(self) -> int:
        """The page on which it begins."""
        return self.boxes[0].page

    @property
    def place(self) -> str:
        """Where it stands, in words."""
        pages = sorted({box.page for box in self.boxes})
        where = f"page {pages[0]}" if len(pages) == 1 else f"pages {pages[0]}-{pages[-1]}"
        kind = f"{self.kind}, " if self.kind in (CAPTION, TABLE, NOTE) else ""
        return f"{kind}{where}" + (f", {self.section}" if self.section else "")


@dataclass(frozen=True, slots=True)
class Paper:
    """A paper: its title, how large its pages are in points, and its paragraphs."""

    title: str
    pages: tuple[tuple[float, float], ...]
    paragraphs: tuple[Paragraph, ...]

    def passages(self) -> list[Passage]:
        """Return what may answer a question."""
        return [Passage(p.id, p.text, p.section) for p in self.paragraphs if p.kind in SEARCHED]

    def named(self, ids: Iterable[str]) -> list[Paragraph]:
        """Return paragraphs by their ids, in that order."""
        known = {paragraph.id: paragraph for paragraph in self.paragraphs}
        return [known[name] for name in ids]

    def as_json(self) -> dict[str, Any]:
        """Return the paper as JSON holds it."""
        return asdict(self)

    @staticmethod
    def from_json(facts: Mapping[str, Any]) -> Paper:
        """Read what `as_json` gave."""
        paragraphs = [
            Paragraph(**one | {"boxes": tuple(Box(*box) for box in one["boxes"])})
            for one in facts["paragraphs"]
        ]
        return Paper(facts["title"], tuple(map(tuple, facts["pages"])), tuple(paragraphs))


def around(boxes: Sequence[Box]) -> Box:
    """Return the box around several on one page."""
    return Box(
        boxes[0].page,
        min(box.left for box in boxes),
        min(box.top for box in boxes),
        max(box.right for box in boxes),
        max(box.bottom for box in boxes),
    )
