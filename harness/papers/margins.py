"""What stands around the text of pages and belongs to none of it: running heads and feet, line numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from .characters import Piece

ZONE = 0.12  # of a page's height, at either end: where heads and feet stand
SAME = 3.0  # points that the same head may move from page to page
PAGE_NUMBER = re.compile(
    r"(page\s*)?[-–—\s]*(\d{1,4}|[ivxl]{1,6})[-–—\s]*(\s*(of|/)\s*\d{1,4})?", re.IGNORECASE
)

Pages = Sequence[list[Piece]]


def without_margins(pages: Pages, heights: Sequence[float]) -> list[list[Piece]]:
    """Return pages without running heads and feet, page numbers, and the line numbers of drafts."""
    pages = [_without_line_numbers(page) for page in pages]
    repeated = _repeated(pages, heights)

    def is_margin(piece: Piece, page: list[Piece], height: float) -> bool:
        return _in_zone(piece, height) and (_sign(piece) in repeated or _is_number(piece, page))

    return [
        [piece for piece in page if not is_margin(piece, page, height)]
        for page, height in zip(pages, heights, strict=True)
    ]


def _in_zone(piece: Piece, height: float) -> bool:
    return piece.top < ZONE * height or piece.bottom > (1 - ZONE) * height


Sign = tuple[str, int]


def _sign(piece: Piece) -> Sign:
    """Return what a running head has in common on all pages: its words, and how far down it stands."""
    return re.sub(r"\d+|\b[ivxl]+\b", "#", piece.text), round(piece.baseline / SAME)


def _repeated(pages: Pages, heights: Sequence[float]) -> set[Sign]:
    """Return the signs of what stands at the same place of many pages; left and right ones may differ."""
    on_pages: Counter[Sign] = Counter()
    for page, height in zip(pages, heights, strict=True):
        on_pages.update({_sign(piece) for piece in page if _in_zone(piece, height)})
    near: Counter[Sign] = Counter()
    for (words, place), count in on_pages.items():
        for around in (place - 1, place, place + 1):
            near[words, around] += count
    return {sign for sign, count in near.items() if count >= max(2, 0.3 * len(pages))}


def _is_number(piece: Piece, page: list[Piece]) -> bool:
    """Tell whether a piece is a page's number, alone in its line."""
    return PAGE_NUMBER.fullmatch(piece.text.strip()) is not None and not any(
        other is not piece and other.beside(piece) for other in page
    )


def _without_line_numbers(page: list[Piece]) -> list[Piece]:
    """Leave out numbers that count lines: many down one edge, each one or five more than the last."""
    numbers: dict[int, list[Piece]] = {}
    for piece in page:
        if piece.text.strip().isdecimal() and len(piece.text) <= 5:
            for edge in {round(piece.left / 4), round(piece.right / 4) + 100_000}:  # set left, or set right
                numbers.setdefault(edge, []).append(piece)
    counted = {id(piece) for column in numbers.values() for piece in _counting(column)}
    return [piece for piece in page if id(piece) not in counted]


def _counting(column: list[Piece]) -> Iterator[Piece]:
    column.sort(key=lambda piece: piece.baseline)
    values = [int(piece.text) for piece in column]
    steps = Counter(after - before for before, after in pairwise(values))
    regular = steps[1] + steps[5]
    if len(column) >= 10 and regular >= 0.8 * (len(column) - 1):
        yield from column
