"""Flags, environment, config file, recipe and defaults, resolved into one spec; every value has a source.

flag  >  HARNESS_*  >  --config FILE  >  recipe of the preset  >  default
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_origin, get_type_hints

from harness.api.bounds import refuse_out_of_bounds
from harness.api.errors import UsageError, nearest
from harness.api.model import ModelEntry
from harness.api.spec import DataSpec, GenerateSpec, RunSpec, TrainSpec

from .config_file import read_file
from .run_dir import training_of
from .values import convert, from_mapping, listed, shown

SECTIONS: dict[str, type] = {"data": DataSpec, "train": TrainSpec, "generate": GenerateSpec}
# What a run has beside its sections; everything else is a section's field or a model option.
TOP: dict[str, Any] = {
    "preset": str,
    "checkpoint": str,
    "device": str,
    "seed": int,
    "metrics": tuple[str, ...],
    "stages": tuple[str, ...],
    "compare_with": tuple[str, ...],
    "notice": str,
    "repeats": int,
}
RUN_KEYS = ("model", "task", "seeds", "plugins", "output", *TOP)
STAGES_HINT = 'stages = ["pretrain", "sft"] in a recipe or file chains them, --stage runs one'
TABLES = ("train.reward",)  # settings that may be a table of their own
NOT_SETTINGS = (
    *("PLUGINS", "OUTPUT", "TEST_DATA", "OFFLINE", "STRICT"),
    *("CACHE", "BERTSCORE", "SERVE_TOKEN"),
)


@dataclass(frozen=True, slots=True)
class Setting:
    """A value and where it came from."""

    value: Any
    source: str


Settings = dict[str, Setting]


@dataclass(slots=True)
class Asked:
    """What the user asked for, before any plugin is known: names, and layers of dotted settings."""

    models: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    plugins: tuple[str, ...] = ()
    output: Path = Path("runs")
    layers: list[Settings] = field(default_factory=list)  # the strongest last
    named_by: Mapping[str, str] = field(default_factory=dict)  # where model and task were named

    def top(self, key: str, default: Any = None) -> Any:
        """Return the strongest value of a setting that no recipe decides."""
        for layer in reversed(self.layers):
            if key in layer:
                return layer[key].value
        return default


def schema() -> dict[str, Any]:
    """Return every dotted key with its type; `model.*` and `*.options.*` are open."""
    known = dict(TOP)
    for section, kind in SECTIONS.items():
        known.update(_flatten(kind, section))
    del known["train.stage"]  # it follows from `stages`
    return known


@cache  # reading annotations takes long, and a sweep resolves thousands of cells
def _flatten(kind: type, prefix: str) -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    for name, hint in get_type_hints(kind).items():
        if is_dataclass(hint):
            found.update(_flatten(hint, f"{prefix}.{name}"))  # type: ignore[arg-type]
        elif get_origin(hint) is not Mapping:
            found[f"{prefix}.{name}"] = hint
    return found


COLUMNS = "data.columns."
OPEN = ("model.", "task.", COLUMNS, "train.options.", "train.inputs.", "generate.options.")


def is_open(key: str) -> bool:
    """Whether a key's meaning belongs to a plugin, which checks it when it is loaded."""
    return key.startswith(OPEN)


def read_flag(text: str) -> tuple[str, Any]:
    """Split `key=value` of --set; the value is read as TOML, and as plain text where it is none."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise UsageError(
            f"--set {shown(text)[1:-1]} is no key=value", hint="for example --set train.learning_rate=1e-3"
        )
    return key.strip(), read_value(value.strip())


def read_value(text: str) -> Any:
    """Read a value as TOML, or as the text it is."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):  # no TOML, a number of thousands of digits, brackets without end
        return text


def check_keys(settings: Mapping[str, Any], origin: str) -> None:
    """Refuse keys that nothing would ever read, with the nearest that something does."""
    known = schema()
    for key in settings:
        plain = general(key)
        if plain not in known and not is_open(plain):
            raise UsageError(f"{origin} sets {shown(key)}, which nothing reads", hint=_hint(plain, known))


def _hint(key: str, known: Mapping[str, Any]) -> str:
    if key == "train.stage":
        return STAGES_HINT
    if key in RUN_KEYS:
        return f"in a file it stands in the table [run], elsewhere --{key} sets it"
    return nearest(key, known)


def general(key: str) -> str:
    """Return the setting that a stage's own value stands for: `stage.pretrain.data` is a `train.data`."""
    if not key.startswith("stage."):
        return key
    return "train." + key.partition(".")[2].partition(".")[2]


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Turn nested tables into dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping) and general(f"{prefix}{key}") not in TABLES:
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """Read `HARNESS_TRAIN__LEARNING_RATE` as `train.learning_rate`; two underscores are a dot."""
    found = {}
    for name, text in environ.items():
        if name.startswith("HARNESS_") and name.removeprefix("HARNESS_") not in NOT_SETTINGS:
            found[name.removeprefix("HARNESS_").lower().replace("__", ".")] = read_value(text)
    return found


def ask(
    flags: Mapping[str, Any],
    sets: Sequence[str],
    config: Path | None,
    environ: Mapping[str, str],
    *,
    beside: str = "",
) -> Asked:
    """Gather the layers that do not depend on the chosen model; check every key.

    `beside` is a table of the file that another reads.
    """
    file = read_file(config) if config is not None else {}
    file.pop(beside, None)
    run = file.pop("run", {})
    if not isinstance(run, dict):
        raise UsageError(f"config {config}: run is {run!r}, it must be a table", hint="[run]")
    if unknown := sorted(set(run) - set(RUN_KEYS)):
        raise UsageError(
            f"config {config} sets run.{unknown[0]}, which nothing reads", hint=nearest(unknown[0], RUN_KEYS)
        )
    in_file = flatten(file) | {key: value for key, value in run.items() if key in TOP}
    in_environment = from_environment(environ)
    in_flags = dict(flags) | dict(map(read_flag, sets))
    names: dict[str, Any] = {}
    named_by: dict[str, str] = {}
    for source, layer in (f"config {config}", run), ("environment", in_environment), ("flag", in_flags):
        found = {key: layer[key] for key in ("model", "task", "seeds") if key in layer}
        names |= found
        named_by |= dict.fromkeys(found, source)
    for key in ("model", "task", "seeds"):
        in_environment.pop(key, None)
        in_flags.pop(key, None)
    for layer in (run, in_environment, in_flags):
        if "metrics" in layer and not listed(layer["metrics"]):
            raise UsageError("--metrics names no metric", hint="run-bench list metrics")
    check_keys(in_file, f"config {config}")
    check_keys(in_environment, "the environment")
    check_keys(in_flags, "the command line")
    layers = [
        {key: Setting(value, f"config {config}") for key, value in in_file.items()},
        {
            key: Setting(value, f"env HARNESS_{key.upper().replace('.', '__')}")
            for key, value in in_environment.items()
        },
        {key: Setting(value, "flag") for key, value in in_flags.items()},
    ]
    plugins = [*listed(run.get("plugins", ())), *listed(environ.get("HARNESS_PLUGINS", ""))]
    output = environ.get("HARNESS_OUTPUT") or run.get("output") or "runs"
    return Asked(
        _names(names, "model", named_by),
        _names(names, "task", named_by),
        _seeds(names),
        tuple(plugins),
        Path(output),
        layers,
        named_by,
    )


def _names(names: Mapping[str, Any], key: str, named_by: Mapping[str, str]) -> tuple[str, ...]:
    found: tuple[str, ...] = convert(names.get(key, ()), tuple[str, ...], key, named_by.get(key, ""))
    return found


def _seeds(names: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the seeds that were asked for; none, and one twice, ask for nothing new."""
    seeds = tuple(_integer(seed) for seed in listed(names.get("seeds", ())))
    if "seeds" in names and not seeds:
        raise UsageError("--seeds names no seed", hint="--seeds 0,1,2")
    if twice := [seed for seed in seeds if seeds.count(seed) > 1]:
        raise UsageError(
            f"seed {twice[0]} is asked for twice", hint="a run with the same seed is the same run"
        )
    return seeds


def _integer(value: Any) -> int:
    try:
        if isinstance(value, str | int) and not isinstance(value, bool):
            return int(value)
    except ValueError:
        pass
    raise UsageError(f"seed {shown(value)} is no whole number")


def recipe(entry: ModelEntry, preset: str, tasks: Sequence[str]) -> Settings:
    """Read a preset's recipe; tables of a task, or of the group it belongs to, override the general ones."""
    if not entry.presets:
        if preset:
            raise UsageError(f"model '{entry.name}' has no presets, '{preset}' was asked for")
        return {}
    if preset not in entry.presets:
        raise UsageError(
            f"model '{entry.name}' has no preset '{preset}'", hint=nearest(preset, entry.presets)
        )
    path = (entry.recipes or Path()) / f"{preset}.toml"
    tree = read_file(path)
    tree.pop("summary", None)
    by_task = tree.pop("task", {})
    if "data" in tree and not isinstance(tree["data"], Mapping):
        tree["data"] = {"source": tree["data"]}
    flat = flatten(tree)
    for name in tasks:  # the group first, then the member
        overrides = flatten(by_task.get(name, {}))
        flat.update(overrides)
        _one_length_of_training(flat, overrides)
    check_keys(flat, f"recipe {path.name} of '{entry.name}'")
    return {key: Setting(value, f"recipe {preset}") for key, value in flat.items()}


@dataclass(frozen=True, slots=True)
class Resolved:
    """A spec, the source of each of its values, and the models to show beside it."""

    spec: RunSpec
    sources: Mapping[str, str]
    compare_with: tuple[str, ...]


def resolve(
    asked: Asked,
    entry: ModelEntry,
    model: str,
    task: str,
    tasks: Sequence[str],
    train_tasks: Sequence[str],
    seed: int | None,
) -> Resolved:
    """Resolve one cell of the matrix. `tasks` are the names whose recipe tables apply, the group first."""
    preset = str(asked.top("preset", entry.presets[0] if entry.presets else ""))
    merged, stages_of_recipe = _split_stages(recipe(entry, preset, tasks))
    for layer in asked.layers:
        lay(merged, layer)
    merged, _ = _split_stages(merged)
    _open_weights(merged, entry)
    if seed is not None:
        lay(merged, {"seed": Setting(seed, asked.named_by.get("seeds", "flag"))})
    asked_for: Settings = {}
    for layer in asked.layers:
        lay(asked_for, layer)
    explicit, stages_asked_for = _split_stages(asked_for)
    stages = _value(merged, "stages", tuple[str, ...], entry.stages and ("sft",))
    merged.pop("stages", None)
    if merged.get("checkpoint", Setting("", "")).value or not entry.stages:
        stages = ()
    train = []
    sources = {**asked.named_by, **{key: setting.source for key, setting in merged.items()}}
    for stage in stages:
        chosen = dict(merged)
        own = (stages_of_recipe.get(stage, {}), stages_asked_for.get(stage, {}))
        for layer in (own[0], explicit, own[1]):
            lay(chosen, layer)
        chosen["train.stage"] = Setting(stage, "stage")
        train.append(_section(TrainSpec, "train", chosen))
        mark = f" [{stage}]" if len(stages) > 1 else ""
        kept = {key: value for layer in own for key, value in layer.items() if chosen.get(key) is value}
        sources.update({key + mark: value.source for key, value in kept.items()})
    spec = RunSpec(
        model=model,
        task=task,
        train_tasks=tuple(train_tasks),
        preset=preset,
        data=_section(DataSpec, "data", merged),
        model_options=_open_section(merged, "model."),
        task_options=_open_section(merged, "task."),
        train=tuple(train),
        generate=_section(GenerateSpec, "generate", merged),
        checkpoint=_value(merged, "checkpoint", str, ""),
        device=_value(merged, "device", str, "auto"),
        metrics=tuple(_value(merged, "metrics", tuple[str, ...], ())),
        seed=_value(merged, "seed", int, 0),
        title=_title(model, entry, merged),
        notice=_value(merged, "notice", str | None, None),
        repeats=_value(merged, "repeats", int, 1),
    )
    check(spec)
    compare = tuple(listed(merged["compare_with"].value)) if "compare_with" in merged else ()
    return Resolved(spec, sources, compare)


def _open_weights(merged: Settings, entry: ModelEntry) -> None:
    """Let a model that takes any weights take those that `--checkpoint` names; what it trained stays one."""
    if entry.known_by != "weights":
        return
    given = merged.get("checkpoint", Setting("", ""))
    if given.value and training_of(Path(str(given.value))) is None:
        merged["model.weights"] = merged.pop("checkpoint")
    weights = merged.get("model.weights", Setting("", ""))
    base, colon, adapter = str(weights.value).rpartition(":")
    if colon and base and "model.adapter" not in merged and not Path(str(weights.value)).exists():
        merged["model.weights"] = Setting(base, weights.source)
        merged["model.adapter"] = Setting(adapter, weights.source)


def _title(model: str, entry: ModelEntry, merged: Settings) -> str:
    """Return what tables call a model: where any weights will do, these too."""
    named = [merged[key].value for key in (f"model.{entry.known_by}", "model.adapter") if key in merged]
    places = [(Path(str(value)), str(value)) for value in named if value]
    return ":".join([model, *(place.resolve().name if place.exists() else name for place, name in places)])


def rows_of(settings: Settings) -> tuple[DataSpec, dict[str, Any]]:
    """Return where rows come from and the options of their task, of settings that are all there is."""
    data: DataSpec = _section(DataSpec, "data", settings)
    refuse_out_of_bounds(data, "data")
    return data, _open_section(settings, "task.")


def _split_stages(settings: Settings) -> tuple[Settings, dict[str, Settings]]:
    """Part the settings of all stages from those that belong to one."""
    rest: Settings = {}
    by_stage: dict[str, Settings] = {}
    for key, setting in settings.items():
        if key.startswith("stage."):
            by_stage.setdefault(key.split(".")[1], {})[general(key)] = setting
        else:
            rest[key] = setting
    return rest, by_stage


def lay(merged: Settings, layer: Settings) -> None:
    """Lay a stronger layer over weaker ones; its seed is that of training and sampling too."""
    merged.update(layer)
    _one_length_of_training(merged, layer)
    if "seed" in layer:
        for key in ("train.seed", "generate.seed"):
            if key not in layer:
                merged[key] = layer["seed"]


def _one_length_of_training(merged: dict[str, Any], layer: Mapping[str, Any]) -> None:
    """Let a layer that sets epochs displace the steps of a weaker one, and the other way round."""
    for mine, other in (("train.max_steps", "train.epochs"), ("train.epochs", "train.max_steps")):
        if mine in layer and other not in layer:
            merged.pop(other, None)


def _value(settings: Settings, key: str, hint: Any, default: Any) -> Any:
    if key not in settings:
        return default
    return convert(settings[key].value, hint, key, settings[key].source)


def _open_section(settings: Settings, prefix: str) -> dict[str, Any]:
    return {k.removeprefix(prefix): v.value for k, v in settings.items() if k.startswith(prefix)}


def _section(kind: type, section: str, settings: Settings) -> Any:
    """Build a section's dataclass from the dotted settings that belong to it."""
    known = _flatten(kind, section)
    tree: dict[str, Any] = {}
    for key, setting in settings.items():
        if key in known:
            value = convert(setting.value, known[key], key, setting.source)
        elif key.startswith((f"{section}.options.", f"{section}.inputs.")):
            value = setting.value
        elif key.startswith(COLUMNS) and section == "data":
            tree["columns"] = (*tree.get("columns", ()), f"{key.removeprefix(COLUMNS)}={setting.value}")
            continue
        else:
            continue
        *parents, leaf = key.removeprefix(section + ".").split(".")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[leaf] = value
    return from_mapping(kind, tree)


def check(spec: RunSpec) -> None:
    """Refuse values that cannot mean anything, before anything is loaded."""
    for section, settings in [
        ("data", spec.data),
        *(("train", t) for t in spec.train),
        ("generate", spec.generate),
    ]:
        refuse_out_of_bounds(settings, section)
    for name in ("eval_limit", "select_metric", "patience"):
        asked = [value for stage in spec.train if (value := getattr(stage, name))]
        if asked and not any(stage.eval_every for stage in spec.train):
            raise UsageError(
                f"train.{name} is {asked[0]}, and nothing is evaluated: train.eval_every is not set",
                hint="--eval-every N",
            )
    if spec.repeats < 1:
        raise UsageError(f"repeats is {spec.repeats}, it must be at least 1")
    if spec.repeats > 1 and spec.generate.decoder != "sampling":
        raise UsageError(
            f"repeats is {spec.repeats}, and the decoder '{spec.generate.decoder}' says the same each time",
            hint="--set generate.decoder=sampling --set generate.temperature=0.8",
        )
    tokens = spec.generate.batch_tokens
    if tokens != "auto" and not (tokens.isdigit() and int(tokens) > 0):
        raise UsageError(f"generate.batch_tokens is {tokens}, it must be auto or a number of tokens")
    if len(spec.generate.reasoning) not in (0, 2):
        raise UsageError(
            f"generate.reasoning holds {len(spec.generate.reasoning)} tags, it takes two",
            hint='--set \'generate.reasoning=["<think>", "</think>"]\'',
        )
    if "" in spec.generate.stop:
        raise UsageError("generate.stop holds an empty text, at which every answer would end at once")
    if unnamed := [entry for entry in spec.data.columns if not all(entry.partition("="))]:
        raise UsageError(
            f"data.columns holds '{unnamed[0]}', which is no NAME=COLUMN",
            hint="--set data.columns.answer=Label reads the column Label as the answer",
        )
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", spec.device):
        raise UsageError(f"device is {spec.device}, it must be auto, cpu, cuda or cuda:N")


def with_stages(asked: Asked, stages: Sequence[str], source: str) -> None:
    """Replace the chain of stages, as `--stage` and `--no-train` do."""
    asked.layers[-1]["stages"] = Setting(tuple(stages), source)
