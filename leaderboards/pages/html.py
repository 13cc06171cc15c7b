"""HTML that escapes whatever is put into it: model names and answers are strangers' text."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from harness.files.visible import visible

# No inline script or style, nothing from elsewhere: a name that slips through could still do nothing.
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'"
)
VOID = {"br", "hr", "img", "input", "link", "meta"}


class Html(str):
    """Markup that was built here, and is not escaped again."""

    __slots__ = ()


Child = str | Iterable["Child"] | None


def h(name: str, /, *children: Child, **attributes: object) -> Html:
    """Return an element. Text is escaped; `class_` and `aria_label` read as HTML names; None is left out."""
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in VOID:
        return Html(f"<{name}{written}>")
    return Html(f"<{name}{written}>{_text(children)}</{name}>")


def _attribute(key: str, value: object) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    if name == "viewBox".lower():
        name = "viewBox"
    return f" {name}" if value is True else f' {name}="{escape(visible(str(value)), quote=True)}"'


def _text(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Html):
        return str(child)
    if isinstance(child, str):
        return escape(visible(child), quote=False)
    return "".join(map(_text, child))


def page(title: str, *body: Child, root: str = "", script: bool = True) -> str:
    """Return a whole page; `root` leads to the folder of the assets."""
    head = h(
        "head",
        h("meta", charset="utf-8"),
        h("meta", http_equiv="Content-Security-Policy", content=POLICY),
        h("meta", name="viewport", content="width=device-width, initial-scale=1"),
        h("meta", name="color-scheme", content="light dark"),
        h("title", title),
        h("link", rel="stylesheet", href=f"{root}assets/board.css"),
        h("script", src=f"{root}assets/board.js", defer=True) if script else None,
    )
    skip = h("a", "Skip to content", class_="skip", href="#content")
    return f"<!doctype html>\n{h('html', head, h('body', skip, body), lang='en')}\n"
