"""The examples work for someone who has only installed them."""

from __future__ import annotations

import ast
import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from harness import Request
from harness.training.rewards import Answer, function

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the model package into a folder, as pip does it anywhere else."""
    source = tmp_path_factory.mktemp("source") / "chem-t5"
    shutil.copytree(EXAMPLES / "chem-t5", source)
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-index"]
    command += ["--no-deps", "--no-build-isolation", "--target", str(folder), str(source)]
    subprocess.run(command, check=True, timeout=120)
    return folder


def test_an_installed_package_is_found_and_named_with_its_distribution(
    run_bench: Callable[..., Any], installed: Path
) -> None:
    done = run_bench("plugins", "--json", env={"PYTHONPATH": str(installed)})
    assert done.code == 0, done.err
    (found,) = (plugin for plugin in json.loads(done.out) if plugin["name"] == "chem-t5")
    assert (found["origin"], found["distribution"], found["version"]) == ("installed", "chem-t5", "0.1.0")


def test_the_installed_model_learns_and_answers_the_task_of_a_single_file(
    run_bench: Callable[..., Any], installed: Path, tmp_path: Path
) -> None:
    done = run_bench(
        *("--model", "chem-t5", "--plugin", EXAMPLES / "iupac.py", "--task", "iupac"),
        *("--max-steps", 3, "--limit", 2, "--json"),
        env={"PYTHONPATH": str(installed)},
    )
    assert done.code == 0, done.err
    (record,) = tmp_path.glob("runs/iupac/chem-t5/*/record.json")
    plugins = {plugin["name"]: plugin for plugin in json.loads(record.read_text())["plugins"]}
    assert plugins["chem-t5"]["distribution"] == "chem-t5"
    assert plugins["iupac"]["source"].endswith("iupac.py")


def test_the_task_of_a_single_file_needs_no_package(run_bench: Callable[..., Any]) -> None:
    done = run_bench("--model", "toy", "--plugin", EXAMPLES / "iupac.py", "--task", "iupac")
    assert done.code == 0, done.err
    assert "name-similarity" in done.out


def test_the_examples_rows_are_distinct_and_fill_three_splits(load: Callable[..., Any]) -> None:
    task = load(EXAMPLES / "iupac.py").tasks.get("iupac").load()()
    rows = {split: [row.inputs["smiles"] for row in task.examples(split)] for split in task.splits()}
    assert {split: len(smiles) for split, smiles in rows.items()} == {
        "train": 50,
        "validation": 13,
        "test": 18,
    }
    assert len({smiles for split in rows.values() for smiles in split}) == 81


def code_lines(path: Path) -> int:
    """Count the lines that are code: no blank ones, comments or docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    texts = {
        line
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    lines = enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
    return sum(
        bool(text.strip()) and not text.lstrip().startswith("#") for n, text in lines if n not in texts
    )


@pytest.mark.parametrize("path", [*EXAMPLES.rglob("*.py")], ids=lambda path: path.stem)
def test_an_example_is_at_most_forty_lines_of_code(path: Path) -> None:
    assert code_lines(path) <= 40


def test_choices_come_after_two_solved_questions(main: Callable[..., Any], tmp_path: Path) -> None:
    plugin = ("--plugin", EXAMPLES / "functional_groups.py")
    shown = main("data", "show", "--task", "functional-groups", "--rows", 1, *plugin)
    assert shown.code == 0, shown.err
    assert shown.out.count("Which functional group has") == 3 and "choice D   nitrile" in shown.out
    done = main("--model", "baseline/frequent", "--task", "functional-groups", *plugin)
    assert done.code == 0 and "accuracy" in done.out


def test_easy_molecules_are_easier_to_make_than_hard_ones(main: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "easy.txt").write_text("CCO\nCCN\n")
    (tmp_path / "hard.txt").write_text("C[C@@H]1[C@H]2[C@@]3(C)C[C@]12O3\nno molecule\n")
    values = {}
    for name in ("easy", "hard"):
        score = ("score", f"{name}.txt", "--references", "easy.txt", "--metrics", "synthetic-accessibility")
        done = main(*score, "--plugin", EXAMPLES / "synthetic_accessibility.py", "--json")
        assert done.code == 0, done.err
        values[name] = json.loads(done.out)["scores"]["synthetic-accessibility"]["value"]
    assert values["easy"] < 3 < 7 < values["hard"]


def test_a_retriever_of_ones_own_finds_what_is_written_alike(load: Callable[..., Any]) -> None:
    found = load(EXAMPLES / "trigrams.py").retrievers.get("trigrams").load()()
    index = found.index(["benzene ring", "acetic acid", "pyridine ring"])
    assert [hit.place for hit in index.search("acetic", 2)] == [1, 0]


def test_a_tracker_knows_runs_and_scores(main: Callable[..., Any], tmp_path: Path) -> None:
    command = ("--model", "toy", "--task", "toy", "--plugin", EXAMPLES / "tracker.py", "--json")
    done = main(*command)
    assert done.code == 0, done.err
    (run,) = json.loads(done.out)["runs"]
    with closing(sqlite3.connect(tmp_path / "experiments.sqlite")) as found:
        kept = dict(found.execute("select metric, value from scores where model = 'toy'").fetchall())
        kinds = [kind for (kind,) in found.execute("select kind from events")]
    assert kept == {name: score["value"] for name, score in run["scores"].items()}
    assert {"started", "train_step"} <= set(kinds)


def test_a_reward_of_ones_own_earns_for_molecules_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(EXAMPLES.parent)
    earn = function("examples.drug_likeness:earned")
    asked = Request("1", "a drug, please")
    aspirin, ethane, none, nothing = earn(
        [Answer(asked, text) for text in ("CC(=O)Oc1ccccc1C(=O)O", "CC", "no molecule", "")]
    )
    assert aspirin > ethane > none == nothing == 0.0
