"""The page of a row: what it is, how it was made, what it scored, and what it said, errors first."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import numbers, plots
from .html import Child, Html, h, page
from .notes import has_overall
from .ranking import normalised
from .render import columns, health_cells

Picture = Callable[[str], str]  # keeps a molecule's drawing and returns its address; empty: nothing to draw
MAX_TEXT = 1500


def card_page(
    table: Mapping[str, Any], line: Mapping[str, Any], samples: Sequence[Mapping[str, Any]], picture: Picture
) -> str:
    """Return the page of one line of a table."""
    about = line["about"]
    parts: list[Child] = [
        h("nav", h("a", f"← {table['task']}", href=f"../../{table['id']}.html"), aria_label="Back"),
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
    parts += [h("h2", "What it said"), _samples(samples, picture)]
    return page(f"{line['name']} – {table['task']}", h("main", parts, id="content"), root="../../")


def _sample_banner(table: Mapping[str, Any]) -> Html | None:
    if not table["sample"]:
        return None
    return h("p", "Synthetic sample: not comparable with any published number.", class_="sample")


def _scores(table: Mapping[str, Any], line: Mapping[str, Any]) -> Html:
    head = [
        "metric",
        "value",
        "95 % interval",
        "rank",
        "best in",
        "p to next",
        "seed sd",
        "clean rows",
        "note",
    ]
    clean = line["clean"].get("scores", {})
    rows = []
    for metric in columns(table):
        name = metric["name"]
        cell = line["overall"] if name == "overall" else line["scores"][name]
        bounds = cell.get("interval")
        texts = [
            numbers.number(cell["value"], metric),
            f"{numbers.number(bounds[0], metric)} – {numbers.number(bounds[1], metric)}"
            if bounds
            else numbers.DASH,
            numbers.rank_range(cell),
            numbers.DASH if cell.get("best_share") is None else f"{cell['best_share']:.0%}",
            numbers.p_value(cell.get("p_next")),
            numbers.number(cell.get("seed_sd"), metric),
            numbers.number(clean.get(name), metric),
        ]
        label = h("th", numbers.heading(metric), scope="row", title=metric["summary"])
        rows.append(
            h("tr", label, [h("td", text) for text in texts], h("td", cell.get("note", ""), class_="note"))
        )
    return _scrolled(
        h("table", h("thead", h("tr", [h("th", t, scope="col") for t in head])), h("tbody", rows)), "Scores"
    )


def _profile(table: Mapping[str, Any], line: Mapping[str, Any]) -> Html | None:
    rows = []
    for metric in table["metrics"]:
        value = line["scores"][metric["name"]]["value"]
        if metric["overall"] and value is not None:
            shown = numbers.number(value, metric)
            rows.append((numbers.heading(metric), normalised(value, *metric["reference"]), shown))
    return plots.bars(rows, "From an empty answer (0) to the references (100)") if len(rows) > 1 else None


def _health_more(line: Mapping[str, Any]) -> list[tuple[str, str]]:
    common, rows = line["health"]["commonest"], line["health"]["rows"]
    facts = [("commonest answer", f"{common['times']:,} of {rows:,}: {common['answer'][:80]}")]
    for kind, count in line["clean"]["overlap"].items():
        facts.append((f"rows that training gives away: {kind}", f"{count:,}"))
    if basis := line["cost"]["energy_basis"]:
        facts.append(("energy is an estimate from", basis))
    return facts


def _made(line: Mapping[str, Any], table: Mapping[str, Any]) -> list[tuple[str, str]]:
    about = line["about"]
    facts = [
        ("task", f"{about['task']}, version {table['version']}, split {table['split']}"),
        ("data", f"{about['data']['source']}, {table['digest']}"),
    ]
    for member in line["members"]:
        seed = f", seed {member['seed']}" if member["seed"] is not None else ""
        facts.append((f"answers{seed}", f"sha256 {member['sha256']}"))
    for group in ("model", "hardware", "origin"):
        facts += [(f"{group} {key}", str(value)) for key, value in about.get(group, {}).items()]
    for key in ("run_id", "series", "prompt_digest", "contact", "notes"):
        if key in about:
            facts.append((key.replace("_", " "), str(about[key])))
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


def _samples(samples: Sequence[Mapping[str, Any]], picture: Picture) -> Html:
    if not samples:
        return h("p", "The answers are not kept here; their hash and origin are above.")
    shown = [h("p", "The worst rows first, then a few of the best.")]
    return h("div", shown, [_sample(sample, picture) for sample in samples])


def _sample(sample: Mapping[str, Any], picture: Picture) -> Html:
    references = sample["references"]
    parts: list[Child] = [h("h3", sample["id"])]
    parts += [_text(name, text) for name, text in sample["inputs"].items()]
    parts += [_text("reference", text) for text in references[:3]]
    parts.append(_text("answer", sample["answer"]))
    if sample["raw"].strip() != sample["answer"]:
        parts.append(_text("said", sample["raw"]))
    texts = [("reference", references[0] if references else ""), ("answer", sample["answer"])]
    drawn = [(label, text, picture(text)) for label, text in texts]
    if any(address for _, _, address in drawn):
        parts.append(h("div", [_drawing(*facts) for facts in drawn], class_="molecules"))
    scores = ", ".join(f"{n} {v:.3g}" for n, v in sample["scores"].items() if v is not None)
    parts.append(h("p", scores, class_="small"))
    return h("article", parts, class_="answer")


def _drawing(label: str, text: str, address: str) -> Html:
    if not address:
        return h("figure", h("p", "no molecule", class_="nothing"), h("figcaption", label))
    image = h("img", src=address, alt=text[:200], loading="lazy", width=320, height=240)
    return h("figure", image, h("figcaption", label))


def _text(label: str, text: str) -> Html:
    cut = text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + f"… ({len(text):,} characters)"
    return h("p", h("span", label, class_="key"), " ", h("span", cut or "(nothing)", class_="said"))


def _scrolled(table: Html, label: str) -> Html:
    return h("div", table, class_="scroll", role="region", aria_label=label, tabindex=0)


def picture_name(smiles: str) -> str:
    """Return the file name of a molecule's drawing."""
    return hashlib.sha256(smiles.encode(errors="surrogatepass")).hexdigest()[:20] + ".svg"
