"""One row, followed from the data to each metric's terms, as text and as a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness import (
    Completion,
    Example,
    Explaining,
    HarnessError,
    Metric,
    Pairs,
    Request,
    Score,
    TaskView,
    Terms,
    UsageError,
    Workbench,
    nearest,
)
from harness.files.finished import COMPLETIONS, RECORD, read_record
from harness.files.rows import read_rows
from harness.files.writing import write
from harness.scoring.measure import measure, metric_of

from .board.scored import picture, read_answers
from .compare import read_any
from .intake.from_run import trained_folders
from .intake.submission import Submission
from .intake.tasks import OpenTask, reading_of
from .pages.card import PICTURED
from .pages.html import Child, Html, h, page
from .pages.notes import SAMPLE
from .pages.numbers import number
from .pages.site import write_assets
from .plain import mapping

MAX_PIECES = 200


@dataclass(frozen=True, slots=True)
class Step:
    """One stage of a row's way, with what was there."""

    title: str
    facts: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Explained:
    """A row's way, and its picture where its task draws one."""

    name: str
    task: str
    id: str
    sample: bool
    steps: Sequence[Step]
    picture: str = ""  # SVG of the row beside the answer
    notice: Sequence[str] = ()  # what people are told beside answers


def explain(path: Path, row: str, open_task: OpenTask, bench: Workbench | None = None) -> Explained:
    """Explain a row of a run or submission; the pieces of its prompt need a workbench that opens models."""
    submission = read_any(path)
    about = submission.about
    digest = str(mapping(about["data"]).get("digest", ""))
    view = open_task(submission.task, str(about["split"]), digest, reading=reading_of(about, asked=True))
    rows = {example.id: example for example in view.examples}
    if row not in rows or row not in submission.outputs:
        raise UsageError(
            f"{submission.name} has no answer to a row '{row}'", hint=nearest(row, submission.outputs)
        )
    example = rows[row]
    alone = replace(view, examples=[example])
    pairs = read_answers(replace(submission, outputs={row: submission.outputs[row]}), alone)
    ((_, prediction),) = pairs
    scores = measure(pairs, alone.metrics)
    steps = [
        Step("data", [*_inputs(example.inputs), *(("reference", text) for text in example.references)]),
        Step("prompt", _prompt(path, view, example, bench)),
        *_outputs(path, submission, row),
        Step(
            "answer read by the task",
            [("answer", said.text) for said in (prediction, *prediction.repeats)],
        ),
    ]
    for name, score in scores.items():
        entry, metric = view.metrics[metric_of(name)]
        facts = [("value of this row", number(score.value, {"scale": entry.scale, "digits": 4}))]
        facts += _terms(metric, pairs, score) if name in view.metrics else []
        facts += [(key, f"{value}") for key, value in score.details.items()] if len(facts) == 1 else []
        facts += [("note", score.note)] if score.note else []
        steps.append(Step(f"{name}: {entry.summary}", facts))
    drawn = picture(view, example, prediction.text)
    return Explained(submission.name, view.name, row, view.sample, steps, drawn, tuple(view.notice.values()))


def _terms(metric: Metric, pairs: Pairs, score: Score) -> Terms:
    """Return what a value is made of; a mean of several answers is not one thing."""
    (_, prediction) = pairs[0]
    return metric.explain(pairs, score) if isinstance(metric, Explaining) and not prediction.repeats else []


def _inputs(inputs: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(f"input {name}", text) for name, text in inputs.items()]


def _prompt(path: Path, view: TaskView, example: Example, bench: Workbench | None) -> list[tuple[str, str]]:
    """Return the exact prompt, its size, and its tokens where the run's model can be opened."""
    request = view.request(example)
    fed = _completion(path, example.id).get("prompt_tokens")
    pieces = _read(path, request, bench) if bench is not None and (path / RECORD).is_file() else []
    return [("asked", request.prompt), *([("tokens", str(fed))] if fed else []), *pieces]


def _read(path: Path, request: Request, bench: Workbench) -> list[tuple[str, str]]:
    """Return the prompt's pieces as the run's own model reads them, or why they are not known."""
    record = read_record(path)
    spec = record["spec"]
    given = Path(spec["checkpoint"]) if spec.get("checkpoint") else None
    folder = next(iter(trained_folders(record["training"], path)), given)
    try:
        asked = {"preset": spec.get("preset", ""), "options": spec.get("model_options", {})}
        model = bench.open_model(spec["model"], spec["task"], checkpoint=folder, **asked)
        with model.session as session:
            tokens = session.prompt_tokens(request)
    except HarnessError as error:
        return [("pieces", _pieces(path, request.prompt) or f"(not known: {error.message})")]
    except Exception as error:  # noqa: BLE001  a stranger's model; the rest of the row's way stands
        return [("pieces", f"(not known: {type(error).__name__}: {error})")]
    begin = [] if tokens.bos is None else [("begin-of-sequence tokens", str(tokens.bos))]
    return [*begin, ("pieces", _listed(tokens.pieces))]


def _outputs(path: Path, submission: Submission, row: str) -> list[Step]:
    """Return what was said to a row, each time that it was asked."""
    first = submission.outputs[row]
    again = [
        Step(f"output {number}", _output(path, said, f"{row}#{number}"))
        for number, said in enumerate(first.repeats, 2)
    ]
    return [Step("output", _output(path, first, row)), *again]


def _output(path: Path, output: Completion, row: str) -> list[tuple[str, str]]:
    facts = [("said", output.text)]
    completion = _completion(path, row)
    if completion.get("new_tokens"):
        facts.append(("tokens", str(completion["new_tokens"])))
    if pieces := _pieces(path, output.text):
        facts.append(("pieces", pieces))
    if output.finish:
        facts.append(("ended by", output.finish))
    if notes := completion.get("notes"):
        facts.append(("notes", ", ".join(notes)))
    if output.choice_scores:
        facts.append(("log-likelihood of each choice", ", ".join(f"{v:.3f}" for v in output.choice_scores)))
    return facts


def _completion(path: Path, row: str) -> Mapping[str, Any]:
    """Return what a run journalled of a row; a submission has nothing of the kind."""
    for file in sorted(path.glob(COMPLETIONS)) if path.is_dir() else []:
        for found in read_rows(file):
            if found.get("request_id") == row:
                return found
    return {}


def _pieces(path: Path, text: str) -> str:
    """Return a text as the tokenizer file of the run's checkpoint cuts it.

    Nothing where there is none, or where it does not give the text back: a model plugin may have added
    to what the file knows, and pieces that the model never sees must not be shown as its own.
    """
    if not (path / RECORD).is_file():
        return ""
    for folder in trained_folders(read_record(path)["training"], path):
        file = folder / "checkpoint" / "tokenizer.json"
        if file.is_file():
            try:
                # Here, because tables need no tokenizer.
                from tokenizers import Tokenizer
            except ModuleNotFoundError:
                return ""
            tokenizer = Tokenizer.from_file(str(file))
            found = tokenizer.encode(text, add_special_tokens=False)
            same = tokenizer.decode(found.ids).split() == text.split()
            return _listed(found.tokens) if same else ""
    return ""


def _listed(pieces: Sequence[str]) -> str:
    more = f" … {len(pieces) - MAX_PIECES} more" if len(pieces) > MAX_PIECES else ""
    return " ".join(pieces[:MAX_PIECES]) + more


def as_text(found: Explained) -> str:
    """Return the way of a row as text."""
    lines = [
        f"{found.name} on {found.task}, row {found.id}" + (" (synthetic sample)" if found.sample else "")
    ]
    for step in found.steps:
        lines += ["", step.title]
        for name, text in step.facts:
            first, *rest = text.split("\n")
            lines.append(f"  {name}: {first}")
            lines += [f"    {line}" for line in rest]
    lines += ["", *found.notice] if found.notice else []
    return "\n".join(lines) + "\n"


def write_page(found: Explained, folder: Path) -> Path:
    """Write the way of a row as a page with what it needs beside it."""
    parts: list[Child] = [h("h1", f"{found.name}: row {found.id}"), h("p", found.task)]
    if found.sample:
        parts.append(h("p", SAMPLE, class_="sample"))
    parts += [h("p", text, class_="note") for text in found.notice]
    if found.picture:
        write(folder / "picture.svg", found.picture)
        parts.append(h("figure", h("img", src="picture.svg", alt=PICTURED), class_="picture"))
    parts += [[h("h2", step.title), _facts(step.facts)] for step in found.steps]
    write_assets(folder)
    text = page(f"{found.name}, row {found.id}", h("main", parts, id="content"), script=False)
    write(folder / "index.html", text)
    return folder / "index.html"


def _facts(facts: Sequence[tuple[str, str]]) -> Html:
    return h("dl", [[h("dt", name), h("dd", text or "(nothing)", class_="said")] for name, text in facts])
