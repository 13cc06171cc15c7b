"""Which trainings and runs are the same, and which are not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import harness
from harness import DataSpec, GenerateSpec, LaunchSpec, RunSpec, TrainSpec
from harness.engine import sameness
from harness.engine.known import Known, looks, named_files
from harness.engine.sameness import Identity

SPEC = RunSpec("m", "t", train=(TrainSpec(),), train_tasks=("t",))
ROWS = {"digest": "d", "prompt": "p", "version": "1"}


def training(spec: RunSpec, known: Known) -> str:
    return Identity(spec, ("weights",), known).training_key("data", {}, {})


def run(spec: RunSpec, known: Known) -> str:
    return Identity(spec, ("weights",), known).run_key(ROWS, "w", {})


def series(spec: RunSpec, known: Known) -> str:
    return Identity(spec, ("weights",), known).series(ROWS, "")


def staged(**changes: object) -> RunSpec:
    return replace(SPEC, train=(replace(SPEC.train[0], **changes),))


@pytest.fixture
def known(tmp_path: Path) -> Known:
    return Known(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"log_every": 3},
        {"tensorboard": True},
        {"save_every": 9},
        {"keep": 5},
        {"launch": LaunchSpec(processes=2)},
    ],
)
def test_how_a_training_is_watched_and_cut_up_trains_nothing_anew(known, changes):
    assert training(staged(**changes), known) == training(SPEC, known)


@pytest.mark.parametrize("changes", [{"learning_rate": 0.5}, {"seed": 1}, {"options": {"window": 3}}])
def test_what_changes_the_weights_is_another_training(known, changes):
    assert training(staged(**changes), known) != training(SPEC, known)


def test_what_is_asked_later_is_not_part_of_a_training_unless_it_selects_the_best_step(known):
    other = replace(SPEC, generate=GenerateSpec(temperature=0.5), metrics=("x",), data=DataSpec(split="x"))
    assert training(other, known) == training(SPEC, known)
    select = {"select_metric": "x", "eval_every": 1}
    scored = staged(**select)
    assert training(replace(scored, generate=GenerateSpec(temperature=0.5)), known) != training(scored, known)


@pytest.mark.parametrize(
    "changes",
    [
        {"data": DataSpec("./d/")},
        {"generate": GenerateSpec(batch_tokens="64")},
        {"generate": GenerateSpec(processes=2)},
    ],
)
def test_where_rows_lie_and_how_batches_are_cut_is_no_other_run_or_series(known, changes):
    assert run(replace(SPEC, **changes), known) == run(SPEC, known)
    assert series(replace(SPEC, **changes), known) == series(SPEC, known)


def test_seeds_are_other_runs_of_one_series(known):
    seeded = replace(staged(seed=1), seed=1, generate=GenerateSpec(seed=1))
    assert run(seeded, known) != run(SPEC, known)
    assert series(seeded, known) == series(SPEC, known)
    assert series(staged(learning_rate=0.5), known) != series(SPEC, known)


@pytest.mark.parametrize("named", ["base", "weights"])
def test_weights_are_known_by_their_content_and_not_by_their_path(known, tmp_path, named):
    weights = tmp_path / "weights"
    weights.mkdir()
    (weights / "model.safetensors").write_bytes(b"one")

    def key() -> str:
        spec = (
            staged(base=str(weights))
            if named == "base"
            else replace(SPEC, model_options={"weights": str(weights)})
        )
        return training(spec, known)

    before = key()
    assert key() == before
    (weights / "model.safetensors").write_bytes(b"two")
    assert key() != before
    (weights / "model.safetensors").write_bytes(b"one")
    assert key() == before
    shutil.move(weights, tmp_path / "moved")
    (tmp_path / "moved").rename(weights)
    assert key() == before


def test_digests_are_remembered_between_commands_and_a_damaged_memory_is_begun_anew(tmp_path):
    done: list[int] = []
    for _ in range(2):
        assert Known(tmp_path).get(["k"], lambda: str(done.append(1) or "v")) == "v"  # type: ignore[func-returns-value]
    assert done == [1]
    for damage in (b"\xff", b"[]", b"{", b"[1, 2]", b"7"):
        (tmp_path / ".known.json").write_bytes(damage)
        assert Known(tmp_path).get(["k"], lambda: "again") == "again"


def test_a_file_that_was_replaced_looks_different(tmp_path):
    path = tmp_path / "a"
    path.write_text("one")
    os.utime(path, ns=(1, 1))
    before = looks(path)
    path.unlink()
    path.write_text("two")
    os.utime(path, ns=(1, 1))
    assert looks(path) != before


def test_an_edit_of_the_code_of_a_checkout_is_other_code_and_an_installed_version_stands_for_itself(
    tmp_path, monkeypatch
):
    home = tmp_path / "harness"
    (home / "training").mkdir(parents=True)
    (home / "training" / "loop.py").write_text("1")
    monkeypatch.setattr(harness, "__file__", str(home / "__init__.py"))

    def code() -> str:
        sameness.code_of.cache_clear()
        return sameness.code_of("training")

    assert code() == ""
    (tmp_path / "run_bench.py").write_text("")
    before = code()
    (home / "training" / "loop.py").write_text("2")
    assert before and code() != before
    sameness.code_of.cache_clear()


def test_a_finished_cell_is_answered_without_a_heavy_library(run_bench, tmp_path):
    command = ["--model", "baseline/nearest", "--task", "lpm24/text2smiles", "--limit", "5", "--no-compare"]
    first = run_bench(*command)
    assert first.code == 0, first.err
    program = f"""
import sys
sys.path.insert(0, {str(Path(harness.__file__).parent.parent)!r})
from harness.cli.main import main
code = main({command!r})
print([name for name in ("torch", "rdkit", "numpy", "transformers") if name in sys.modules], code)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[] 0", done.stdout + done.stderr
    *table, place = done.stdout.splitlines()[:-1]
    assert place.endswith("(was finished; --fresh starts over)")
    assert table == first.out.splitlines()[:-1]


def test_one_folder_named_in_three_ways_is_one_data_set(main, tmp_path):
    folder = tmp_path / "d"
    folder.mkdir()
    for split in ("train", "validation", "test"):
        (folder / f"{split}.csv").write_text("id,word\n1,abc\n2,bcd\n")
    for place in ("d", "./d/", str(folder)):
        assert main("--model", "toy", "--task", "toy", "--data", place).code == 0
    assert len(list(tmp_path.glob("runs/toy/toy/*/record.json"))) == 1
    (folder / "test.csv").write_text("id,word\n1,abc\n2,xyz\n")
    assert main("--model", "toy", "--task", "toy", "--data", "d").code == 0
    assert len(list(tmp_path.glob("runs/toy/toy/*/record.json"))) == 2
    assert len(list(tmp_path.glob("runs/trained/toy/*/checkpoint.json"))) == 1


def test_stages_are_names_and_not_letters(main):
    done = main("--model", "toy", "--task", "toy", "--set", "stages=sft")
    assert done.code == 0, done.err
    wrong = main("--model", "toy", "--task", "toy", "--set", "stages=-1")
    assert (wrong.code, "no stage named '-1'" in wrong.err) == (2, True)


LISTED = """
from dataclasses import dataclass
from pathlib import Path
from harness import Example, PromptFormat, Task, TaskEntry, TaskOptions, hookimpl

@hookimpl
def harness_tasks():
    return [TaskEntry("listed", "rows of a file that an option names", f"{__name__}:Listed")]

@dataclass(frozen=True, slots=True)
class Options(TaskOptions):
    words: str = ""

class Listed(Task):
    Options = Options
    metrics = ("exact-match",)
    prompt_format = PromptFormat("listed", "say {word}")

    def examples(self, split):
        for word in Path(self.options.words.partition(":")[2]).read_text().split():
            yield Example(word, {"word": word}, (word,))
"""


def test_rows_that_rest_on_a_file_named_by_an_option_are_known_by_what_it_holds(main, write_plugin, tmp_path):
    plugin = write_plugin(LISTED, "listed_task")
    words = tmp_path / "words.txt"
    command = ("--plugin", plugin, "--model", "baseline/random", "--task", "listed")
    for text in ("a b", "a c", "a c"):
        words.write_text(text)
        assert main(*command, "--set", f"task.words=kept:{words}").code == 0
    assert len(list(tmp_path.glob("runs/listed/*/*/record.json"))) == 2


def test_files_that_options_name_are_looked_at(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("1")
    other.write_text("2")
    assert named_files({"a": str(one), "b": 3, "c": "", "d": "nowhere"}) == [looks(one)]
    assert named_files({"retriever": f"bm25+kept:{one}+encoder:{other}"}) == [looks(one), looks(other)]
