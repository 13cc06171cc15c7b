"""A PDF read as a paper: bytes in, paragraphs in the order of reading out.

This is called in a process of its own (`apart`), for a PDF is a stranger's file and its library is in C++.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium

from harness.api import DataError

from .characters import Piece, pieces
from .columns import columns
from .margins import without_margins
from .paper import HEADING, REFERENCE, TABLE, TEXT, Box, Paper, Paragraph, around
from .paragraphs import ENDS, NUMBERED, Block, Body, alike, blocks, is_named, settled
from .words import joined, vocabulary

MOST_PAGES = 300
MOST_CHARACTERS = 3_000_000
REFERENCES = re.compile(
    r"(?:[\dIVX]+\.?\s+)?(?:references|bibliography|literature cited|参考文献)", re.IGNORECASE
)

ROMAN = re.compile(r"(?:II|III|IV|V|VI+)[.)]?\s")


def opened(data: bytes) -> Any:
    """Open a PDF; one that cannot be read says why."""
    if not data:
        raise DataError("the file is empty", hint="fetch it again")
    if b"%PDF-" not in data[:1024]:
        raise DataError("this is no PDF", hint="a PDF begins with %PDF-")
    try:
        document = pypdfium2.PdfDocument(data)
        count = len(document)
    except pypdfium2.PdfiumError as error:
        if error.err_code in (pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY):
            raise DataError(
                "this PDF is encrypted", hint="take its password away: qpdf --decrypt --password=… IN OUT"
            ) from error
        if error.err_code == pdfium.FPDF_ERR_SUCCESS:  # it found nothing wrong and nothing to open
            raise DataError("this PDF has no page", hint="make it anew from what it was made from") from error
        raise DataError("this PDF is broken", hint="open and save it anew, or: qpdf IN OUT") from error
    if count > MOST_PAGES:
        raise DataError(
            f"this PDF has {count} pages, and at most {MOST_PAGES} are read",
            hint="cut it: qpdf IN --pages . 1-50 -- OUT",
        )
    return document


def read(data: bytes) -> Paper:
    """Read a PDF."""
    document = opened(data)
    sizes, pages = [], []
    characters = 0
    for number in range(len(document)):
        page = page_of(document, number + 1)
        text = page.get_textpage()
        characters += text.count_chars()
        if characters > MOST_CHARACTERS:
            raise DataError(
                f"this PDF has more than {MOST_CHARACTERS:,} characters, which is no paper",
                hint="cut it: qpdf IN --pages . 1-50 -- OUT",
            )
        sizes.append(tuple(round(size, 2) for size in page.get_size()))
        pages.append(pieces(number + 1, page, text))
    _check_text(pages)
    found = list(_blocks(pages, [height for _, height in sizes]))
    if not found:
        raise _no_text(len(pages))
    title = _title(found, document)
    return Paper(title, tuple(sizes), tuple(_paragraphs(found, title)))


def page_of(document: Any, number: int) -> Any:
    """Open a page by its number, from 1."""
    try:
        return document[number - 1]
    except pypdfium2.PdfiumError as error:
        raise DataError(f"page {number} of this PDF is broken", hint="open and save it anew") from error


def _check_text(pages: Sequence[Sequence[Piece]]) -> None:
    """Refuse pictures of pages, and letters of which nobody wrote down what they are."""
    text = "".join(piece.text for page in pages for piece in page)
    if sum(map(str.isalnum, text)) < 20:
        raise _no_text(len(pages))
    unknown = sum(char == "\N{REPLACEMENT CHARACTER}" or "\ue000" <= char <= "\uf8ff" for char in text)
    if unknown > 0.3 * len(text):
        raise DataError(
            "this PDF does not say which letters its glyphs are",
            hint="read it by OCR: ocrmypdf --force-ocr IN OUT",
        )


def _no_text(count: int) -> DataError:
    pages = "its one page is a picture" if count == 1 else f"its {count} pages are pictures"
    return DataError(f"this PDF has no text: {pages}, or empty", hint="read it by OCR: ocrmypdf IN OUT")


def _blocks(pages: Sequence[list[Piece]], heights: Sequence[float]) -> Iterator[Block]:
    laid_out = [list(columns(page)) for page in without_margins(pages, heights)]
    lines = [line for page in laid_out for column in page for line in column.lines]
    if not lines:
        return
    body = Body.of(lines)
    for page in laid_out:
        for column in page:
            yield from settled(list(blocks(column, body)))


def _title(found: Sequence[Block], document: Any) -> str:
    """Return the largest heading of the first page, or what the file says of itself."""
    first = [block for block in found if block.lines[0].page == 1 and block.kind == HEADING]
    long = [block for block in first if not _is_section(block) and len(" ".join(block.texts).split()) > 2]
    if not long:
        return str(document.get_metadata_dict().get("Title", ""))[:300]
    size = max(block.height for block in long)
    lines = [text for block in first if block.height == size for text in block.texts]
    return joined(lines, Counter())[:300]


def _paragraphs(found: Sequence[Block], title: str) -> Iterator[Paragraph]:
    known = vocabulary([text for block in found for text in block.texts])
    above: list[tuple[int, str]] = []
    romans = any(block.kind == HEADING and ROMAN.match(block.lines[0].text) for block in found)
    begun = not any(block.kind == HEADING and _is_section(block) for block in found)
    for number, group in enumerate(_whole(found), 1):
        text = joined([text for block in group for text in block.texts], known)
        kind = group[0].kind
        begun = begun or _is_section(group[0])
        if kind == HEADING and begun and text not in title:
            level = _level(text, romans=romans)
            above = [*(one for one in above if one[0] < level), (level, text)]
        elif kind == TEXT and any(REFERENCES.fullmatch(name) for _, name in above):
            kind = REFERENCE
        section = " › ".join(name for _, name in (above[:-1] if kind == HEADING else above))
        yield Paragraph(f"p{number}", text, kind, section, tuple(_boxes(group)))


def _boxes(group: Sequence[Block]) -> Iterator[Box]:
    """Yield a box for each column in which a paragraph stands."""
    for _, blocks_of_column in groupby(group, key=lambda block: id(block.column)):
        box = around([block.box for block in blocks_of_column])
        yield Box(box.page, *(round(edge, 1) for edge in box[1:]))


def _is_section(block: Block) -> bool:
    """Tell whether a heading is a section's: those before the first are the title and the authors."""
    text = " ".join(block.texts)
    return (
        block.kind == HEADING
        and is_named(text)
        and (text[0].isdigit() or not re.match(r"[A-HJ-Z][.)]", text))
    )


def _level(heading: str, *, romans: bool) -> int:
    """Return how deep a heading stands, by its number; below roman numbers stand letters, and then digits."""
    if not NUMBERED.match(heading):
        return 1
    number = heading.split()[0].rstrip(".)")
    if romans and not re.fullmatch("[IVX]+", number):
        return 2 if number[0].isalpha() else 3
    return 1 + number.count(".")


def _whole(found: Sequence[Block]) -> Iterator[list[Block]]:
    """Put together what goes on after a formula, or in the next column past captions and tables."""
    groups: list[list[Block]] = []
    text: list[Block] | None = None
    place = 0  # of the text among the groups
    for block in found:
        if block.kind == TEXT and text is not None:
            if _goes_on(text[-1], block):
                text.append(block)
                continue
            between = [one for group in groups[place + 1 :] for one in group]
            if _is_parted(text[-1], between, block):
                text += [*between, block]
                del groups[place + 1 :]
                continue
        groups.append([block])
        if block.kind == TEXT:
            text, place = groups[-1], len(groups) - 1
        elif block.kind == HEADING:
            text = None
    yield from groups


def _is_parted(before: Block, between: Sequence[Block], block: Block) -> bool:
    """Tell whether a sentence goes on below what stands in its midst, which is then a formula."""
    formulas = all(one.kind == TABLE and one.column is block.column for one in between)
    unended = not before.lines[-1].text.endswith((".", "?", "!"))
    begun = block.lines[0].text[:1].islower()
    return bool(between) and formulas and before.column is block.column and unended and begun


def _goes_on(before: Block, block: Block) -> bool:
    """Tell whether a block is the rest of one that ended with its column."""
    if before.column is block.column or not alike(before.height, block.height):
        return False
    last, first = before.lines[-1].text, block.lines[0].text
    return first[:1].islower() or (last[-1:] in "-\x02," and first[:1].isalnum()) or not last.endswith(ENDS)
