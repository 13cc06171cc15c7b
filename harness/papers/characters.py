"""The characters of a PDF's page, put together to pieces of lines as they were drawn."""

from __future__ import annotations

import ctypes
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pypdfium2.raw as pdfium

from .paper import Box

HYPHEN = "\x02"  # stands for the hyphen of a word that goes on in the next line
APART = 1.1  # of the size of letters: a wider gap begins another piece, as between columns


@dataclass(slots=True)
class Piece:
    """Text that was drawn in one go: where it stands, in points, and how its letters look."""

    page: int
    left: float
    right: float
    baseline: float
    height: float
    text: str = ""
    faces: Counter[str] = field(default_factory=Counter)
    heights: Counter[float] = field(default_factory=Counter)

    @property
    def top(self) -> float:
        """Where its letters begin."""
        return self.baseline - 0.8 * self.height

    @property
    def bottom(self) -> float:
        """Where its letters end."""
        return self.baseline + 0.24 * self.height

    @property
    def width(self) -> float:
        """How wide it is."""
        return self.right - self.left

    @property
    def box(self) -> Box:
        """Where it stands."""
        return Box(self.page, self.left, self.top, self.right, self.bottom)

    def beside(self, other: Piece) -> bool:
        """Tell whether two pieces stand in one line."""
        shared = min(self.bottom, other.bottom) - max(self.top, other.top)
        return shared > 0.5 * min(self.height, other.height)


@dataclass(frozen=True, slots=True)
class Glyph:
    """A character as it is drawn on the page as it is shown; `angle` in quarter turns, None between them."""

    char: str
    left: float
    right: float
    baseline: float
    height: float
    face: str
    angle: int | None


@dataclass(frozen=True, slots=True)
class Upright:
    """What turns a page's own coordinates into points from the top left corner of what is shown."""

    turn: int  # quarter turns, clockwise
    left: float
    bottom: float
    width: float  # of the page as it is shown
    height: float

    @staticmethod
    def of(page: Any) -> Upright:
        """Read how a page is cut and turned."""
        left, bottom, _right, _top = page.get_cropbox()
        width, height = page.get_size()
        return Upright(page.get_rotation() // 90 % 4, left, bottom, width, height)

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Return where a point is shown."""
        x, y = x - self.left, y - self.bottom
        if self.turn == 0:
            return x, self.height - y
        if self.turn == 1:
            return y, x
        if self.turn == 2:
            return self.width - x, y
        return self.width - y, self.height - x


def glyphs(page: Any, text: Any) -> Iterator[Glyph | None]:
    """Yield a page's characters in the order they were drawn, None where a line was seen to end."""
    upright = Upright.of(page)
    x, y = ctypes.c_double(), ctypes.c_double()
    loose, matrix = pdfium.FS_RECTF(), pdfium.FS_MATRIX()
    name, flags = ctypes.create_string_buffer(128), ctypes.c_int()
    for index, char in _chars(text):
        if char in "\r\n":
            yield None
            continue
        if not pdfium.FPDFText_GetLooseCharBox(text, index, loose):
            continue
        pdfium.FPDFText_GetCharOrigin(text, index, x, y)
        pdfium.FPDFText_GetFontInfo(text, index, name, 128, flags)
        pdfium.FPDFText_GetMatrix(text, index, matrix)
        size = pdfium.FPDFText_GetFontSize(text, index) * math.hypot(matrix.c, matrix.d)
        angle = _quarter(pdfium.FPDFText_GetCharAngle(text, index), upright.turn)
        ends = upright.point(loose.left, loose.bottom), upright.point(loose.right, loose.top)
        (left, right), (top, bottom) = (sorted(pair) for pair in zip(*ends, strict=True))
        face = name.value.decode("latin-1").rpartition("+")[2]  # a part of a face has a mark before its name
        yield Glyph(char, left, right, upright.point(x.value, y.value)[1], size or bottom - top, face, angle)


def _chars(text: Any) -> Iterator[tuple[int, str]]:
    """Yield characters with their places; pdfium holds those beyond the first 65,536 in two halves."""
    high = 0
    for index in range(text.count_chars()):
        code = pdfium.FPDFText_GetUnicode(text, index)
        if 0xD800 <= code < 0xDC00:
            high = code
            continue
        if 0xDC00 <= code < 0xE000:
            code = 0x10000 + (high - 0xD800) * 0x400 + code - 0xDC00 if high else 0xFFFD
        high = 0
        if code in (2, 0xFFFE):
            yield index, HYPHEN
        elif code:
            yield index, chr(code)


def _quarter(radians: float, turn: int) -> int | None:
    """Return a direction of writing as quarter turns of what is shown, None between them."""
    quarters = radians / (math.pi / 2)
    near = round(quarters)
    return (near + turn) % 4 if abs(quarters - near) < 0.05 else None


def pieces(number: int, page: Any, text: Any) -> list[Piece]:
    """Return the pieces of lines of a page, those alone that are written as it is read."""
    found: list[Piece] = []
    current: Piece | None = None
    spaces = ""
    for glyph in glyphs(page, text):
        if glyph is None:
            current = None
        elif glyph.char.isspace():
            spaces = " "
            continue
        elif glyph.angle == 0:
            if current is None or not _goes_on(current, glyph):
                current = Piece(number, glyph.left, glyph.right, glyph.baseline, glyph.height)
                found.append(current)
                spaces = ""
            _add(current, spaces, glyph)
        spaces = ""
    return [piece for piece in found if piece.text.strip() and piece.height > 0]


def _goes_on(piece: Piece, glyph: Glyph) -> bool:
    """Tell whether a character follows in the same line: raised and lowered ones do."""
    gap = glyph.left - piece.right
    if not -1.5 * piece.height < gap < APART * piece.height:
        return False
    return abs(glyph.baseline - piece.baseline) < 0.6 * max(piece.height, glyph.height)


def _add(piece: Piece, spaces: str, glyph: Glyph) -> None:
    piece.text += spaces + glyph.char
    piece.left, piece.right = min(piece.left, glyph.left), max(piece.right, glyph.right)
    if glyph.height > piece.height * 1.05:  # a line that began with what is raised
        piece.height, piece.baseline = glyph.height, glyph.baseline
    if glyph.char.isalnum():
        piece.faces[glyph.face] += 1
        piece.heights[round(glyph.height, 1)] += 1
