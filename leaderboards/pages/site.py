"""A static site: opened from a folder it works without a server, a CDN or a line of inline script."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

from harness.files.writing import write

from ..board import history
from ..board.shapes import Cell, Line, Table
from ..board.store import Store
from ..plain import digest
from . import numbers, plots
from .card import card_page
from .html import Child, Html, h, page
from .notes import SAMPLE, asked_with, notes, title
from .numbers import rank_range
from .render import FORMATS, cell, columns, health_rows, is_best, lead

MAX_CURVES = 8
ASSETS = ("board.css", "board.js")


def write_site(store: Store, tables: Sequence[Table], site: Path) -> Path:
    """Write all pages of a board's tables anew into the folder `site` and return the first one's path."""
    shutil.rmtree(site, ignore_errors=True)
    write_assets(site)
    for table in tables:
        write(site / f"{table['id']}.html", table_page(table), durable=False)
        for ending, render in FORMATS.values():
            write(site / "files" / f"{table['id']}{ending}", render(table), durable=False)
        for line in table["lines"]:
            samples = store.samples(table["task"], line["id"])
            text = card_page(table, line, samples, partial(keep_picture, site), root="../../")
            write(site / "rows" / table["id"] / f"{line['id']}.html", text, durable=False)
    write(site / "history.html", history_page(history.entries(store.history)), durable=False)
    write(site / "index.html", index_page(tables), durable=False)
    return site / "index.html"


def write_assets(folder: Path) -> None:
    """Write what pages look like and sort with."""
    for name in ASSETS:
        asset = resources.files(__package__).joinpath("assets", name)
        write(folder / "assets" / name, asset.read_bytes(), durable=False)


def keep_picture(folder: Path, svg: str) -> str:
    """Keep a picture once, however many rows show it, and return its address from the folder."""
    path = folder / "pictures" / f"{digest(svg)[:20]}.svg"
    if not path.exists():
        write(path, svg, durable=False)
    return f"pictures/{path.name}"


def index_page(tables: Sequence[Table]) -> str:
    """Return the first page: every table with its leaders."""
    real = [table for table in tables if not table["sample"]]
    samples = [table for table in tables if table["sample"]]
    parts: list[Child] = [_overview("Real data", real)] if real else []
    if samples:
        parts += [h("h2", "Built-in samples"), h("p", SAMPLE, class_="sample")]
        parts.append(_overview("Built-in samples", samples))
    text = (
        "Every ranked number here was computed from the answers themselves. Grey rows were reported "
        "elsewhere and are not ranked."
    )
    return page(
        "Leaderboards",
        h(
            "main",
            h("h1", "Leaderboards"),
            h("p", text),
            parts,
            h("p", h("a", "History of these tables", href="history.html")),
            id="content",
        ),
    )


def _overview(caption: str, tables: Sequence[Table]) -> Html:
    rows = []
    for table in tables:
        first = [(line["name"], lead(line, columns(table))) for line in table["lines"]]
        leaders = [name for name, found in first if _leads(found)]
        options = ", ".join(f"{name}={value}" for name, value in asked_with(table).items())
        link = h("a", table["task"] + (f" ({options})" if options else ""), href=f"{table['id']}.html")
        counts = f"{len(table['lines'])} scored, {len(table['reported'])} reported"
        leader = ", ".join(leaders[:3]) + (f" and {len(leaders) - 3} more" if len(leaders) > 3 else "")
        cells = [h("td", f"{table['rows']:,} of {table['split']}"), h("td", counts)]
        rows.append(
            h("tr", h("th", link, scope="row"), cells, h("td", leader or numbers.DASH, class_="words"))
        )
    heads = [h("th", text, scope="col") for text in ("task", "rows", "entries")]
    head = h("tr", heads, h("th", "best group", scope="col", class_="words"))
    return _scrolled(h("table", h("caption", caption), h("thead", head), h("tbody", rows)), caption)


def _leads(found: Cell) -> bool:
    """Whether a row is in the best group, or first where nothing is tested."""
    return bool(found["rank"] == 1 or (found.get("rank_range") and found["group"] == 0))


def table_page(table: Table) -> str:
    """Return the page of a table: filters, the table, health, plots, notes."""
    shown = columns(table)
    nav = h("nav", h("a", "All tables", href="index.html"), " · ", h("a", "History", href="history.html"))
    files = [h("a", name, href=f"files/{table['id']}{ending}") for name, (ending, _) in FORMATS.items()]
    parts: list[Child] = [
        nav,
        h("h1", table["task"]),
        h("p", table["summary"]),
        h("p", SAMPLE, class_="sample") if table["sample"] else None,
        _filters(table),
        _scrolled(_scores(table, shown), "Scores"),
        h("p", "This table as ", [[link, " "] for link in files], class_="small"),
    ]
    if table["lines"]:
        parts += [h("h2", "Health"), _scrolled(_health(table), "Health")]
        parts += [h("h2", "Plots"), _plots(table, shown)]
    parts += [h("h2", "Notes"), h("ul", [h("li", note) for note in notes(table)])]
    if table["reported"]:
        sources = dict.fromkeys(
            (row["name"], row["source"], row.get("note", "")) for row in table["reported"]
        )
        listed = [
            h("li", f"{name}: {source}", f" ({note})" if note else None) for name, source, note in sources
        ]
        parts.append(h("details", h("summary", "Sources of the reported numbers"), h("ul", listed)))
    return page(title(table), h("main", parts, id="content"))


def _filters(table: Table) -> Html:
    levels = [level for level in table["trust"] if level in _levels(table)]
    boxes = [
        h(
            "label",
            h("input", type="checkbox", checked=True, data_trust=level),
            " ",
            level,
            title=table["trust"][level],
        )
        for level in levels
    ]
    search = h(
        "label", "Filter ", h("input", type="search", id="filter", placeholder="name", autocomplete="off")
    )
    count = h("output", "", id="count", aria_live="polite")
    return h("div", search, boxes, count, class_="filters", role="search")


def _levels(table: Table) -> set[str]:
    return {line["trust"] for line in table["lines"]} | ({"reported"} if table["reported"] else set())


def _scores(table: Table, shown: Sequence[Mapping[str, Any]]) -> Html:
    heads = [_sortable("rank", "number"), _sortable("model", "text"), _sortable("trust", "text")]
    heads += [_sortable(numbers.heading(metric), "number", metric["summary"]) for metric in shown]
    heads += [_sortable("win rate", "number", "mean over metrics of the share of other rows it beats")]
    heads += [_sortable("Borda", "number", "points: rows beaten, over all metrics")]
    rows = [_line(table, line, shown) for line in table["lines"]]
    rows += [_reported(row, shown) for row in table["reported"]]
    caption = h("caption", title(table), h("span", " Headings sort.", class_="small"))
    return h(
        "table", caption, h("thead", h("tr", heads)), h("tbody", rows), class_="scores", data_sortable=True
    )


def _sortable(text: str, kind: str, hint: str = "") -> Html:
    return h("th", h("button", text, type="button", title=hint or None), scope="col", data_kind=kind)


def _line(table: Table, line: Line, shown: Sequence[Mapping[str, Any]]) -> Html:
    first = lead(line, shown)
    medal = first.get("medal", "")
    sign = h("span", "", class_=f"medal {medal}", aria_label=medal, role="img") if medal else ""
    rank = h("td", sign, " ", rank_range(first), data_value=first["rank"], class_="rank")
    name = h("a", line["name"], href=f"rows/{table['id']}/{line['id']}.html")
    seeds = len(line["members"])
    facts: list[Child] = [name, h("span", f" {seeds} seeds", class_="small") if seeds > 1 else None]
    facts += [
        h("span", " ⚠ duplicate", class_="warning", title=f"{f['how']}: {f['of']}") for f in line["flags"][:1]
    ]
    trust = h("td", line["trust"], class_=f"trust {line['trust']}", title=line["trust_reason"])
    rate, borda = line["win_rate"], line["borda"]
    ends = [
        h("td", numbers.DASH if rate is None else f"{rate:.2f}", data_value=rate),
        h("td", numbers.DASH if borda is None else f"{borda:g}", data_value=borda),
    ]
    cells = [_cell(cell(line, metric), metric) for metric in shown]
    return h("tr", rank, h("th", facts, scope="row"), trust, cells, ends, data_trust=line["trust"])


def _cell(found: Cell, metric: Mapping[str, Any]) -> Html:
    spread = numbers.spread(found, metric)
    return h(
        "td",
        h("strong", numbers.number(found["value"], metric))
        if is_best(found)
        else numbers.number(found["value"], metric),
        h("span", f" {spread}", class_="small") if spread else None,
        data_value=found["value"],
        title=found.get("note") or None,
    )


def _reported(row: Mapping[str, Any], shown: Sequence[Mapping[str, Any]]) -> Html:
    values = [row["scores"].get(metric["name"]) for metric in shown]
    cells = [h("td", numbers.number(v, m), data_value=v) for v, m in zip(values, shown, strict=True)]
    name = h("th", row["name"], scope="row", title=row["source"])
    trust = h("td", "reported", class_="trust")
    return h("tr", h("td"), name, trust, cells, h("td"), h("td"), class_="reported", data_trust="reported")


def _health(table: Table) -> Html:
    names, texts = health_rows(table)
    heads = [_sortable("model", "text"), *(_sortable(name, "text") for name in names)]
    rows = []
    for line, shown in zip(table["lines"], texts, strict=True):
        cells = [h("td", text) for text in shown]
        rows.append(h("tr", h("th", line["name"], scope="row"), cells, data_trust=line["trust"]))
    caption = h("caption", "What a score does not show")
    return h("table", caption, h("thead", h("tr", heads)), h("tbody", rows), data_sortable=True)


def _plots(table: Table, shown: Sequence[Mapping[str, Any]]) -> list[Child]:
    parts: list[Child] = []
    for number, metric in enumerate(shown):
        points = _points(table, metric)
        if points:
            drawn = plots.intervals(points, numbers.heading(metric))
            parts.append(h("details", h("summary", numbers.heading(metric)), drawn, open=number == 0))
    for key, axis, shown_as in (
        ("seconds", "seconds to train and generate", numbers.seconds),
        ("parameters", "parameters", numbers.big),
        ("energy_wh", "energy estimate, Wh", lambda value: f"{value:g} Wh"),
    ):
        known = [
            line for line in table["lines"] if line["cost"][key] and cell(line, shown[0])["value"] is not None
        ]
        if len(known) > 1:
            drawn_points = [
                (
                    line["name"],
                    float(line["cost"][key]),
                    cell(line, shown[0])["value"] * shown[0]["scale"],
                    shown_as(line["cost"][key]),
                )
                for line in known
            ]
            label = f"{numbers.heading(shown[0])} against {axis}"
            parts.append(h("details", h("summary", label), plots.scatter(drawn_points, label, axis)))
    series = [
        (line["name"], [(float(step), float(loss)) for step, loss in line["about"]["curve"]])
        for line in table["lines"]
        if line["about"].get("curve")
    ]
    if series:
        drawn = plots.curves(series[:MAX_CURVES], "Training loss over steps")
        parts.append(h("details", h("summary", "Learning curves"), drawn))
    return parts


def _points(table: Table, metric: Mapping[str, Any]) -> list[plots.Point]:
    found = []
    for line in table["lines"]:
        value = cell(line, metric)
        if value["value"] is None:
            continue
        low, high = value["interval"] or (value["value"], value["value"])
        scale = metric["scale"]
        found.append(
            plots.Point(
                line["name"], value["value"] * scale, low * scale, high * scale,
                f"rows/{table['id']}/{line['id']}.html", is_best(value),
                numbers.with_spread(value, metric),
            )
        )  # fmt: skip
    sign = -1 if metric["higher_is_better"] else 1
    return sorted(found, key=lambda point: (sign * point.value, point.label))


def history_page(entries: Sequence[Mapping[str, Any]]) -> str:
    """Return the page of the chain: newest first, with what was taken out."""
    rows = []
    for entry in reversed(entries):
        gone = "; ".join(f"{name}: {', '.join(ids)}" for name, ids in entry["removed"].items())
        count = sum(len(state["rows"]) for state in entry["tables"].values())
        texts = [entry["date"], f"{count}", gone or numbers.DASH, entry["hash"][:16], entry["previous"][:16]]
        rows.append(h("tr", h("th", str(entry["number"]), scope="row"), [h("td", text) for text in texts]))
    names = ("entry", "date", "rows", "taken out", "hash", "previous")
    head = h("tr", [h("th", text, scope="col") for text in names])
    table = h("table", h("caption", "What was built, newest first"), h("thead", head), h("tbody", rows))
    text = (
        "Each entry carries the hash of the one before it, so that none can be changed or dropped unnoticed. "
        "The tables of every entry are kept in the folder history of the board."
    )
    body = [
        h("nav", h("a", "All tables", href="index.html")),
        h("h1", "History"),
        h("p", text),
        _scrolled(table, "History"),
    ]
    return page("History", h("main", body, id="content"))


def _scrolled(table: Html, label: str) -> Html:
    return h("div", table, class_="scroll", role="region", aria_label=label, tabindex=0)
