"""The package that `new-plugin` writes installs, is tidy and passes its own test at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def installed_and_tested(package: Path, site: Path) -> None:
    """Install a package into a folder as pip does it anywhere, and run its own tests there."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-index"]
    command += ["--no-deps", "--no-build-isolation", "--target", str(site), str(package)]
    subprocess.run(command, check=True, timeout=120)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HARNESS_", "PYTEST_"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        cwd=package,
        env=kept | {"PYTHONPATH": os.pathsep.join([str(site), str(ROOT)])},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_a_whole_package_installs_and_passes_its_test(main, tmp_path):
    done = main("new-plugin", "my-chem")
    assert done.code == 0, done.err
    assert done.out == "my-chem\nnext: cd my-chem && pip install -e '.[test]' && pytest\n"
    written = sorted(
        p.relative_to(tmp_path / "my-chem").as_posix() for p in (tmp_path / "my-chem").rglob("*.*")
    )
    assert written == [
        "README.md",
        "my_chem/__init__.py",
        "my_chem/metric.py",
        "my_chem/model.py",
        "my_chem/rows.csv",
        "my_chem/task.py",
        "pyproject.toml",
        "tests/test_my_chem.py",
    ]
    installed_and_tested(tmp_path / "my-chem", tmp_path / "site")


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    ["model", "task", "metric", "retriever", "verb", "model,task", "model,metric", "metric,task"],
    ids=lambda kind: kind,
)
def test_every_choice_of_kinds_installs_and_passes_its_test(main, tmp_path, kind):
    assert main("new-plugin", "my-part", "--kind", kind, "--output", tmp_path / "new").code == 0
    installed_and_tested(tmp_path / "new" / "my-part", tmp_path / "site")


@pytest.mark.parametrize("kind", ["model", "task", "metric", "retriever", "verb", "task,metric"])
def test_a_package_of_any_kind_is_tidy_and_runs(main, tmp_path, kind, monkeypatch):
    assert main("new-plugin", "part", "--kind", kind).code == 0
    ruff = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--quiet",
        "--select",
        "E,F,I,B,UP",
        "--line-length",
        "110",
    ]
    subprocess.run([*ruff, "--isolated", str(tmp_path / "part")], check=True)
    monkeypatch.syspath_prepend(str(tmp_path / "part"))
    model, task = ("part" if name in kind else "toy" for name in ("model", "task"))
    done = main("--plugin", "part", "--model", model, "--task", task)
    assert done.code == 0, done.err


@pytest.mark.parametrize("kind", ["model", "task", "metric", "retriever", "verb"])
def test_a_new_package_passes_the_conformance_kit_at_once(main, tmp_path, kind, monkeypatch):
    assert main("new-plugin", f"fresh-{kind}", "--kind", kind).code == 0
    folder = tmp_path / f"fresh-{kind}"
    known = folder / f"fresh_{kind}-0.1.0.dist-info"  # what an editable installation leaves
    known.mkdir()
    (known / "METADATA").write_text(f"Metadata-Version: 2.1\nName: fresh-{kind}\nVersion: 0.1.0\n")
    (known / "entry_points.txt").write_text(f"[harness]\nfresh-{kind} = fresh_{kind}\n")
    monkeypatch.syspath_prepend(str(folder))
    # Checks that start the program find the package where they look for any other.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]))
    done = main("plugins", "check", f"fresh-{kind}")
    assert done.code == 0, done.out + done.err
    assert f"{kind} fresh-{kind}" in done.out and "failed" not in done.out


def test_a_new_verb_does_its_work(main, tmp_path, monkeypatch):
    assert main("new-plugin", "rare-verb", "--kind", "verb").code == 0
    monkeypatch.syspath_prepend(str(tmp_path / "rare-verb"))
    done = main("rare-verb", "toy", "--rows", 1, "--plugin", "rare_verb")
    assert done.code == 0 and "element-" in done.out
    none = main("rare-verb", "toy", "--rows", 0, "--plugin", "rare_verb")
    assert none.code == 2 and "at least 1" in none.err


@pytest.mark.parametrize(
    ("arguments", "said", "hint"),
    [
        (["there"], "there is there already, and nothing in it is touched", "another name"),
        (["Bad_Name"], "'Bad_Name' cannot be a plugin's name", "my-model"),
        (["../up"], "'../up' cannot be a plugin's name", "my-model"),
        (["class"], "'class' cannot be a plugin's name", "my-model"),
        (["new", "--kind", "modle"], "there is no kind 'modle' of plugin", "did you mean model?"),
        (["new", "--kind", ","], "--kind names nothing", "model, task, metric"),
    ],
)
def test_what_cannot_be_written_is_refused_and_nothing_is_left(main, tmp_path, arguments, said, hint):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "mine.txt").write_text("mine")
    done = main("new-plugin", *arguments)
    assert done.code == 2
    assert f"error: {said}" in done.err
    assert hint in done.err
    assert [path.name for path in tmp_path.rglob("*")] == ["there", "mine.txt"]
