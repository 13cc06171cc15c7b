"""Makes a submission from a run's directory: everything that the run already knows is filled in."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness import Completion, DataError, UsageError
from harness.files.finished import COMPLETIONS, PREDICTIONS, RECORD, REWARDED, read_record
from harness.files.json_files import read_sealed
from harness.files.rows import read_rows

from ..plain import mapping
from .submission import SCHEMA_VERSION, Submission

CURVE_POINTS = 200
MAX_HEADER = 2**28  # bytes; the largest models have a few million
KEPT_ENVIRONMENT = ("assay", "commit", "python", "processor", "cpus", "device")
KEPT_PACKAGES = ("torch", "transformers", "rdkit", "numpy", "peft", "deepspeed")


def find_runs(folder: Path) -> Iterator[Path]:
    """Yield the directories of finished runs below a folder, in a fixed order."""
    if not folder.is_dir():
        raise UsageError(f"there is no folder of runs at {folder}", hint="--runs DIR")
    for record in sorted(folder.rglob(RECORD)):
        yield record.parent


def from_run(directory: Path, name: str = "") -> Submission:
    """Read a finished run as a submission."""
    if not (directory / RECORD).exists():
        raise UsageError(f"{directory} is no finished run", hint="it has no record.json")
    record = read_record(directory)
    try:
        return Submission(_about(directory, record, name), _outputs(directory), (), _evidence(record))
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{directory / RECORD} is not the record of a run: {error!r}") from error


def _outputs(directory: Path) -> dict[str, Completion]:
    # Scores of choices as the model gave them: predictions hold them in the order of the data.
    said = {
        row.get("request_id"): row for path in sorted(directory.glob(COMPLETIONS)) for row in read_rows(path)
    }
    return {
        row["id"]: Completion(
            row["id"],
            row["raw"],
            row.get("finish", ""),
            choice_scores=tuple(said.get(row["id"], row).get("choice_scores", ())),
            evidence=_rests_on(row, said.get(row["id"], {})),
            repeats=tuple(
                Completion(row["id"], again["raw"], again.get("finish", ""), evidence=_rests_on(again, again))
                for again in row.get("repeats", ())
            ),
        )
        for row in read_rows(directory / PREDICTIONS)
    }


def _rests_on(row: Mapping[str, Any], said: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return the passages of an answer; where it has none, the model says so or nothing is known of them."""
    return tuple(row.get("evidence", ())) or (() if "evidence" in said else None)


def _about(directory: Path, record: Mapping[str, Any], name: str) -> dict[str, Any]:
    spec = record["spec"]
    environment = record["environment"]
    about = {
        "schema": SCHEMA_VERSION,
        "name": _name(spec, record, name),
        "task": spec["task"],
        "task_version": record["task_version"],
        "split": spec["data"]["split"],
        "limit": spec["data"].get("limit"),
        "data": {"source": _place(record["data_source"]), "digest": record["data_digest"]},
        "reading": _reading(spec, directory),
        "model": _model(spec, record, directory),
        "training": [_stage(stage) for stage in record["training"]],
        "series": record["series"],
        "seed": spec["seed"],
        "sampling_seed": spec["generate"].get("seed"),
        "prompt_digest": record["prompt_digest"],
        # A prompt made by hand holds a row of the data, a template none.
        "prompt": str(environment.get("prompt_template", ""))[:20_000],
        "generation": _generation(spec),
        "command": _command(record["command"]),
        "run_id": record["run_id"],
        "environment": {key: environment[key] for key in KEPT_ENVIRONMENT if environment.get(key)}
        | {"packages": {n: v for n, v in mapping(environment.get("packages")).items() if n in KEPT_PACKAGES}},
        "hardware": {"device": str(environment.get("device", ""))},
        "overlap": _overlap(record),
        "seconds": dict(record["seconds"]),
        "tokens": _tokens(environment),
        "curve": _curve(record["training"], directory),
    }
    return {key: value for key, value in about.items() if value not in ("", None, [], {})}


def _name(spec: Mapping[str, Any], record: Mapping[str, Any], asked: str) -> str:
    """Return what a row is called; one that was trained with rewards is told apart from the others."""
    preset = f" ({spec['preset']})" if spec.get("preset") else ""
    name = asked or f"{spec.get('title') or spec['model']}{preset}"
    rewarded = any(note.startswith(REWARDED) for note in record.get("notes", ()))
    return f"{name}, {REWARDED}" if rewarded and REWARDED not in name else name


def _generation(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return how answers came to be, and how many there are to each row where there are several."""
    found = {key: value for key, value in spec["generate"].items() if value not in ("", None)}
    return found | ({"repeats": spec["repeats"]} if spec.get("repeats", 1) > 1 else {})


def _tokens(environment: Mapping[str, Any]) -> dict[str, int]:
    """Return how many tokens were read and written, where the model counts them."""
    facts = mapping(environment.get("generation"))
    found = {"in": facts.get("tokens_in", 0), "out": facts.get("tokens_out", 0)}
    return found if any(found.values()) else {}


def _reading(spec: Mapping[str, Any], directory: Path) -> dict[str, Any]:
    """Return what an answer cannot be read without: options of the task, and tags of thinking aloud."""
    events = [row for row in read_rows(directory / "events.jsonl") if row.get("event") == "reasoning"]
    tags = spec["generate"].get("reasoning") or (events[-1]["tags"] if events else [])
    found = {"options": dict(spec.get("task_options") or {}), "tags": list(tags)}
    return {key: value for key, value in found.items() if value}


def _overlap(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what the run found its training rows to give away; nothing where that could not be found."""
    found = mapping(record.get("overlap"))
    return found if "counts" in found else {}


def _model(spec: Mapping[str, Any], record: Mapping[str, Any], run: Path) -> dict[str, Any]:
    facts: dict[str, Any] = {"plugin": spec["model"], "weights_digest": record["checkpoint_digest"]}
    if spec.get("preset"):
        facts["preset"] = spec["preset"]
    if bases := [stage["base"] for stage in spec["train"] if stage.get("base")]:
        facts["base"] = _place(bases[-1])
    for folder in trained_folders(record["training"], run)[:1]:
        if parameters := count_parameters(folder):
            facts["parameters"] = parameters
    return {key: value for key, value in facts.items() if value != ""}


def count_parameters(trained: Path) -> int:
    """Count the numbers in a training's whole checkpoint by its headers; 0 where it holds no such files.

    An adapter is not counted: the model that answers is larger than what was saved.
    """
    done = read_sealed(trained / "checkpoint.json")
    folder = trained / str(done["path"])
    if done.get("format") != "full" or not folder.is_dir():
        return 0
    return sum(_size(path) for path in sorted(folder.glob("*.safetensors")))


def _size(path: Path) -> int:
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length)) if length < MAX_HEADER else {}
        return sum(math.prod(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"{path} is no safetensors file that can be read: {error!r:.100}") from error


def trained_folders(training: Sequence[Mapping[str, Any]], run: Path) -> list[Path]:
    """Return the directories of a run's trainings that are still there, the last stage first."""
    found = []
    for stage in reversed(training):
        recorded = Path(str(stage.get("directory", "")))
        # The runs may have moved, or be read from another folder; a task of a group lies one folder deeper.
        moved = [folder / "trained" / run.parent.name / recorded.name for folder in run.absolute().parents]
        found += [path for path in (recorded, *moved) if (path / "checkpoint.json").is_file()][:1]
    return found


def _stage(stage: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in stage.items() if key != "directory"}


def _evidence(record: Mapping[str, Any]) -> dict[str, Any]:
    """Say how far a run that was carried out here can be trusted."""
    if record["training"]:
        return {"trust": "trained", "reason": f"trained and run here as {record['run_id']}"}
    return {"trust": "reproduced", "reason": f"run here with given weights as {record['run_id']}"}


def _curve(training: Sequence[Mapping[str, Any]], run: Path) -> list[list[float]]:
    """Return step and loss of the last stage that kept a log, thinned to what a plot can show."""
    for folder in trained_folders(training, run):
        log = folder / "train_log.jsonl"
        if not log.is_file():
            continue
        points = [
            [float(row["step"]), float(row["loss"])]
            for row in read_rows(log)
            if isinstance(row.get("step"), int | float) and isinstance(row.get("loss"), int | float)
        ]
        step = max(1, -(-len(points) // CURVE_POINTS))
        return points[::step]
    return []


def _place(source: str) -> str:
    """Return a source without the folders of the machine it was on."""
    return Path(source).name if Path(source).is_absolute() or source.startswith(("~", "..")) else source


def _command(command: list[str]) -> list[str]:
    parts = [part.rpartition("=") if "=/" in part else ("", "", part) for part in command]
    return [f"{key}{sign}{_place(value) if value.startswith('/') else value}" for key, sign, value in parts]
