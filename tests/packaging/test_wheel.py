"""The wheel holds one package and all of it, works in a bare environment, and keeps its layers apart."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.xdist_group("wheel")  # one build for all of them


def run(*command: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("HARNESS_", "PYTHONPATH"))}
    return subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env=kept | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the source distribution and the wheel out of it, so that both are known to be whole."""
    folder = tmp_path_factory.mktemp("dist")
    done = run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    assert done.returncode == 0, done.stdout
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a virtual environment that holds the wheel, what the wheel says it needs, and nothing else."""
    folder = tmp_path_factory.mktemp("bare")
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder).check_returncode()
    python = folder / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check", "install")
    done = run(*pip, "--no-index", "--no-deps", wheel, cwd=folder)
    assert done.returncode == 0, done.stdout
    place = next(folder.glob("lib/python*/site-packages"))
    with zipfile.ZipFile(wheel) as archive:
        (card,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        needs = metadata.Distribution.at(place / Path(card).parent).requires or []
    for name in closure(needs):
        copy(metadata.distribution(name), place)
    return folder


def closure(requirements: list[str], extra: str = "") -> set[str]:
    """Return the names of what these requirements bring, as installed beside the tests."""
    found: set[str] = set()
    waiting = list(requirements)
    while waiting:
        requirement = Requirement(waiting.pop())
        wanted = requirement.marker is None or requirement.marker.evaluate({"extra": extra})
        if wanted and requirement.name not in found:
            found.add(requirement.name)
            waiting += metadata.requires(requirement.name) or []
    return found


def copy(distribution: metadata.Distribution, place: Path) -> None:
    """Copy an installed distribution's files, hard-linked where that is possible."""
    for file in distribution.files or []:
        source = Path(str(distribution.locate_file(file)))
        if ".." not in file.parts and source.is_file() and file.suffix != ".pyc":
            target = place / file
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(source, target)
            except OSError:  # another file system
                shutil.copy2(source, target)


def hosted_and_own() -> Iterator[str]:
    """Yield the path in the wheel of every file that belongs there."""
    for folder in ("harness", "plugins", "tasks", "leaderboards"):
        prefix = "" if folder == "harness" else "harness/"
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                yield prefix + path.relative_to(ROOT).as_posix()


def test_the_wheel_holds_the_one_package_with_all_its_files(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"harness", "assay_bench"}
    assert {name for name in names if name.startswith("harness/")} == set(hosted_and_own())


def test_the_base_needs_no_training_libraries(bare: Path) -> None:
    done = run(bare / "bin" / "python", "-c", "import torch", cwd=bare)
    assert "No module named 'torch'" in done.stdout


def test_the_toy_run_works_from_the_root_folder(bare: Path, tmp_path: Path) -> None:
    command = (bare / "bin" / "run-bench", "--model", "toy", "--task", "toys", "--output", tmp_path / "runs")
    done = run(*command, cwd=Path("/"))
    assert done.returncode == 0, done.stdout
    assert "letter-accuracy" in done.stdout
    assert len(list(tmp_path.glob("runs/*/toy/*/record.json"))) == 2


def test_the_kit_checks_plugins_where_there_is_no_pytest(bare: Path, tmp_path: Path) -> None:
    done = run(bare / "bin" / "run-bench", "plugins", "check", "toy", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert " passed, " in done.stdout.splitlines()[-1]


def test_python_m_harness_is_run_bench_even_beside_files_called_tasks_and_plugins(
    bare: Path, tmp_path: Path
) -> None:
    for name in ("tasks.py", "plugins.py"):
        (tmp_path / name).write_text("raise SystemExit('the wrong module was imported')\n")
    arguments = ("list", "models")
    module = run(bare / "bin" / "python", "-m", "harness", *arguments, cwd=tmp_path)
    script = run(bare / "bin" / "run-bench", *arguments, cwd=tmp_path)
    assert module.returncode == 0, module.stdout
    assert module.stdout == script.stdout
    assert "scimind" in module.stdout


def test_a_model_whose_libraries_are_absent_names_the_line_that_installs_them(
    bare: Path, tmp_path: Path
) -> None:
    (tmp_path / "needy.py").write_text(
        "from harness import ModelEntry, hookimpl\n\n"
        "@hookimpl\n"
        "def harness_models():\n"
        "    return [ModelEntry('needy', 'needs much', 'needy:Needy', requires=('torch', 'rdkit'))]\n"
    )
    command = ("--plugin", "needy.py", "--model", "needy", "--task", "toy", "--output", tmp_path)
    done = run(bare / "bin" / "run-bench", *command, cwd=tmp_path)
    assert done.returncode == 3, done.stdout
    assert "error: 'needy' needs torch, which is not installed\nhint: pip install torch" in done.stdout
    assert "Traceback" not in done.stdout


def lint(place: Path) -> subprocess.CompletedProcess[str]:
    """Check the contracts of pyproject.toml on the package installed in `place`."""
    command = (
        Path(sys.executable).parent / "lint-imports",
        "--no-cache",
        "--config",
        ROOT / "pyproject.toml",
    )
    return run(*command, cwd=place, PYTHONPATH=str(place))


def test_the_layers_are_kept_apart(bare: Path) -> None:
    done = lint(next(bare.glob("lib/python*/site-packages")))
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("harness/engine/registry.py", "harness.cli.main"),
        ("harness/plugins/toy/model.py", "harness.engine.registry"),
        ("harness/training/seeded.py", "harness.plugins.toy.model"),
        ("harness/tasks/toy/task.py", "harness.plugins.toy.model"),
    ],
)
def test_a_seeded_violation_is_caught(bare: Path, tmp_path: Path, importer: str, imported: str) -> None:
    shutil.copytree(next(bare.glob("lib/python*/site-packages")) / "harness", tmp_path / "harness")
    with (tmp_path / importer).open("a", encoding="utf-8") as file:
        file.write(f"\nimport {imported}\n")
    done = lint(tmp_path)
    assert done.returncode == 1, done.stdout
    assert f"{importer.removesuffix('.py').replace('/', '.')} -> {imported}" in done.stdout
