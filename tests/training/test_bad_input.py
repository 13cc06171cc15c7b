"""Each bad input of a training, on the command line: one sentence, a hint and the exit code."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SIZES = ("hidden=16", "intermediate=32", "layers=1", "heads=2", "pieces=20")
SCIMIND = ["--model", "scimind", *(word for size in SIZES for word in ("--set", f"model.{size}"))]
SCIMIND += ["--set", "train.eval_every=none", "--set", "train.packing=buckets"]
T5_SIZES = ("vocabulary_size=60", "d_model=16", "d_ff=32", "layers=1", "heads=2")
ADA_T5 = ["--model", "ada-t5", *(word for size in T5_SIZES for word in ("--set", f"model.{size}"))]
TASK = ["--task", "chebi20/smiles2text"]
ROWS = "SMILES\tdescription\nCCO\tAn alcohol.\nCC\tAn alkane of two.\nCCC\tAn alkane of three.\n"

Main = Callable[..., Any]
Weights = Callable[[str], Path]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Rows to learn from, and none to evaluate or to score."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "train.tsv").write_text(ROWS, encoding="utf-8")
    return folder


@pytest.fixture
def train(main: Main, data: Path) -> Main:
    def run(*arguments: object) -> Any:
        return main("train", *TASK, "--data", data, "--max-steps", "2", *arguments)

    return run


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    """Return a function that gives the folder of a model trained for two steps, once for each name."""
    from harness.cli.main import main as program

    place = tmp_path_factory.mktemp("weights")
    (place / "train.tsv").write_text(ROWS, encoding="utf-8")
    made: dict[str, Path] = {}

    def give(name: str) -> Path:
        if name not in made:
            model = ADA_T5 if name == "ada-t5" else SCIMIND
            more = ["--seed", "1"] if name == "another" else []
            output = place / name
            command = ["train", *TASK, *model, "--data", place, "--max-steps", "2", "--output", output, *more]
            assert program([str(word) for word in command]) == 0
            (made[name],) = output.glob("trained/*/*/checkpoint")
        return made[name]

    return give


def failed(done: Any, code: int, said: str, hint: str = "") -> None:
    assert done.code == code, done.err
    assert "Traceback" not in done.err
    errors = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, done.err
    assert said in errors[0]
    assert hint in done.err.partition("\nhint: ")[2], done.err


@pytest.mark.parametrize(
    ("setting", "code", "said", "hint"),
    [
        ("learning_rate=0", 2, "train.learning_rate is 0.0, it must be more than 0", "the preset"),
        ("learning_rate=-1", 2, "train.learning_rate is -1.0, it must be more than 0", "the preset"),
        ("learning_rate=nan", 2, "train.learning_rate = nan (flag) is no number", "takes a number"),
        ("max_steps=0", 2, "train.max_steps is 0, it must be at least 1", "the preset"),
        ("max_steps=-3", 2, "train.max_steps is -3, it must be at least 1", "the preset"),
        ("warmup_steps=50", 2, "train.warmup_steps is 50, more than the 2 steps", "0.05"),
        ("optimizer=adamW", 2, "train.optimizer is adamW, it must be adamw", "did you mean adam or adamw"),
        ("schedule=cosin", 2, "train.schedule is cosin, it must be", "cosine"),
        ("packing=pack", 2, "train.packing is pack, it must be", "packed"),
        ("packing=packed", 2, "cannot keep packed rows apart", "buckets"),
        ("launch.strategy=zero4", 2, "train.launch.strategy is zero4, it must be", "zero3"),
        ("launch.strategy=fsdp", 2, "optimizer 'muon' works on whole weights", "train.optimizer=adamw"),
        ("options.windw=3", 2, "stage 'sft' has no option 'windw'", "window"),
        ("eval_every=1", 4, "there are no validation rows", "train.eval_every=none"),
        ("method=lora", 2, "an adapter needs weights under it", "model.weights=DIR"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(
    train: Main, setting: str, code: int, said: str, hint: str
) -> None:
    failed(train(*ADA_T5, "--set", f"train.{setting}"), code, said, hint)


def test_what_fit_would_refuse_is_refused_before_weights_are_looked_for(train: Main) -> None:
    done = train(*ADA_T5, "--set", "model.weights=nowhere", "--set", "train.packing=pack")
    failed(done, 2, "train.packing is pack, it must be", "packed")


@pytest.mark.parametrize("model", [ADA_T5, SCIMIND])
def test_a_stage_that_nothing_has_is_refused(train: Main, model: list[str]) -> None:
    failed(train(*model, "--stage", "sfd"), 2, "no stage named 'sfd'", "did you mean sft")


@pytest.mark.parametrize("model", [ADA_T5, SCIMIND])
def test_data_without_rows_is_refused(train: Main, data: Path, model: list[str]) -> None:
    (data / "train.tsv").write_text("SMILES\tdescription\n", encoding="utf-8")
    failed(train(*model), 4, "split 'train' is empty", "run-bench data")


@pytest.mark.parametrize("model", [ADA_T5, SCIMIND])
def test_one_row_is_trained_on(train: Main, data: Path, model: list[str]) -> None:
    (data / "train.tsv").write_text("SMILES\tdescription\nCCO\tAn alcohol.\n", encoding="utf-8")
    done = train(*model)
    assert done.code == 0, done.err


def test_rows_that_are_all_too_long_are_refused_with_the_length_of_the_shortest(train: Main) -> None:
    done = train(*SCIMIND, "--set", "train.max_length=3")
    failed(done, 4, "no row fits into train.max_length = 3 tokens: 3 are longer", "--set train.max_length=")


@pytest.mark.parametrize(
    ("library", "settings", "what"),
    [
        ("peft", {"train.method": "lora"}, "method 'lora'"),
        ("bitsandbytes", {"train.method": "qlora"}, "method 'qlora'"),
        ("bitsandbytes", {"train.optimizer": "adamw8bit"}, "optimizer 'adamw8bit'"),
        ("deepspeed", {"train.optimizer": "adamw", "train.launch.strategy": "zero3"}, "strategy 'zero3'"),
        ("tensorboard", {"train.tensorboard": "true"}, "train.tensorboard"),
    ],
)
def test_an_absent_library_is_named_before_weights_are_looked_for(
    train: Main, monkeypatch: pytest.MonkeyPatch, library: str, settings: dict[str, str], what: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)  # as Python does for what cannot be imported
    sets = [word for item in settings.items() for word in ("--set", "=".join(item))]
    done = train(*ADA_T5, "--set", "model.weights=nowhere", *sets)
    failed(done, 3, f"{what} needs {library}, which is not installed", f"pip install {library}")


@pytest.mark.parametrize(("model", "said"), [(SCIMIND, "of type t5"), (ADA_T5, "of type scimind")])
def test_weights_of_another_architecture_are_refused(
    train: Main, weights: Weights, model: list[str], said: str
) -> None:
    other = weights("ada-t5" if model is SCIMIND else "scimind")
    failed(train(*model, "--set", f"model.weights={other}"), 2, said)


@pytest.mark.parametrize(
    ("model", "key", "said"),
    [
        (SCIMIND, "pad_token", "the tokenizer has no padding token"),
        (SCIMIND, "eos_token", "encode() returned None among the input_ids of row 0"),
    ],
)
def test_a_tokenizer_that_lacks_a_token_is_refused(
    train: Main, weights: Weights, tmp_path: Path, model: list[str], key: str, said: str
) -> None:
    folder = tmp_path / "lacking"
    shutil.copytree(weights("ada-t5" if model is ADA_T5 else "scimind"), folder)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    del config[key]
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    failed(train(*model, "--set", f"model.weights={folder}"), 2, said, "end of text")


def test_an_adapter_is_refused_on_another_base(
    train: Main, main: Main, weights: Weights, data: Path, tmp_path: Path
) -> None:
    base = ["--set", f"model.weights={weights('scimind')}", "--set", "train.method=lora"]
    assert train(*SCIMIND, *base, "--set", "train.optimizer=adamw").code == 0
    (adapter,) = tmp_path.glob("runs/trained/scimind/*/checkpoint.json")
    (data / "test.tsv").write_text(ROWS, encoding="utf-8")
    other = [*SCIMIND, "--set", f"model.weights={weights('another')}", "--checkpoint", adapter.parent]
    done = main("generate", *TASK, "--data", data, *other)
    failed(done, 2, "was trained on another base", "load it on the weights it was trained on")


def test_a_loss_that_leaves_all_numbers_stops_with_its_rows(train: Main, tmp_path: Path) -> None:
    hot = ("optimizer=adamw", "learning_rate=1e30", "max_grad_norm=0", "schedule=constant", "warmup_steps=0")
    done = train(*ADA_T5, *(word for setting in hot for word in ("--set", f"train.{setting}")))
    failed(done, 5, "at step 2, on training rows 0, 1, 2", "no state was saved before it")
    (batch,) = tmp_path.glob("runs/trained/ada-t5/*/state/bad_batch.json")
    assert json.loads(batch.read_text())["rows"] == [0, 1, 2]


def test_a_folder_without_room_for_the_states_is_refused_before_the_first_step(
    train: Main, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = shutil.disk_usage("/")._replace(free=70 * 2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: room)
    done = train(*ADA_T5, "--set", "model.d_ff=100000")
    failed(done, 5, "no room for checkpoints", "lower train.keep")
    assert "70 MiB are free" in done.err and "steps" not in done.err


def test_a_training_that_has_not_finished_is_no_checkpoint(
    train: Main, main: Main, data: Path, tmp_path: Path
) -> None:
    assert train(*ADA_T5, "--set", "train.method=lora").code == 2
    (unfinished,) = tmp_path.glob("runs/trained/ada-t5/*-*")
    (data / "test.tsv").write_text(ROWS, encoding="utf-8")
    done = main("generate", *TASK, "--data", data, *ADA_T5, "--checkpoint", unfinished)
    failed(done, 4, "is a training that is not finished", "the command that began it")


@pytest.mark.parametrize("setting", ["eval_limit=2", "select_metric=bleu-4", "patience=2"])
def test_what_only_an_evaluation_reads_is_refused_without_one(train: Main, setting: str) -> None:
    name, _, value = setting.partition("=")
    said = f"train.{name} is {value}, and nothing is evaluated: train.eval_every is not set"
    failed(train(*ADA_T5, "--set", f"train.{setting}"), 2, said, "--eval-every N")
