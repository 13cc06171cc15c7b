"""`python run_bench.py` with a Python that has no libraries, or is too old: another one, or a sentence."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a folder with the program's first file alone."""
    shutil.copy(ROOT / "run_bench.py", tmp_path)
    return tmp_path


def bare(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a Python that finds no library but its own."""
    return subprocess.run([sys.executable, "-I", "-S", *arguments], capture_output=True, text=True)


def test_without_libraries_it_says_how_to_get_them(checkout):
    done = bare(str(checkout / "run_bench.py"), "--model", "toy", "--task", "toy")
    assert done.returncode == 1
    said, hint = done.stderr.splitlines()
    assert said == "error: this Python has none of Assay's libraries"
    goal = re.search(r"make (\w+) && \. \.venv/bin/activate", hint)
    assert goal is not None and f"\n{goal[1]}:" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_the_python_that_was_set_up_beside_it_is_taken(checkout):
    python = checkout / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho taken "$@"\n')
    python.chmod(0o755)
    done = bare(str(checkout / "run_bench.py"), "--model", "toy")
    assert done.stdout == f"taken {checkout / 'run_bench.py'} --model toy\n"


def test_an_old_python_gets_a_sentence_and_can_read_it(checkout):
    old = "import runpy, sys; sys.version_info = (3, 9, 18); runpy.run_path(sys.argv[1], run_name='__main__')"
    done = bare("-c", old, str(checkout / "run_bench.py"))
    assert done.returncode == 1
    assert done.stderr.startswith("error: Assay needs Python 3.11 or newer, this is ")
    ast.parse((ROOT / "run_bench.py").read_text(encoding="utf-8"), feature_version=(3, 7))


def test_the_first_page_says_how_to_activate():
    assert ". .venv/bin/activate" in (ROOT / "README.md").read_text(encoding="utf-8")
