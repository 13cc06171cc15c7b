"""A table as Markdown, CSV, JSON and LaTeX. Names of models are strangers' text: each form escapes them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ..board.shapes import Cell, Line, Table
from ..plain import canonical
from . import numbers
from .notes import has_overall, notes, title
from .numbers import OVERALL_METRIC, heading, number, rank_range, with_spread

CSV_FACTS = ("low", "high", "rank best", "rank worst", "sd of trainings", "sd of samplings")
MEDAL_SIGNS = {"gold": "🥇", "silver": "🥈", "bronze": "🥉", "": ""}


def columns(table: Table) -> list[Mapping[str, Any]]:
    """Return the measures that a table shows, overall first where there is one."""
    return [*([OVERALL_METRIC] if has_overall(table) else []), *table["metrics"]]


def lead(line: Line, shown: Sequence[Mapping[str, Any]]) -> Cell:
    """Return the cell whose rank is the row's rank; where no measure ranks, one without a rank."""
    ranking = [metric for metric in shown if metric["ranked"]]
    return cell(line, ranking[0]) if ranking else Cell(value=None, note="", rank=None)


def cell(line: Line, metric: Mapping[str, Any]) -> Cell:
    """Return a line's cell of a measure."""
    return line["overall"] if metric["name"] == "overall" else line["scores"][metric["name"]]


def markdown(table: Table) -> str:
    """Return a table as Markdown with its notes."""
    shown = columns(table)
    head = ["rank", "model", "trust", *(heading(metric) for metric in shown)]
    lines = [_row(head), _row(["---:", "---", "---", *("---:" for _ in shown)])]
    lines += [_row(_line_cells(line, shown)) for line in table["lines"]]
    for row in table["reported"]:
        values = [number(row["scores"].get(metric["name"]), metric) for metric in shown]
        lines.append(_row(["", f"*{_md(row['name'])}*", "reported", *values]))
    parts = [f"## {_md(title(table))}", "\n".join(lines)]
    parts += [_health(table)] if table["lines"] else []
    parts += ["\n".join(f"- {_md(note)}" for note in notes(table))]
    if table["reported"]:
        parts.append(_sources(table))
    return "\n\n".join(parts) + "\n"


def _line_cells(line: Line, shown: Sequence[Mapping[str, Any]]) -> list[str]:
    first = lead(line, shown)
    sign = MEDAL_SIGNS[first.get("medal", "")]
    values = []
    for metric in shown:
        found = cell(line, metric)
        text = with_spread(found, metric)
        values.append(f"**{text}**" if is_best(found) else text)
    return [f"{sign} {rank_range(first)}".strip(), _md(_name(line)), line["trust"], *values]


def _name(line: Line) -> str:
    seeds = len(line["members"])
    return str(line["name"]) + (f", {seeds} seeds" if seeds > 1 else "")


def _health(table: Table) -> str:
    """Return the table of what scores do not show."""
    names, rows = health_rows(table)
    head = [_row(["model", *names]), _row(["---", *("---:" for _ in names)])]
    body = [_row([_md(_name(line)), *cells]) for line, cells in zip(table["lines"], rows, strict=True)]
    return "\n".join([*head, *body])


def health_rows(table: Table) -> tuple[list[str], list[list[str]]]:
    """Return the names of the health columns that any line has, and every line's cells."""
    found = [dict(health_cells(line)) for line in table["lines"]]
    names = max((list(cells) for cells in found), key=len)
    return names, [[cells.get(name, numbers.DASH) for name in names] for cells in found]


def health_cells(line: Line) -> list[tuple[str, str]]:
    """Return the health columns of a line as they are shown."""
    facts, cost, clean = line["health"], line["cost"], line["clean"]
    rows = facts["rows"]
    cells = [
        ("empty", numbers.share(facts["empty"], rows)),
        ("truncated", numbers.share(facts["truncated"], rows)),
        ("unread", numbers.share(facts["unread"], rows)),
        ("distinct", f"{facts['distinct']:,}"),
    ]
    if "valid" in facts:
        cells.append(("molecules", numbers.share(facts["valid"], rows)))
        cells.append(("distinct molecules", f"{facts['distinct_molecules']:,}"))
    if "copied" in facts:
        cells.append(("from training", numbers.share(facts["copied"], rows)))
    cells.append(("not in training", f"{clean['rows']:,}" if clean["overlap"] else numbers.DASH))
    cells.append(("time", numbers.seconds(cost["seconds"])))
    cells.append(("energy", f"{cost['energy_wh']:g} Wh" if cost["energy_wh"] is not None else numbers.DASH))
    cells.append(("parameters", numbers.big(cost["parameters"])))
    return cells


def _sources(table: Table) -> str:
    lines = []
    for row in table["reported"]:
        note = f" ({_md(row['note'])})" if row.get("note") else ""
        lines.append(f"- {_md(row['name'])}: {_md(row['source'])}{note}")
    return "Sources of the reported numbers:\n\n" + "\n".join(dict.fromkeys(lines))


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _md(text: str) -> str:
    """Escape what Markdown, or HTML inside it, would take as markup."""
    flat = " ".join(str(text).split())
    return re.sub(r"([\\`*_{}\[\]<>|~#])", r"\\\1", flat).replace("&", "&amp;")


def as_csv(table: Table) -> str:
    """Return a table as CSV with every digit; reported rows come last, without ranks."""
    shown = columns(table)
    head = ["name", "id", "trust", "seeds", "sample", "data", "task_version"]
    for metric in shown:
        name = metric["name"]
        head += [name, *(f"{name} {what}" for what in CSV_FACTS)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*head, "mean win rate", "borda", "source"])
    facts = [table["sample"], table["digest"], table["version"]]
    for line in table["lines"]:
        values: list[object] = []
        for metric in shown:
            values += _csv_cells(cell(line, metric))
        start = [_inert(line["name"]), line["id"], line["trust"], len(line["members"]), *facts]
        writer.writerow([*start, *values, line["win_rate"], line["borda"], ""])
    for row in table["reported"]:
        values = []
        for metric in shown:
            values += [row["scores"].get(metric["name"]), *([None] * len(CSV_FACTS))]
        start = [_inert(row["name"]), "", "reported", None, table["sample"], row["data"], ""]
        writer.writerow([*start, *values, None, None, _inert(row["source"])])
    return text.getvalue()


def _csv_cells(found: Cell) -> list[object]:
    bounds: Sequence[object] = found.get("interval") or [None, None]
    ranks: Sequence[object] = found.get("rank_range") or [found["rank"]] * 2
    return [found["value"], *bounds, *ranks, found.get("training_sd"), found.get("sampling_sd")]


def _inert(text: str) -> str:
    """Keep a spreadsheet from taking a name for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def latex(table: Table) -> str:
    """Return a booktabs table with the best group of each column bold."""
    shown = columns(table)
    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_tex(title(table))}. Bold: cannot be told from the best (paired test, Holm).}}",
        rf"\label{{tab:{table['id']}}}",
        rf"\begin{{tabular}}{{ll{'r' * len(shown)}}}",
        r"\toprule",
        _tex_row(["Model", "Rank", *(_tex_heading(metric) for metric in shown)]),
        r"\midrule",
    ]
    for line in table["lines"]:
        rank = rank_range(lead(line, shown)).replace("–", "--")
        values = [_tex_cell(cell(line, metric), metric) for metric in shown]
        lines.append(_tex_row([_tex(_name(line)), rank, *values]))
    if table["reported"]:
        lines += [r"\midrule", rf"\multicolumn{{{len(shown) + 2}}}{{l}}{{\emph{{reported elsewhere}}}} \\"]
        for row in table["reported"]:
            values = [_tex_number(row["scores"].get(metric["name"]), metric) for metric in shown]
            lines.append(_tex_row([_tex(row["name"]), "--", *values]))
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}"]) + "\n"


def _tex_row(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def _tex_heading(metric: Mapping[str, Any]) -> str:
    return _tex(metric["name"]) + ("" if metric["higher_is_better"] else r" $\downarrow$")


def _tex_cell(found: Cell, metric: Mapping[str, Any]) -> str:
    text = _tex_number(found["value"], metric)
    if bounds := found.get("interval"):
        text += rf" {{\scriptsize $\pm${number((bounds[1] - bounds[0]) / 2, metric)}}}"
    return rf"\textbf{{{text}}}" if is_best(found) else text


def _tex_number(value: float | None, metric: Mapping[str, Any]) -> str:
    return number(value, metric).replace("–", "--")


TEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%",
    "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "–": "--",
}  # fmt: skip


def _tex(text: str) -> str:
    return "".join(TEX.get(char, char) for char in " ".join(str(text).split()))


def terminal(table: Table) -> dict[str, Any]:
    """Return what a workbench shows: title, columns, rows, which cells are best, which rows are grey."""
    shown = columns(table)
    rows, best, muted = [], set(), set()
    for place, line in enumerate(table["lines"]):
        values = [with_spread(cell(line, metric), metric) for metric in shown]
        rows.append([_name(line), rank_range(lead(line, shown)), line["trust"], *values])
        best |= {(place, at) for at, metric in enumerate(shown, 3) if is_best(cell(line, metric))}
    for row in table["reported"]:
        muted.add(len(rows))
        values = [number(row["scores"].get(metric["name"]), metric) for metric in shown]
        rows.append([row["name"], "", "reported", *values])
    head = ["model", "rank", "trust", *(heading(metric) for metric in shown)]
    facts = {"title": title(table), "columns": head, "rows": rows, "notes": list(notes(table))}
    return facts | {"best": best, "muted": muted}


def is_best(found: Cell) -> bool:
    """Whether a cell cannot be told from the best of its column, and not all cells are such."""
    return bool(found.get("medal")) and found.get("group") == 0


def as_json(table: Table) -> str:
    """Return the whole table."""
    return canonical(dict(table))


FORMATS: Mapping[str, tuple[str, Callable[[Table], str]]] = {
    "json": (".json", as_json),
    "md": (".md", markdown),
    "csv": (".csv", as_csv),
    "tex": (".tex", latex),
}


def all_forms(table: Table, formats: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield file name and content of each form."""
    for name in formats:
        ending, render = FORMATS[name]
        yield f"{table['id']}{ending}", render(table)
