"""Writes rows of a board as Every Eval Ever 0.3 keeps them: one file of scores a row, one of its answers.

data/<task>/<developer>/<model>/<uuid>.json           scores with intervals, how they were made, hashes
                                <uuid>_samples.jsonl  each answer with its score by each metric

Numbers on made-up rows carry that in the names of the evaluation, its data and its folder.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from harness import HarnessError
from harness.files.writing import write
from harness.scoring.measure import LEVEL, RESAMPLES

from ..board.store import Store
from ..intake.rules import TRUST
from ..intake.tasks import OpenTask
from ..plain import canonical, mapping, slug
from .samples import judged
from .standing import Standing, evaluation, result_id

VERSION = "0.3.0"
LIBRARY = "assay-bench"
SUBMISSION = "submission"  # the detail that holds all a row says of itself
UNBOUNDED = ("-Infinity", "Infinity")
RELATIONS = {"trained": "first_party", "reproduced": "third_party"}  # of the evaluator to the model
ARGUMENTS = {"temperature": "temperature", "top_p": "top_p", "top_k": "top_k", "max_tokens": "max_new_tokens"}


@dataclass(frozen=True, slots=True)
class Terms:
    """What those who hand results on say: who evaluated, who made the models, whether rows go along."""

    organisation: str
    developer: str = ""
    with_rows: bool = False


@dataclass(frozen=True, slots=True)
class Written:
    """A file of scores, how many lines of answers stand beside it, and why there are none."""

    path: Path
    samples: int
    note: str = ""


def export(
    rows: Iterable[Standing], store: Store, open_task: OpenTask, terms: Terms, folder: Path, now: datetime
) -> Iterator[Written]:
    """Write rows below a folder; the same row is written to the same files again."""
    for one in rows:
        try:
            samples, note = list(judged(one, store, open_task, with_rows=terms.with_rows)), ""
        except HarnessError as error:
            samples, note = [], f"no answers beside it: {error.message}"
        yield _write(one, samples, terms, folder, now, note)


def _write(
    one: Standing, samples: Sequence[dict[str, Any]], terms: Terms, folder: Path, now: datetime, note: str
) -> Written:
    facts = _aggregate(one, terms, now)
    place = f"data/{slug(evaluation(one))}/{facts['model_info']['id']}/{_uuid(one)}"
    if samples:
        joined = {key: facts[key] for key in ("schema_version", "evaluation_id")}
        joined |= {"model_id": facts["model_info"]["id"], "evaluation_name": evaluation(one)}
        lines = "".join(json.dumps(joined | sample, sort_keys=True) + "\n" for sample in samples).encode()
        beside = f"{place}_samples.jsonl"
        write(folder / beside, lines)
        facts["detailed_evaluation_results"] = {
            "format": "jsonl",
            "file_path": beside,
            "hash_algorithm": "sha256",
            "checksum": hashlib.sha256(lines).hexdigest(),
            "total_rows": len(samples),
        }
    write(folder / f"{place}.json", canonical(facts))
    return Written(folder / f"{place}.json", len(samples), note)


def _aggregate(one: Standing, terms: Terms, now: datetime) -> dict[str, Any]:
    model, stamp, made = model_id(one, terms), str(int(now.timestamp())), one.made()
    facts = {
        "schema_version": VERSION,
        "evaluation_id": f"{slug(evaluation(one))}/{model}/{stamp}",
        "evaluation_timestamp": made and made.isoformat(),
        "retrieved_timestamp": stamp,
        "source_metadata": {
            "source_type": "evaluation_run",
            "source_organization_name": terms.organisation,
            "evaluator_relationship": RELATIONS.get(_trust(one), "other"),
            "additional_details": {"trust": f"{_trust(one)}: {TRUST[_trust(one)]}"},
        },
        "eval_library": {
            "name": LIBRARY,
            "version": one.row.facts["toolkit"]["assay"],
            "additional_details": dict(one.row.facts["toolkit"]),
        },
        "model_info": _model(one, model),
        "evaluation_results": [_result(one, metric, score) for metric, score in one.scores()],
    }
    return {key: value for key, value in facts.items() if value is not None}


def _uuid(one: Standing) -> UUID:
    """Return the same id for the same row with the same scores; the layout asks for version 4."""
    seed = f"{one.table['id']} {one.row.id} {one.row.facts['key']}"
    return UUID(bytes=hashlib.sha256(seed.encode()).digest()[:16], version=4)


def model_id(one: Standing, terms: Terms) -> str:
    """Name a model as its maker and its name; who trains one here has made it."""
    maker = terms.developer or (terms.organisation if _trust(one) == "trained" else "unknown")
    return f"{slug(maker)}/{slug(one.line['name'])}"


def _trust(one: Standing) -> str:
    return str(one.row.evidence.get("trust", "rescored"))


def _model(one: Standing, model: str) -> dict[str, Any]:
    about = one.row.about
    plugin = str(mapping(about.get("model")).get("plugin", ""))
    here = "externally_managed" if plugin == "api" else "self_deployed"
    return {
        "name": one.line["name"],
        "id": model,
        "developer": model.partition("/")[0],
        "additional_details": {
            "deployment_type": "unknown" if _trust(one) == "rescored" else here,
            "model_availability": "unknown",
            "answers_sha256": one.row.facts["answers"]["sha256"],
            SUBMISSION: canonical(dict(about)),
        },
    }


def _result(one: Standing, metric: Mapping[str, Any], score: Mapping[str, Any]) -> dict[str, Any]:
    low, high = (limit if end is None else end for end, limit in zip(metric["range"], UNBOUNDED, strict=True))
    parts = one.row.facts["details"].get(metric["name"], {})
    return {
        "evaluation_result_id": result_id(one, metric["name"]),
        "evaluation_name": evaluation(one),
        "source_data": _source(one),
        "metric_config": {
            "evaluation_description": metric["summary"],
            "metric_id": metric["name"],
            "metric_name": metric["name"],
            "metric_parameters": {"version": metric["version"]},
            "lower_is_better": not metric["higher_is_better"],
            "score_type": "continuous",
            "min_score": low,
            "max_score": high,
            "additional_details": {"definition": metric["definition"]},
        },
        "score_details": {
            "score": score["value"],
            "details": {part: repr(value) for part, value in parts.items()}
            | ({"note": score["note"]} if score["note"] else {}),
            "uncertainty": _uncertainty(score),
        },
        "generation_config": _generation(one.row.about),
    }


def _source(one: Standing) -> dict[str, Any]:
    table = one.table
    kind = {"made_up": "these rows are made up; the numbers say nothing of the published data"}
    return {
        "dataset_name": evaluation(one),
        "source_type": "other",
        "additional_details": {
            "task": table["task"],
            "task_version": table["version"],
            "split": table["split"],
            "rows": str(table["rows"]),
            "digest": table["digest"],
            **(kind if table["sample"] else {}),
        },
    }


def _uncertainty(score: Mapping[str, Any]) -> dict[str, Any]:
    known: dict[str, Any] = {"num_samples": score["n"]}
    if score["interval"] is not None:
        low, high = score["interval"]
        known["confidence_interval"] = {
            "lower": low,
            "upper": high,
            "confidence_level": LEVEL,
            "method": "percentiles of a bootstrap over rows",
        }
        known["num_bootstrap_samples"] = RESAMPLES
    return known


def _generation(about: Mapping[str, Any]) -> dict[str, Any]:
    """Return how answers were made: what the layout has a place for, and all of it as texts."""
    said = mapping(about.get("generation"))
    arguments = {name: said[ours] for name, ours in ARGUMENTS.items() if ours in said}
    if command := about.get("command"):
        arguments["execution_command"] = shlex.join(command)
    if prompt := about.get("prompt"):
        arguments["prompt_template"] = prompt
    details = {key: json.dumps(value, sort_keys=True) for key, value in said.items()}
    details |= {key: str(about[key]) for key in ("seed", "prompt_digest") if key in about}
    return {"generation_args": arguments, "additional_details": details}
