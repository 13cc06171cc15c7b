"""Tiny PDFs, written by hand: what stands where on which page, in one of the fonts that every reader has."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

WIDTH, HEIGHT = 612, 792
FONTS = {"text": "Times-Roman", "bold": "Times-Bold", "italic": "Times-Italic", "code": "Courier"}


class Words(NamedTuple):
    """Words on a page: `top` is the distance of their base line from the page's upper edge."""

    left: float
    top: float
    text: str
    size: float = 10
    font: str = "text"
    turned: bool = False  # written upwards


def pdf(*pages: Sequence[Words], page: str = "", trailer: str = "") -> bytes:
    """Return a PDF of pages; `page` and `trailer` are put into the dictionaries of each page and the file."""
    fonts = "".join(
        f"/{name} << /Type /Font /Subtype /Type1 /BaseFont /{base} /Encoding /WinAnsiEncoding >> "
        for name, base in FONTS.items()
    )
    kids = " ".join(f"{3 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
    ]
    for number, words in enumerate(pages):
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {WIDTH} {HEIGHT}] /Contents {4 + 2 * number} 0 R "
            f"/Resources << /Font << {fonts}>> >> {page} >>".encode()
        )
        drawn = b"\n".join(map(_drawn, words))
        objects.append(b"<< /Length %d >>\nstream\n%b\nendstream" % (len(drawn), drawn))
    return _file(objects, trailer)


def _drawn(words: Words) -> bytes:
    escaped = words.text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
    matrix = "0 1 -1 0" if words.turned else "1 0 0 1"
    place = f"{matrix} {words.left} {HEIGHT - words.top}"
    return f"BT /{words.font} {words.size} Tf {place} Tm ({escaped}) Tj ET".encode("cp1252")


def _file(objects: Sequence[bytes], trailer: str) -> bytes:
    found = b"%PDF-1.7\n"
    places = []
    for number, content in enumerate(objects, 1):
        places.append(len(found))
        found += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    start = len(found)
    size = len(objects) + 1
    found += b"xref\n0 %d\n0000000000 65535 f \n%b" % (size, table)
    end = f"trailer\n<< /Size {size} /Root 1 0 R {trailer} >>\nstartxref\n{start}\n%%EOF\n"
    return found + end.encode()


def lines(
    left: float,
    top: float,
    text: str,
    *,
    wide: int = 48,
    size: float = 10,
    font: str = "text",
    indent: bool = False,
) -> list[Words]:
    """Return text in lines of so many letters, 12 points apart; the first may be set in."""
    found = textwrap.wrap(text, wide - 3 * indent, break_on_hyphens=False)
    return [
        Words(left + (12 if indent and not number else 0), top + 12 * number, line, size, font)
        for number, line in enumerate(found)
    ]
