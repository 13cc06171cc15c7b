"""What other programs keep of an evaluation, as rows of answers: scores in them are left behind.

lm-eval   samples_TASK_DATE.jsonl of `--log_samples`: a document a line, with what was said, or how likely
          each choice is
inspect   a log as JSON (`inspect log convert --to json`): samples with their outputs; epochs are repeats
lighteval a table of `--save-details`, in Parquet: documents with the model's texts or log-likelihoods
helm      scenario_state.json: requests with their instances and what was completed; trials are repeats
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from harness.api.errors import DataError
from harness.data.parquet import read_parquet
from harness.files.json_files import why_unread

PARQUET = b"PAR1"  # how such a table begins
Row = dict[str, Any]
Placed = Iterator[tuple[str, Row]]  # rows with their places, for messages


def recognise(lines: Sequence[str]) -> str:
    """Name the program that wrote a file of JSON, or nothing."""
    if '"doc_id"' in lines[0] and '"resps"' in lines[0]:
        return "lm-eval"
    if len(lines) > 1 and lines[0].strip() != "{":
        return ""
    try:
        whole = json.loads("\n".join(lines))
    except (ValueError, RecursionError):
        return ""
    if isinstance(whole, dict) and "request_states" in whole:
        return "helm"
    return "inspect" if isinstance(whole, dict) and {"samples", "eval"} <= set(whole) else ""


def lm_eval(lines: Sequence[str], where: str) -> Placed:
    """Yield a row a document; the same document under another filter is the same answer."""
    first_filter: str | None = None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        place = f"{where}, line {number}"
        logged = _loaded(line, place)
        with_filter = str(logged.get("filter", "")) if isinstance(logged, dict) else ""
        first_filter = with_filter if first_filter is None else first_filter
        if with_filter == first_filter:
            yield place, _read(_of_lm_eval, logged, place, "lm-eval")


def _of_lm_eval(logged: Row) -> Row:
    doc, said = logged["doc"], logged["resps"]
    row: Row = {"id": doc.get("id", logged["doc_id"]), "references": _references(doc, logged["target"])}
    if isinstance(said[0][0], str):
        first, *more = said[0]
        return row | {"output": first, "repeats": [{"output": text} for text in more]}
    scores = [float(choice[0][0]) for choice in said]
    shown = logged["arguments"]
    shown = list(shown.values()) if isinstance(shown, dict) else shown
    texts = [(pair["arg_1"] if isinstance(pair, dict) else pair[1]).strip() for pair in shown]
    return row | {"output": texts[scores.index(max(scores))], "choice_scores": scores}


def _references(doc: Row, target: Any) -> list[str]:
    known = doc.get("references", target)
    known = known if isinstance(known, list) else [known]
    return [text for text in known if isinstance(text, str)]


def inspect(lines: Sequence[str], where: str) -> Placed:
    """Yield a row a sample."""
    samples = _listed(lines, "samples", where)
    yield from _grouped([_read(_of_inspect, sample, where, "inspect") for sample in samples], where)


def _of_inspect(sample: Row) -> Row:
    said, target = sample["output"], sample["target"]
    return {
        "id": sample["id"],
        "output": said["completion"] if "completion" in said else said["choices"][0]["message"]["content"],
        "references": [target] if isinstance(target, str) else list(target),
    }


def helm(lines: Sequence[str], where: str) -> Placed:
    """Yield a row an instance."""
    states = _listed(lines, "request_states", where)
    yield from _grouped([_read(_of_helm, state, where, "HELM") for state in states], where)


def _of_helm(state: Row) -> Row:
    if state.get("reference_index") is not None:
        raise DataError("HELM asked for each choice on its own, which is no answer of a row")
    text = state["result"]["completions"][0]["text"]
    known = state["instance"]["references"]
    return {
        "id": state["instance"]["id"],
        "output": (state.get("output_mapping") or {}).get(text.strip(), text),
        "references": [one["output"]["text"] for one in known if "correct" in one["tags"]],
    }


def is_table(data: bytes) -> bool:
    """Whether a file's bytes are a Parquet table, which of these programs lighteval alone writes."""
    return data.startswith(PARQUET)


def lighteval(data: bytes, where: str) -> Placed:
    """Yield a row a document."""
    for number, logged in enumerate(read_parquet(io.BytesIO(data), name=where), 1):
        place = f"{where}, row {number}"
        yield place, _read(_of_lighteval, logged, place, "lighteval")


def _of_lighteval(logged: Row) -> Row:
    doc, said = logged["doc"], logged["model_response"]
    choices, right = list(doc["choices"]), doc["gold_index"]
    places = right if isinstance(right, list) else [right]
    row: Row = {"id": doc["id"], "references": [choices[place].strip() for place in places]}
    if said["text"]:
        first, *more = said["text"]
        return row | {"output": first, "repeats": [{"output": text} for text in more]}
    scores = list(said["logprobs"])
    best = choices[: len(scores)][scores.index(max(scores))]
    return row | {"output": best.strip(), "choice_scores": scores}


READERS: Mapping[str, Callable[[Sequence[str], str], Placed]] = {
    "lm-eval": lm_eval,
    "inspect": inspect,
    "helm": helm,
}


def _listed(lines: Sequence[str], key: str, where: str) -> list[Any]:
    whole = _loaded("\n".join(lines), where)
    found = whole.get(key) if isinstance(whole, dict) else None
    if not isinstance(found, list):
        raise DataError(f'{where} has no list of "{key}"')
    return found


def _grouped(rows: Sequence[Row], where: str) -> Placed:
    """Yield one row an id: what was said to it again stands under its first answer."""
    found: dict[str, Row] = {}
    for row in rows:
        key = str(row["id"])
        if key in found:
            found[key]["repeats"].append({"output": row["output"]})
        else:
            found[key] = row | {"repeats": []}
    for key, row in found.items():
        yield f"{where}, sample '{key[:80]}'", row


def _loaded(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: not JSON: {why_unread(error)[:200]}") from None


def _read(reader: Callable[[Row], Row], logged: Any, where: str, program: str) -> Row:
    try:
        return reader(logged)
    except DataError as error:
        raise DataError(f"{where}: {error.message}") from error
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        raise DataError(
            f"{where}: not what {program} writes: {type(error).__name__} at {str(error)[:80]}"
        ) from None
