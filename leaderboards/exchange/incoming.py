"""Reads Every Eval Ever files of others: their answers as a submission, or their numbers as reported.

Nothing in such a file is trusted: not its size, its depth, its numbers, nor the path it gives of its answers,
which are looked for beside it and nowhere else. Its scores of answers are ignored; answers are scored here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from harness import DataError, UsageError
from harness.files.archives import open_files

from ..intake.strict import follow, strict
from ..intake.submission import SCHEMA_VERSION, Submission, checked_about, read_outputs
from ..plain import mapping
from .eee import LIBRARY, SUBMISSION, VERSION
from .samples import ANSWER
from .standing import MADE_UP

MAX_FILES = 1_000
MAX_NAME = 100
LIMITS = {"-Infinity": float("-inf"), "Infinity": float("inf")}
REPORTED = "--reported takes its numbers as they are printed"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A file of scores that is in order, and what is known of the answers beside it."""

    path: Path
    facts: Mapping[str, Any]
    digest: str

    @property
    def model(self) -> str:
        """The model's name, as a table shows it."""
        return str(self.facts["model_info"]["name"])

    @property
    def results(self) -> list[dict[str, Any]]:
        """The scores."""
        return list(self.facts["evaluation_results"])

    @property
    def names(self) -> list[str]:
        """What was evaluated."""
        return list(dict.fromkeys(result["evaluation_name"] for result in self.results))

    @property
    def ours(self) -> bool:
        """Whether this program wrote it, or somebody says so: what it holds is checked all the same."""
        return bool(self.facts["eval_library"]["name"] == LIBRARY)

    def told(self, key: str) -> str:
        """Return what a file of ours says of its data."""
        source = mapping(mapping(self.results[0])["source_data"]) if self.ours and self.results else {}
        return str(mapping(source.get("additional_details")).get(key, ""))


def find(path: Path) -> list[Path]:
    """Return the files of scores at a path: itself, or all below a folder."""
    if not path.is_dir():
        return [path]
    found = sorted(each for each in path.rglob("*.json") if not each.is_symlink() and each.is_file())
    if not found:
        raise DataError(f"{path} holds no .json file")
    if len(found) > MAX_FILES:
        raise DataError(f"{path} holds {len(found):,} files of scores; at most {MAX_FILES:,} are taken")
    return found


def read(path: Path) -> Evaluation:
    """Read a file of scores; every fault is one sentence."""
    if path.is_symlink():
        raise DataError(f"{path} is a link", hint="name the file itself")
    data = _only(path)
    facts = strict(data, str(path))
    follow(facts, _schema("aggregate"), str(path), f"it should be Every Eval Ever {VERSION}")
    found = Evaluation(path, facts, hashlib.sha256(data).hexdigest())
    if not found.results:
        raise DataError(f"{path} holds no result")
    for result in found.results:
        _check_score(result, str(path))
    for name in (found.model, *found.names):
        if not name.isprintable() or not 0 < len(name) <= MAX_NAME:
            raise DataError(
                f"{path}: a name is not 1 to {MAX_NAME} characters that can be shown: {name[:40]!r}"
            )
    return found


@lru_cache
def _schema(name: str) -> Mapping[str, Any]:
    text = resources.files(__package__).joinpath(f"{name}.schema.json").read_text(encoding="utf-8")
    loaded: Mapping[str, Any] = json.loads(text)
    return loaded


def _only(path: Path) -> bytes:
    """Return a file's bytes, within limits; packed ones are unpacked."""
    files = open_files(path)
    if len(files) != 1:
        raise DataError(f"{path} holds {len(files)} files", hint="name a folder, or one file")
    return next(iter(files.values()))


def _check_score(result: Mapping[str, Any], where: str) -> None:
    """Refuse a score beyond the bounds that its metric states, and an interval that is none."""
    config, details = result["metric_config"], result["score_details"]
    low, high = (
        _limit(config.get(key), default)
        for key, default in zip(("min_score", "max_score"), LIMITS, strict=True)
    )
    if not low <= details["score"] <= high:
        raise DataError(f"{where}: a score of {details['score']:g} is not between {low:g} and {high:g}")
    ends = mapping(mapping(details.get("uncertainty")).get("confidence_interval"))
    if ends and ends["lower"] > ends["upper"]:
        raise DataError(
            f"{where}: an interval from {ends['lower']:g} to {ends['upper']:g} ends before it begins"
        )


def _limit(value: Any, default: str) -> float:
    return LIMITS[default] if value is None else LIMITS[value] if isinstance(value, str) else float(value)


def answers_of(found: Evaluation) -> Path | None:
    """Return the file of answers beside a file of scores; where that file says it is, is not looked at."""
    beside = found.path.with_name(f"{found.path.stem}_samples.jsonl")
    return beside if beside.exists() else None


def submission(found: Evaluation, answers: Path, task: str, split: str, name: str) -> Submission:
    """Return the answers beside a file of scores as a submission; its scores are ignored."""
    if answers.is_symlink():
        raise DataError(f"{answers} is a link", hint="its answers stand beside it")
    data = _only(answers)
    sha256 = hashlib.sha256(data).hexdigest()
    stated = mapping(found.facts.get("detailed_evaluation_results"))
    if stated.get("hash_algorithm") == "sha256" and stated.get("checksum") not in (None, sha256):
        raise DataError(f"{answers} is not the file whose checksum {found.path.name} states")
    lines = _answers(data, found, str(answers))
    outputs = read_outputs("\n".join(lines.values()).encode(), str(answers))
    about = dict(_about(found, task, split))
    if name:
        about["name"] = name
    origin = {"form": "eee", "file": found.path.name, "sha256": sha256, "source": _organisation(found)}
    return Submission(about | {"origin": origin}, outputs, ("its scores were ignored",))


def _organisation(found: Evaluation) -> str:
    source = found.facts["source_metadata"]
    return f"{source['source_organization_name'][:200]} ({source['evaluator_relationship']})"


def _about(found: Evaluation, task: str, split: str) -> Mapping[str, Any]:
    """Return what a submission says of itself: all of it in a file of ours, and little in another."""
    kept = mapping(found.facts["model_info"]["additional_details"]).get(SUBMISSION)
    if found.ours and kept:
        about, _ = checked_about(str(kept).encode(), f"{found.path}: {SUBMISSION}")
        if task and task != about["task"]:
            raise UsageError(f"{found.path} answers {about['task']}, not {task}")
        return about
    if not task:
        raise UsageError(
            f"{found.path} does not say which task of ours it answers, only '{found.names[0]}'",
            hint=f"--task NAME, or {REPORTED}",
        )
    if len(found.names) > 1:
        raise DataError(f"{found.path} holds {len(found.names)} evaluations, {task} is one", hint=REPORTED)
    return {
        "schema": SCHEMA_VERSION,
        "name": found.model,
        "task": task,
        "split": split,
        "data": {"source": "files"},
    }


def _answers(data: bytes, found: Evaluation, where: str) -> dict[str, str]:
    """Return each row's answer as a line of predictions.jsonl; it is told again for each metric."""
    said: dict[str, str] = {}
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        place = f"{where}, line {number}"
        row = strict(line, place)
        follow(row, _schema("sample"), place, f"it should be a row of Every Eval Ever {VERSION}")
        if row["evaluation_id"] != found.facts["evaluation_id"]:
            raise DataError(f"{place}: it belongs to another evaluation than {found.path.name}")
        if not row.get("output"):
            raise DataError(f"{place}: conversations are not scored here", hint=REPORTED)
        key, answer = row["sample_id"], _answer(row, found, place)
        if said.setdefault(key, answer) != answer:
            raise DataError(f"{place}: a second answer to '{key[:80]}'")
    return said


def _answer(row: Mapping[str, Any], found: Evaluation, where: str) -> str:
    more = mapping(row.get("metadata")).get(ANSWER, "{}") if found.ours else "{}"
    text = (row["output"]["raw"] or [""])[0]
    return json.dumps({**mapping(strict(more.encode(), where)), "id": row["sample_id"], "output": text})


def reported(found: Evaluation, task: str, split: str, versions: Mapping[str, str]) -> dict[str, Any]:
    """Return a file's numbers as a board keeps those that were printed elsewhere.

    A number stands in a column of ours where the file is ours and of the same version of the metric;
    any other has a column of its own, named for the library that computed it.
    """
    if found.told("made_up") or any(MADE_UP in name for name in found.names):
        raise DataError(f"{found.path} is of a made-up sample, whose numbers are not reported ones")
    if not (task := task or found.told("task")):
        raise UsageError(f"{found.path} does not say which task of ours it reports", hint="--task NAME")
    columns, scores = {}, {}
    for result in found.results:
        name = _column(found, result, versions)
        if name in scores:
            raise DataError(f"{found.path} has two values of '{name}'")
        scores[name] = result["score_details"]["score"]
        columns[name] = _described(result)
    row = {
        "name": found.model,
        "task": task,
        "split": found.told("split") or split,
        "data": found.told("digest"),
        "scores": scores,
        "source": f"Every Eval Ever, {_organisation(found)}: {found.facts['evaluation_id'][:200]}",
    }
    return {"metrics": columns, "rows": [row]}


def _column(found: Evaluation, result: Mapping[str, Any], versions: Mapping[str, str]) -> str:
    config = result["metric_config"]
    name = str(config.get("metric_id") or config.get("metric_name") or "score")
    if found.ours and mapping(config.get("metric_parameters")).get("version") == versions.get(name, ""):
        return name
    part = f"{result['evaluation_name']}/" if len(found.names) > 1 else ""
    column = f"{part}{name}@{found.facts['eval_library']['name']}"
    if not column.isprintable():
        raise DataError(f"{found.path}: a metric's name cannot be shown: {name[:40]!r}")
    return column[:MAX_NAME]


def _described(result: Mapping[str, Any]) -> dict[str, Any]:
    config = result["metric_config"]
    share = (config.get("min_score"), config.get("max_score")) == (0, 1)
    return {
        "summary": str(config.get("evaluation_description") or result["evaluation_name"])[:300],
        "higher_is_better": not config["lower_is_better"],
        "scale": 100.0 if share else 1.0,
    }
