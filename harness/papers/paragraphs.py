"""Lines of columns parted into paragraphs, each with what it is: text, heading, caption, table, note."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from .columns import Column, Line
from .paper import CAPTION, HEADING, NOTE, TABLE, TEXT, Box, around

CAPTIONED = re.compile(
    r"(?:(?:supplementary|extended data)\s+)?"
    r"(?:figure|fig|table|tab|algorithm|listing|scheme|chart|box)\.?\s*"
    r"(?:[SA]?\.?\d+(?:\.\d+)*|[IVX]+\b)(?:\s*\([a-z]\))?\s*(?:[:.|]|[–—]|$)|[图表]\s*\d+",
    re.IGNORECASE,
)
NUMBERED = re.compile(  # a bare A or I is rather a word
    r"(?:\d{1,2}(?:\.\d{1,2})*[.)]?|[IVX]+[.)]|[A-Z](?:\.\d{1,2})+[.)]?|[A-Z][.)]|[B-HJ-Z])\s+[A-Z\u4e00-\u9fff]"
)
KNOWN = re.compile(
    r"(?:abstract|summary|introduction|background|related work|methods?|materials and methods|experiments?|"
    r"results?|discussion|results and discussion|conclusions?|limitations|acknowledge?ments?|references|"
    r"bibliography|appendix|supplementary material|摘要|引言|结论|参考文献)[.:]?",
    re.IGNORECASE,
)
BULLET = re.compile(r"[•◦▪‣∙·*–—]\s")
ITEM = re.compile(r"(?:\(?\d{1,2}[.)]|\(?[a-z]\)|\[\d+\])\s")
MARKED = re.compile(r"[\d*†‡§¶∗]")
SMALL, LARGE = 0.93, 1.05  # of the letters of running text: below are notes, above headings
ENDS = (".", "?", "!", ":", ";", "。", "？", "！", ".”", ".)", '."')


@dataclass(frozen=True, slots=True)
class Body:
    """How the running text of a paper looks: what is otherwise is something else."""

    height: float
    face: str

    @staticmethod
    def of(lines: Sequence[Line]) -> Body:
        """Take the look of most letters."""
        looks: Counter[tuple[float, str]] = Counter()
        for line in lines:
            looks[line.height, line.face] += len(line.text)
        height, face = looks.most_common(1)[0][0]
        return Body(height, face)


@dataclass(slots=True)
class Block:
    """Lines of one column that belong together."""

    lines: list[Line]
    column: Column
    kind: str = TEXT

    @property
    def texts(self) -> list[str]:
        """The texts of its lines."""
        return [line.text for line in self.lines]

    @property
    def height(self) -> float:
        """How large its letters are."""
        return median(line.height for line in self.lines)

    @property
    def box(self) -> Box:
        """Where it stands."""
        return around([piece.box for line in self.lines for piece in line.pieces])


def blocks(column: Column, body: Body) -> Iterator[Block]:
    """Part a column into blocks, and say of each what it is."""
    step = _step(column.lines)
    current: list[Line] = []
    for place, line in enumerate(column.lines):
        after = column.lines[place + 1] if place + 1 < len(column.lines) else None
        if current and _begins(line, current, after, column, step):
            yield _block(current, column, body)
            current = []
        current.append(line)
    if current:
        yield _block(current, column, body)


def _step(lines: Sequence[Line]) -> float:
    """Return how far one line stands below the other."""
    steps = [b.baseline - a.baseline for a, b in pairwise(lines)]
    close = [step for step, line in zip(steps, lines, strict=False) if 0 < step < 2.4 * line.height]
    return median(close or [1.2 * line.height for line in lines])


def _begins(line: Line, current: Sequence[Line], after: Line | None, column: Column, step: float) -> bool:
    """Tell whether a line begins another block than those before it."""
    before = current[-1]
    if CAPTIONED.match(line.text) or BULLET.match(line.text):
        return True
    if ITEM.match(line.text) and before.text.endswith(ENDS):
        return True
    if line.baseline - before.baseline > max(1.3 * step, 1.6 * line.height):
        return True
    if not alike(line.height, before.height) and min(len(line.text), len(before.text)) > 3:
        return True
    if line.face != before.face and (_stands_out(before) or _stands_out(line)):
        return True
    return _indented(line, before, after, current) or _ended(before, line, column)


def alike(height: float, other: float) -> bool:
    """Tell whether two texts are set in letters of one size, but for what is raised or lowered in them."""
    return 0.9 < height / other < 1.11


def _stands_out(line: Line) -> bool:
    """Tell whether a whole line is set as a heading is."""
    return line.of_one_face and (_bold(line) or bool(NUMBERED.match(line.text) and len(line.text) < 80))


def _indented(line: Line, before: Line, after: Line | None, current: Sequence[Line]) -> bool:
    """Tell whether a line is set in, after one that is not and before one that is not."""
    far = 0.6 * line.height
    if line.left - before.left < far or line.left - before.left > 7 * line.height:
        return False
    return len(current) > 1 and (after is None or line.left - after.left >= far)


def _ended(before: Line, line: Line, column: Column) -> bool:
    """Tell whether the line before ends a sentence early, and another sentence begins."""
    short = column.right - before.right > 0.2 * (column.right - column.left)
    return short and before.text.endswith(ENDS) and not line.text[:1].islower()


def _block(lines: list[Line], column: Column, body: Body) -> Block:
    block = Block(lines, column)
    block.kind = _kind(block, body)
    return block


def _kind(block: Block, body: Body) -> str:
    text = " ".join(block.texts)
    if CAPTIONED.match(text):
        return CAPTION
    if _is_heading(block, text, body):
        return HEADING
    if _is_tabular(block, text):
        return TABLE
    if block.height >= SMALL * body.height:
        return TEXT
    if len(text.split()) > 3 and _is_low(block):
        return NOTE
    return TEXT if len(text.split()) > 12 else TABLE


def _is_heading(block: Block, text: str, body: Body) -> bool:
    """Tell whether a block is short and set apart: by a known name, a number, its face or its size."""
    if KNOWN.fullmatch(text):
        return True
    numbered = NUMBERED.match(text) is not None
    if not _is_short(block, text.partition(" ")[2] if numbered else text):
        return False
    if not numbered and text.endswith((".", ",", ";", ":")):
        return False
    bold = all(map(_bold, block.lines))
    small = block.height < SMALL * body.height
    if small and not (bold or text.isupper()):  # small capitals are small
        return False
    other = all(line.of_one_face and line.face != body.face for line in block.lines)
    if numbered:
        return other or text.isupper()
    return other and (block.height > LARGE * body.height or (bold and not small))


def _is_short(block: Block, text: str) -> bool:
    """Tell whether a block is a few words."""
    letters = sum(map(str.isalpha, text))
    few = len(block.lines) <= 3 and len(text.split()) <= 16
    return few and letters >= 4 and letters >= 0.6 * len(text.replace(" ", ""))


def _bold(line: Line) -> bool:
    return re.search(r"bold|black|medi|demi|heavy|bx\d", line.face, re.IGNORECASE) is not None


def _is_tabular(block: Block, text: str) -> bool:
    """Tell whether a block is no running text: cells beside each other, labels, formulas."""
    apart = sum(_has_gaps(line) for line in block.lines)
    letters = sum(char.isalpha() for char in text)
    if apart >= 0.5 * len(block.lines) and not (len(block.lines) == 1 and len(text.split()) > 8):
        return True
    words = sum(len(word) > 2 and word.isalpha() for word in text.split())
    formula = "=" in text and words < 0.3 * len(text.split())
    return formula or letters < 0.5 * len(text.replace(" ", "")) or len(text.split()) < 3


def _has_gaps(line: Line) -> bool:
    """Tell whether a line is of cells: pieces with wide gaps."""
    return any(b.left - a.right > 1.2 * line.height for a, b in pairwise(line.pieces))


def _is_low(block: Block) -> bool:
    """Tell whether nothing stands below a block in its column."""
    return block.lines[-1] is block.column.lines[-1] or bool(MARKED.match(block.lines[0].text))


def settled(found: Sequence[Block]) -> Sequence[Block]:
    """Take back headings that no text follows in their column: labels of figures look like them."""
    for block, after in zip(reversed(found[:-1]), reversed(found[1:]), strict=True):
        text = " ".join(block.texts)
        if block.kind == HEADING and after.kind in (TABLE, CAPTION) and not is_named(text):
            block.kind = TABLE
    return found


def is_named(text: str) -> bool:
    """Tell whether a heading has a number, or a name that many papers' sections have."""
    return bool(KNOWN.fullmatch(text) or NUMBERED.match(text))
