"""The examples work for someone who has only installed them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

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
