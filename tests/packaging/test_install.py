"""Setting up says in a sentence what is missing, and does nothing when nothing has changed."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / ".ci" / "install.py"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a folder with what setting up reads."""
    for name in ("pyproject.toml", "constraints.txt", ".ci/install.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def python(checkout: Path) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Return a function that runs Python code beside the copied script."""

    def run(code: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", code]
        return subprocess.run(command, cwd=checkout / ".ci", capture_output=True, text=True, timeout=60)

    return run


def test_an_old_python_gets_a_sentence(python: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = python(
        "import runpy, sys; sys.version_info = (3, 9, 18); sys.argv = ['install.py', 'bench'];"
        "runpy.run_path('install.py', run_name='__main__')"
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: Assay needs Python 3.11 or newer, this is 3.9\nhint: ")


def test_an_old_python_can_read_the_script() -> None:
    ast.parse(SCRIPT.read_text(encoding="utf-8"), feature_version=(3, 7))


def test_a_python_without_venv_gets_a_sentence(
    python: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    done = python(
        "import importlib.util as u, install; find = u.find_spec;"
        "u.find_spec = lambda name: None if name == 'ensurepip' else find(name);"
        "install.main('bench')"
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: this Python cannot make virtual environments\nhint: ")


def test_nothing_is_done_twice_until_what_is_pinned_changes(
    checkout: Path, python: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    stamp = checkout / ".venv" / "installed-bench"
    stamp.parent.mkdir()
    stamp.write_text(python("import install; print(install.digest([]), end='')").stdout)
    again = "import install; install.make_environment = lambda: exit('installs'); install.main('bench')"
    assert python(again).returncode == 0
    with (checkout / "constraints.txt").open("a") as file:
        file.write("another==1.0\n")
    assert python(again).stderr == "installs\n"


def test_every_declared_requirement_is_pinned_to_a_version_that_fits() -> None:
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines())
    pinned = {canonicalize_name(name): version for name, version in pins.items()}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    for requirement in map(Requirement, declared):
        if requirement.name == project["name"]:  # an extra that takes in another
            continue
        assert pinned[canonicalize_name(requirement.name)] in requirement.specifier, requirement
