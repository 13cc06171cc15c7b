"""A page as a picture, with passages marked on it. This is called in a process of its own (`apart`)."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from PIL import Image, ImageChops, ImageDraw, ImageFont

from .paper import Box
from .reading import opened, page_of

SCALE = 2.0  # pixels a point
LONGEST = 2200  # pixels of a page's longer side, whatever size it claims
PAPER, FILL, EDGE = "white", (255, 236, 120), (170, 110, 0)


def draw(data: bytes, number: int, marks: Sequence[tuple[str, Box]]) -> bytes:
    """Return a page as PNG, each marked box with its name at its upper left."""
    page = page_of(opened(data), number)
    scale = min(SCALE, LONGEST / max(page.get_size()))
    picture = page.render(scale=scale, may_draw_forms=False).to_pil().convert("RGB")
    layer = Image.new("RGB", picture.size, PAPER)
    pen = ImageDraw.Draw(layer)
    for _, box in marks:
        pen.rectangle(_pixels(box, scale), fill=FILL)
    marked = ImageChops.multiply(picture, layer)  # so that letters stay as dark as they were
    _add_names(ImageDraw.Draw(marked), marks, scale)
    png = io.BytesIO()
    marked.save(png, "PNG")
    return png.getvalue()


def _add_names(pen: Any, marks: Sequence[tuple[str, Box]], scale: float) -> None:
    font = ImageFont.load_default(size=11 * scale)
    for name, box in marks:
        left, top, right, bottom = _pixels(box, scale)
        pen.rectangle((left, top, right, bottom), outline=EDGE, width=max(1, round(scale)))
        width = pen.textlength(name, font=font) + 6 * scale
        tag = (max(0, left - width), top, max(width, left), top + 14 * scale)
        pen.rectangle(tag, fill=EDGE)
        pen.text((tag[0] + 3 * scale, top), name, fill=PAPER, font=font)


def _pixels(box: Box, scale: float) -> tuple[float, float, float, float]:
    around = 1.5
    return (
        (box.left - around) * scale,
        (box.top - around) * scale,
        (box.right + around) * scale,
        (box.bottom + around) * scale,
    )
