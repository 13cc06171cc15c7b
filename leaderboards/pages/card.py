"""The page of a row: what it is, how it was made, what it scored, and what it said, errors first."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..board.ranking import normalised
from ..board.shapes import Line, Table
from ..board.tables import SEEDS
from . import numbers, plots
from .html import Child, Html, h, page
from .notes import SAMPLE, has_overall
from .render import cell as find_cell
from .render import columns, health_cells

Keep = Callable[[str], str]  # keeps a picture's SVG and returns its address from the pages' folder
MAX_TEXT = 1500
ALWAYS = ("value", "95 % interval", "rank")  # other columns are left out where no metric has them
PICTURED = "the row beside the answer; the text next to it says the same"


def card_page(
    table: Table,
    line: Line,
    samples: Sequence[Mapping[str, Any]],
    keep: Keep,
    root: str,
) -> str:
    """Return the page of one line of a table; `root` leads to the folder of tables, or is empty alone."""
    about = line["about"]
    parts: list[Child] = [
        h("nav", h("a", f"← {table['task']}", href=f"{root}{table['id']}.html"), aria_label="Back")
        if root
        else None,
        h("h1", line["name"]),
        _sample_banner(table),
        h("p", h("strong", line["trust"]), f": {line['trust_reason']}"),
        [h("p", f"⚠ {flag['how']}: {flag['of']}", class_="warning") for flag in line["flags"]],
        h("p", f"Not ranked: {line['unrankable']}", class_="warning")
        if line["unrankable"] and has_overall(table)
        else None,
        h("h2", "Scores"),
        _scores(table, line),
        _profile(table, line),
        [_parts(metric, line) for metric in table["metrics"] if metric["name"] in line["details"]],
        h("h2", "Health"),
        _facts([(name, text) for name, text in health_cells(line)] + _health_more(line)),
    ]
    if about.get("curve"):
        points = [(float(step), float(loss)) for step, loss in about["curve"]]
        parts += [
            h("h2", "Learning curve"),
            plots.curves([("training loss", points)], "Training loss over steps"),
        ]
    parts += [h("h2", "How it was made"), _facts(_made(line, table))]
    if command := about.get("command"):
        parts += [h("h3", "Command"), h("pre", shlex.join(command), tabindex=0)]
    if prompt := about.get("prompt"):
        parts += [h("h3", "Prompt"), h("pre", prompt, tabindex=0)]
    parts += [_details("Generation", about.get("generation")), _details("Training", about.get("training"))]
    parts += [_details("Environment", about.get("environment")), _details("Scored with", line["toolkit"])]
    parts += [h("h2", "What it said"), *(h("p", text, class_="note") for text in table.get("notice", ()))]
    parts += [_samples(samples, lambda svg: root + keep(svg))]
    return page(f"{line['name']} – {table['task']}", h("main", parts, id="content"), root=root)


def _sample_banner(table: Table) -> Html | None:
    if not table["sample"]:
        return None
    return h("p", SAMPLE, class_="sample")


def _scores(table: Table, line: Line) -> Html:
    shown = columns(table)
    if not shown:
        return h("p", "No metric of this task can be computed here.")
    facts = [_score_facts(line, metric) for metric in shown]
    names = [name for name in facts[0] if name in ALWAYS or any(row[name] != numbers.DASH for row in facts)]
    rows = []
    for metric, texts in zip(shown, facts, strict=True):
        version = f", version {metric['version']}" if metric.get("version") else ""
        label = h("th", numbers.heading(metric), scope="row", title=metric["summary"] + version)
        cells = [h("td", texts[name], class_="note" if name == "note" else None) for name in names]
        rows.append(h("tr", label, cells))
    head = [h("th", text, scope="col") for text in ("metric", *names)]
    return _scrolled(h("table", h("thead", h("tr", head)), h("tbody", rows)), "Scores")


def _score_facts(line: Line, metric: Mapping[str, Any]) -> dict[str, str]:
    cell, clean = find_cell(line, metric), line["clean"].get("scores", {})
    ends = [numbers.number(bound, metric) for bound in cell.get("interval") or ()]
    best = cell.get("best_share")
    return {
        "value": numbers.number(cell["value"], metric),
        "95 % interval": " – ".join(ends) or numbers.DASH,
        "rank": numbers.rank_range(cell),
        "best in": numbers.DASH if best is None else f"{best:.0%}",
        "p to next": numbers.p_value(cell.get("p_next")),
        "sd of trainings": numbers.number(cell.get("training_sd"), metric),
        "sd of samplings": numbers.number(cell.get("sampling_sd"), metric),
        "clean rows": numbers.number(clean.get(metric["name"]), metric),
        "note": cell.get("note") or numbers.DASH,
    }


def _profile(table: Table, line: Line) -> Html | None:
    rows = []
    for metric in table["metrics"]:
        value = line["scores"][metric["name"]]["value"]
        if metric["overall"] and value is not None:
            shown = numbers.number(value, metric)
            rows.append((numbers.heading(metric), normalised(value, *metric["reference"]), shown))
    return plots.bars(rows, "From an empty answer (0) to the references (100)") if len(rows) > 1 else None


def _parts(metric: Mapping[str, Any], line: Line) -> Html:
    """Return the parts of a metric's value, such as one for each category, as bars where they are shares."""
    parts = line["details"][metric["name"]]
    texts = {name: numbers.number(value, metric) for name, value in parts.items()}
    if all(0.0 <= value <= 1.0 for value in parts.values()):
        rows = [(name, 100 * value, texts[name]) for name, value in parts.items()]
        shown: Html = plots.bars(rows, f"Parts of {metric['name']}")
    else:
        shown = _facts(list(texts.items()))
    return h("details", h("summary", f"Parts of {metric['name']}"), shown)


def _health_more(line: Line) -> list[tuple[str, str]]:
    common, rows = line["health"]["commonest"], line["health"]["rows"]
    facts = [("commonest answer", f"{common['times']:,} of {rows:,}: {common['answer'][:80]}")]
    for kind, count in line["clean"]["overlap"].items():
        facts.append((f"rows that training gives away: {kind}", f"{count:,}"))
    if basis := line["cost"]["energy_basis"]:
        facts.append(("energy is an estimate from", basis))
    return facts


def _made(line: Line, table: Table) -> list[tuple[str, str]]:
    about = line["about"]
    facts = [
        ("task", f"{about['task']}, version {table['version']}, split {table['split']}"),
        ("data", f"{about['data']['source']}, {table['digest']}"),
    ]
    for member in line["members"]:
        seeds = [f", {key.replace('_', ' ')} {member[key]}" for key in SEEDS if member[key] is not None]
        facts.append((f"answers{''.join(seeds)}", f"sha256 {member['sha256']}"))
    for group in ("model", "hardware", "origin"):
        facts += [(f"{group} {key}", str(value)) for key, value in about.get(group, {}).items()]
    for key in ("run_id", "series", "prompt_digest", "contact", "notes"):
        if key in about:
            facts.append((key.replace("_", " "), str(about[key])))
    facts += [(f"tokens {way}", f"{count:,}") for way, count in about.get("tokens", {}).items()]
    facts += [(f"seconds to {stage}", f"{value:g}") for stage, value in about.get("seconds", {}).items()]
    return facts


def _facts(rows: Sequence[tuple[str, str]]) -> Html:
    return h("dl", [[h("dt", name), h("dd", text)] for name, text in rows])


def _details(title: str, value: object) -> Html | None:
    if not value:
        return None
    lines = list(_flat(value, ""))
    return h("details", h("summary", title), _facts(lines))


def _flat(value: object, name: str) -> Sequence[tuple[str, str]]:
    """Return nested facts as dotted names and texts."""
    if isinstance(value, Mapping):
        items = [(f"{name}.{key}" if name else str(key), item) for key, item in value.items()]
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        items = [(f"{name}{number}", item) for number, item in enumerate(value, 1)]
    else:
        return [(name, str(value))]
    return [fact for key, item in items for fact in _flat(item, key)]


def _samples(samples: Sequence[Mapping[str, Any]], keep: Keep) -> Html:
    if not samples:
        return h("p", "The rows of this task are not shown here; the hash of the answers is above.")
    shown = [h("p", "The worst rows first, then a few of the best.")]
    return h("div", shown, [_sample(sample, keep) for sample in samples])


def _sample(sample: Mapping[str, Any], keep: Keep) -> Html:
    references = sample["references"]
    parts: list[Child] = [h("h3", sample["id"])]
    parts += [_text(name, text) for name, text in sample["inputs"].items()]
    parts += [_text("reference", text) for text in references[:3]]
    parts.append(_text("answer", sample["answer"]))
    parts += [_text("further answer", text) for text in sample.get("further", ())]
    if sample["raw"].strip() != sample["answer"]:
        parts.append(_text("said", sample["raw"]))
    if sample["picture"]:
        image = h("img", src=keep(sample["picture"]), alt=PICTURED, loading="lazy")
        parts.append(h("figure", image, class_="picture"))
    scores = ", ".join(f"{n} {v:.3g}" for n, v in sample["scores"].items() if v is not None)
    parts.append(h("p", scores, class_="small"))
    return h("article", parts, class_="answer")


def _text(label: str, text: str) -> Html:
    cut = text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + f"… ({len(text):,} characters)"
    return h("p", h("span", label, class_="key"), " ", h("span", cut or "(nothing)", class_="said"))


def _scrolled(table: Html, label: str) -> Html:
    return h("div", table, class_="scroll", role="region", aria_label=label, tabindex=0)
