"""Which layer decides a setting, who is named as its source, and which mistakes are refused."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import (
    DataSpec,
    GenerateSpec,
    LaunchSpec,
    ModelEntry,
    NoOptions,
    RunSpec,
    TrainSpec,
    UsageError,
)
from harness.engine.config import Resolved, ask, resolve, schema
from harness.engine.config_file import read_file
from harness.engine.values import from_mapping, make_options
from harness.files.json_files import to_json


@pytest.fixture
def resolved(tmp_path: Path):
    """Return a function that resolves one cell from a recipe, a config file, the environment and flags."""

    def run(
        recipe: str = "",
        config: str = "",
        env: dict[str, str] | None = None,
        sets: list[str] = (),  # type: ignore[assignment]
        seed: int | None = None,
        tasks: tuple[str, ...] = ("group", "group/member"),
        **flags: object,
    ) -> Resolved:
        (tmp_path / "small.toml").write_text(dedent(recipe), encoding="utf-8")
        path = tmp_path / "run.toml"
        path.write_text(dedent(config), encoding="utf-8")
        asked = ask({key.replace("__", "."): value for key, value in flags.items()}, sets, path, env or {})
        entry = ModelEntry("m", "a model", "m:M", recipes=tmp_path, presets=("small",))
        return resolve(asked, entry, "m", "group/member", tasks, ["group/member"], seed)

    return run


def test_each_layer_beats_the_weaker_ones_and_is_named_as_the_source(resolved, tmp_path):
    layers = {
        "recipe": "[train]\nbatch_size = 1",
        "config": "[train]\nbatch_size = 2",
        "env": {"HARNESS_TRAIN__BATCH_SIZE": "3"},
        "sets": ["train.batch_size=4"],
    }
    sources = ["recipe small", f"config {tmp_path / 'run.toml'}", "env HARNESS_TRAIN__BATCH_SIZE", "flag"]
    for number, source in enumerate(sources, start=1):
        done = resolved(**dict(list(layers.items())[:number]))
        assert done.spec.train[0].batch_size == number
        assert done.sources["train.batch_size"] == source
    done = resolved()
    assert done.spec.train[0].batch_size == TrainSpec().batch_size
    assert "train.batch_size" not in done.sources


def test_tables_of_the_group_and_then_of_the_task_override_a_recipe(resolved):
    recipe = """
    [train]
    batch_size = 1
    max_length = 1
    warmup_steps = 1
    [task.group.train]
    max_length = 2
    warmup_steps = 2
    [task."group/member".train]
    warmup_steps = 3
    """
    train = resolved(recipe).spec.train[0]
    assert (train.batch_size, train.max_length, train.warmup_steps) == (1, 2, 3.0)


def test_stage_tables_override_their_own_stage_and_flags_override_them(resolved):
    recipe = """
    stages = ["pretrain", "sft"]
    [train]
    batch_size = 1
    max_steps = 5
    [stage.pretrain]
    batch_size = 2
    [stage.sft]
    epochs = 3
    """
    done = resolved(recipe)
    pretrain, sft = done.spec.train
    assert (pretrain.stage, pretrain.batch_size, pretrain.max_steps, pretrain.epochs) == (
        "pretrain",
        2,
        5,
        None,
    )
    assert (sft.stage, sft.batch_size, sft.max_steps, sft.epochs) == ("sft", 1, None, 3.0)
    assert done.sources["train.batch_size [pretrain]"] == "recipe small"
    pretrain, sft = resolved(recipe, sets=["train.batch_size=9", "train.max_steps=7"]).spec.train
    assert (pretrain.batch_size, sft.batch_size, sft.max_steps, sft.epochs) == (9, 9, 7, None)


def test_a_flag_for_one_stage_beats_a_flag_for_all_and_touches_no_other(resolved):
    recipe = 'stages = ["pretrain", "sft"]\n[stage.pretrain]\nbatch_size = 2\ndata = "a"'
    sets = ["stage.pretrain.data=b", "train.batch_size=9", "stage.pretrain.batch_size=3"]
    done = resolved(recipe, sets=sets)
    pretrain, sft = done.spec.train
    assert (pretrain.data, sft.data) == ("b", "")
    assert (pretrain.batch_size, sft.batch_size) == (3, 9)
    assert done.sources["train.data [pretrain]"] == "flag"


@pytest.mark.parametrize(
    ("recipe", "given_", "expected"),
    [
        ("[train]\nmax_steps = 4", ["train.epochs=2"], (None, 2.0)),
        ("[train]\nepochs = 4", ["train.max_steps=2"], (2, None)),
        ("[train]\nmax_steps = 4\n[task.group.train]\nepochs = 1", [], (None, 1.0)),
        ("[train]\nepochs = 4\n[stage.sft]\nmax_steps = 3", [], (3, None)),
        ("[stage.sft]\nmax_steps = 3", ["train.epochs=2"], (None, 2.0)),
    ],
)
def test_the_stronger_of_epochs_and_steps_displaces_the_weaker(resolved, recipe, given_, expected):
    train = resolved(recipe, sets=given_).spec.train[0]
    assert (train.max_steps, train.epochs) == expected


def test_a_seed_reaches_training_and_sampling_and_beats_the_recipe_s_own(resolved):
    recipe = "[train]\nseed = 42"
    assert resolved(recipe).spec.train[0].seed == 42
    spec = resolved(recipe, sets=["seed=7"]).spec
    assert (spec.seed, spec.train[0].seed, spec.generate.seed) == (7, 7, 7)
    spec = resolved(recipe, sets=["seed=7", "train.seed=8"]).spec
    assert (spec.seed, spec.train[0].seed, spec.generate.seed) == (7, 8, 7)
    spec = resolved(recipe, seed=3).spec
    assert (spec.seed, spec.train[0].seed, spec.generate.seed) == (3, 3, 3)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("train.batch_size=many", "train.batch_size = 'many' (flag) is no whole number"),
        ("train.batch_size=1.5", "train.batch_size = 1.5 (flag) is no whole number"),
        ("train.batch_size=true", "train.batch_size = True (flag) is no whole number"),
        ("train.learning_rate=fast", "train.learning_rate = 'fast' (flag) is no number"),
        ("train.learning_rate=nan", "train.learning_rate = nan (flag) is no number"),
        ("train.learning_rate=inf", "train.learning_rate = inf (flag) is no number"),
        ("train.prompt_loss=1", "train.prompt_loss = 1 (flag) is no true or false"),
        ("train.betas=[0.9]", "train.betas = [0.9] (flag) must hold 2 values"),
        ("generate.stop=[1, true]", "generate.stop = True (flag) is no text"),
        ("data.limit=-1", "data.limit is -1, it must be at least 1"),
        ("data.limit=0", "data.limit is 0, it must be at least 1"),
        ("data.train_limit=-5", "data.train_limit is -5, it must be at least 1"),
        ("train.epochs=-1", "train.epochs is -1.0, it must be more than 0"),
        ("train.learning_rate=0", "train.learning_rate is 0.0, it must be more than 0"),
        ("train.warmup_steps=-1", "train.warmup_steps is -1.0, it must be at least 0"),
        ("train.method=magic", "train.method is magic, it must be full, lora or qlora"),
        (
            "generate.decoder=guess",
            "generate.decoder is guess, it must be greedy, sampling, beam or contrastive",
        ),
        ("generate.top_p=1.1", "generate.top_p is 1.1, it must be more than 0 and at most 1"),
        ("generate.n_best=0", "generate.n_best is 0, it must be at least 1"),
        ("generate.batch_tokens=-2", "generate.batch_tokens is -2, it must be auto or a number of tokens"),
        ("device=gpu", "device is gpu, it must be auto, cpu, cuda or cuda:N"),
        ("device=cudax", "device is cudax, it must be auto, cpu, cuda or cuda:N"),
        ("device=cuda:", "device is cuda:, it must be auto, cpu, cuda or cuda:N"),
        ("train.betas=[2, 0.9]", "train.betas is 2.0, it must be at least 0 and below 1"),
        ('train.reward={validity="big"}', "train.reward.validity = 'big' (flag) is no number"),
        ('generate.stop=[""]', "generate.stop holds an empty text, at which every answer would end at once"),
        ("data.columns=answer", "data.columns holds 'answer', which is no NAME=COLUMN"),
        ('data.columns=["=Label"]', "data.columns holds '=Label', which is no NAME=COLUMN"),
        (
            'generate.reasoning=["<think>"]',
            "generate.reasoning holds 1 tags, it takes two",
        ),
        ("train.launch.kind=slurm", "train.launch.kind is slurm, it must be inline, torchrun or deepspeed"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_its_key_and_source(resolved, setting, said):
    with pytest.raises(UsageError) as caught:
        resolved(sets=[setting])
    assert caught.value.message == said


@pytest.mark.parametrize(
    ("layer", "said", "hint"),
    [
        (
            {"sets": ["train.learning_rat=1"]},
            "the command line sets 'train.learning_rat'",
            "train.learning_rate",
        ),
        ({"sets": ["no-value"]}, "--set no-value is no key=value", "for example"),
        ({"sets": ["=1"]}, "--set =1 is no key=value", "for example"),
        ({"env": {"HARNESS_DATA__LIMT": "3"}}, "the environment sets 'data.limt'", "data.limit"),
        ({"config": "[data]\nlimits = 3"}, "sets 'data.limits', which nothing reads", "data.limit"),
        ({"config": "[run]\nmodle = 'm'"}, "sets run.modle, which nothing reads", "model"),
        ({"config": "run = 3"}, "run is 3, it must be a table", "[run]"),
        ({"config": "[run]\nseeds = [1.5]"}, "seed 1.5 is no whole number", ""),
        ({"config": "[run]\nseeds = [true]"}, "seed True is no whole number", ""),
        ({"recipe": "[train]\nepoch = 3"}, "recipe small.toml of 'm' sets 'train.epoch'", "train.epochs"),
        (
            {"recipe": "[stage.sft]\nepoch = 3"},
            "recipe small.toml of 'm' sets 'stage.sft.epoch'",
            "train.epochs",
        ),
        (
            {"sets": ["train.stage=pretrain"]},
            "the command line sets 'train.stage', which nothing reads",
            "stages",
        ),
        ({"sets": ["preset=7b"]}, "model 'm' has no preset '7b'", "small"),
        ({"sets": ["preset=3"]}, "model 'm' has no preset '3'", "small"),
    ],
)
def test_what_nothing_reads_is_refused_with_the_nearest_that_something_does(resolved, layer, said, hint):
    with pytest.raises(UsageError) as caught:
        resolved(**layer)
    assert said in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[train]\nbatch_size = \n", "is not TOML: Invalid value (at line 2, column 14)"),
        (b"[train]\nbatch_size = 1\nbatch_size = 2\n", "at line 3"),
        (b"# caf\xe9\n", ", line 1: not UTF-8"),
        (b"[train]\n# \xff\n", ", line 2: not UTF-8"),
    ],
)
def test_a_malformed_config_file_is_refused_with_its_line(tmp_path, content, said):
    path = tmp_path / "run.toml"
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read_file(path)
    assert str(path) in caught.value.message
    assert said in caught.value.message


def test_a_byte_order_mark_is_no_fault(tmp_path):
    path = tmp_path / "run.toml"
    path.write_bytes(b"\xef\xbb\xbf[train]\nbatch_size = 2\n")
    assert read_file(path) == {"train": {"batch_size": 2}}


def test_a_config_that_cannot_be_read_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "absent.toml"):
        with pytest.raises(UsageError, match="cannot be read"):
            read_file(path)


def test_names_come_from_the_strongest_layer_that_has_them(resolved, tmp_path):
    path = tmp_path / "run.toml"
    path.write_text('[run]\nmodel = "a"\ntask = ["x", "y"]\nseeds = "1,2"\nplugins = ["p.py"]\n')
    environment = {"HARNESS_MODEL": "b", "HARNESS_PLUGINS": "q.py,r.py", "HARNESS_OUTPUT": "elsewhere"}
    asked = ask({"model": "c"}, [], path, environment)
    assert (asked.models, asked.tasks, asked.seeds) == (("c",), ("x", "y"), (1, 2))
    assert asked.plugins == ("p.py", "q.py", "r.py")
    assert asked.output == Path("elsewhere")
    assert asked.named_by == {"model": "flag", "task": f"config {path}", "seeds": f"config {path}"}


def test_every_key_of_the_schema_can_be_set(resolved):
    samples = {int: "1", float: "0.5", bool: "true", str: "word"}
    special = {
        "preset": "small",
        "train.method": "lora",
        "train.precision": "bf16",
        "train.launch.kind": "torchrun",
        "generate.decoder": "beam",
        "generate.precision": "fp16",
        "generate.batch_tokens": "64",
        "device": "cuda:1",
        "generate.reasoning": "<a>,</a>",
        "generate.constraint": "smiles",
        "train.launch.strategy": "fsdp",
        "train.schedule": "cosine",
        "train.optimizer": "muon",
        "train.packing": "none",
        "train.betas": "[0.5, 0.5]",
        "data.columns": "answer=Label",
    }
    for key, hint in schema().items():
        if key == "stages":
            continue
        kind = next((kind for kind in samples if kind.__name__ in str(hint)), str)
        resolved(sets=["train.eval_every=1", f"{key}={special.get(key, samples[kind])}"])


def test_options_of_a_model_are_checked_against_its_dataclass():
    from dataclasses import dataclass

    @dataclass(frozen=True)
    class Options:
        hidden: int = 4

    assert make_options(Options, {"hidden": 8}, "m") == Options(8)
    with pytest.raises(UsageError, match="model 'm' has no option 'hiden'") as caught:
        make_options(Options, {"hiden": 8}, "m")
    assert caught.value.hint == "did you mean hidden?"
    with pytest.raises(UsageError, match=r"model.hidden = 'wide' \(model option\) is no whole number"):
        make_options(Options, {"hidden": "wide"}, "m")
    with pytest.raises(UsageError, match="model 'm' has no options, 'hidden' was set"):
        make_options(NoOptions, {"hidden": 8}, "m")


TEXT = st.text(max_size=8)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
PLAIN = st.dictionaries(TEXT, st.one_of(TEXT, st.integers(), NUMBERS, st.booleans(), st.none()), max_size=3)
DATA = st.builds(
    DataSpec, source=TEXT, split=TEXT, limit=st.none() | st.integers(), skip_bad_rows=st.booleans()
)
LAUNCH = st.builds(LaunchSpec, kind=TEXT, processes=st.integers(), offload=st.booleans())
TRAIN = st.builds(
    TrainSpec,
    stage=TEXT,
    tasks=st.lists(TEXT, max_size=2).map(tuple),
    max_steps=st.none() | st.integers(),
    epochs=st.none() | NUMBERS,
    betas=st.tuples(NUMBERS, NUMBERS),
    lora_targets=st.lists(TEXT, max_size=3).map(tuple),
    launch=LAUNCH,
    options=PLAIN,
)
GENERATE = st.builds(GenerateSpec, stop=st.lists(TEXT, max_size=3).map(tuple), options=PLAIN, top_p=NUMBERS)
SPECS = st.builds(
    RunSpec,
    model=TEXT,
    task=TEXT,
    train_tasks=st.lists(TEXT, max_size=2).map(tuple),
    data=DATA,
    model_options=PLAIN,
    train=st.lists(TRAIN, max_size=2).map(tuple),
    generate=GENERATE,
    metrics=st.lists(TEXT, max_size=2).map(tuple),
    seed=st.integers(),
)


@given(SPECS)
def test_a_spec_survives_being_written_and_read_again(spec: RunSpec):
    import json

    assert from_mapping(RunSpec, json.loads(to_json(spec))) == spec


@given(SPECS)
def test_canonical_json_does_not_depend_on_the_order_of_keys(spec: RunSpec):
    tree = asdict(spec)
    assert to_json(dict(reversed(tree.items()))) == to_json(tree) == to_json(spec)


def test_every_field_of_a_spec_is_a_setting_or_named_by_the_matrix():
    known = {key.split(".")[0] for key in schema()} | {
        "model",
        "task",
        "train_tasks",
        "model_options",
        "task_options",
        "title",
    }
    assert {field.name for field in fields(RunSpec)} <= known
