"""The order in which a page is read: columns from left to right, between what runs across them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from .characters import Piece

NARROWEST = 90  # points: a narrower line is none of a column of text
LINES = 3  # full lines that either side of a gutter has at least
OVERFULL = 0.15  # of a line's width that may reach over a gutter, where a word did not fit
GIVE = 2.0  # points by which a piece may reach over a gutter


@dataclass
class Line:
    """A line of one column."""

    pieces: list[Piece]

    def __post_init__(self) -> None:
        self.pieces.sort(key=lambda piece: piece.left)
        self.main = max(self.pieces, key=lambda piece: len(piece.text))
        self.left = self.pieces[0].left
        self.right = max(piece.right for piece in self.pieces)
        self.baseline = self.main.baseline
        self.page = self.main.page
        heights = sum((piece.heights for piece in self.pieces), Counter[float]())
        self.height = heights.most_common(1)[0][0] if heights else self.main.height
        faces = sum((piece.faces for piece in self.pieces), Counter[str]())
        self.face = faces.most_common(1)[0][0] if faces else ""
        self.of_one_face = faces[self.face] >= 0.9 * faces.total()

    @property
    def text(self) -> str:
        """Its text, with a space where there is a gap."""
        found = self.pieces[0].text
        for before, piece in pairwise(self.pieces):
            found += (" " if piece.left - before.right > 0.12 * self.height else "") + piece.text
        return found


@dataclass
class Column:
    """Lines one below the other."""

    lines: list[Line]

    def __post_init__(self) -> None:
        self.left = min(line.left for line in self.lines)
        self.right = max(line.right for line in self.lines)


def columns(page: Sequence[Piece]) -> Iterator[Column]:
    """Yield the columns of a page in the order of reading."""
    gutter = _gutter(page)
    if gutter is None:
        if page:
            yield Column(_lines(page))
        return
    sides = [_side(piece, gutter, page) for piece in page]
    left, across, right = ([p for p, s in zip(page, sides, strict=True) if s == side] for side in (-1, 0, 1))
    for band in [*_bands(across), []]:
        if band:
            _take_last_line(band, left, right)
        above = min((piece.top for piece in band), default=float("inf"))
        for side in (left, right):
            before = [piece for piece in side if piece.baseline < above]
            yield from columns(before)
            side[:] = [piece for piece in side if piece.baseline >= above]
        if band:
            yield Column(_lines(band))


def _gutter(page: Sequence[Piece]) -> float | None:
    """Return where a page falls into two sides of full lines, or None where it does not.

    Of all places it is the one with the most lines on the poorer side, and then the fewest across it.
    """
    if not page:
        return None
    best, run = (LINES, -len(page)), list[int]()
    for place in range(
        int(min(piece.left for piece in page)) + NARROWEST,
        int(max(piece.right for piece in page)) - NARROWEST,
    ):
        before = [piece for piece in page if piece.right <= place + GIVE]
        after = [piece for piece in page if piece.left >= place - GIVE]
        found = (min(_full(before), _full(after)), len(before) + len(after) - len(page))
        if found > best or (found == best and not run):
            best, run = found, [place]
        elif found == best and place == run[-1] + 1:
            run.append(place)
    return _edge([piece for piece in page if piece.left >= run[-1] - GIVE]) if run else None


def _edge(right: Sequence[Piece]) -> float:
    """Return where most full lines of the right side begin: what is centred stands left of it."""
    begins = Counter(round(piece.left) for piece in right if piece.width >= NARROWEST)
    return float(begins.most_common(1)[0][0]) - GIVE


def _full(side: Sequence[Piece]) -> int:
    return sum(piece.width >= NARROWEST for piece in side)


def _side(piece: Piece, gutter: float, page: Sequence[Piece]) -> int:
    """Return -1 or 1 for a side of the gutter, and 0 for what runs across it."""
    over = max(GIVE, OVERFULL * piece.width)
    if piece.right <= gutter + over:
        return -1
    if piece.left >= gutter - over:
        return 1
    middle = (piece.left + piece.right) / 2
    crowded = any(
        other.beside(piece)
        and (other.left >= piece.right or other.right <= piece.left)
        and other.width > NARROWEST
        for other in page
        if other is not piece
    )
    return (-1 if middle < gutter else 1) if crowded else 0


def _bands(across: list[Piece]) -> Iterator[list[Piece]]:
    """Yield pieces that run across, those one below the other together."""
    band: list[Piece] = []
    for piece in sorted(across, key=lambda piece: piece.baseline):
        if band and piece.top - band[-1].bottom > 1.2 * piece.height:
            yield band
            band = []
        band.append(piece)
    if band:
        yield band


def _take_last_line(band: list[Piece], left: list[Piece], right: list[Piece]) -> None:
    """Add to a band its last line, which may be too short to run across."""
    low = max(band, key=lambda piece: piece.baseline)
    for piece in left:
        follows = (
            0 < piece.baseline - low.baseline < 1.8 * low.height and 0.95 < piece.height / low.height < 1.05
        )
        if follows and abs(piece.left - low.left) < 3 and not any(other.beside(piece) for other in right):
            band.append(piece)
            left.remove(piece)
            return


def _lines(side: Sequence[Piece]) -> list[Line]:
    """Put pieces together to lines, from the top down."""
    rows: list[list[Piece]] = []
    for piece in sorted(side, key=lambda piece: piece.baseline):
        row = next((row for row in rows[-3:] if any(piece.beside(other) for other in row)), None)
        if row is None:
            rows.append([piece])
        else:
            row.append(piece)
    return sorted((Line(row) for row in rows), key=lambda line: line.baseline)
