"""Strangers' plugins that misbehave: installed, laid beside the bundled ones, or asked for by name."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from harness.engine.fitting import release

ROOT = Path(__file__).resolve().parents[2]

# name -> (code, what is said of it); torch is imported for nothing, and that is a cost, not a fault
HOSTILE = {
    "raises": ("raise RuntimeError('no such thing')", "RuntimeError: no such thing"),
    "exits": ("import sys\nsys.exit('licence expired')", "SystemExit: licence expired"),
    "skips": (
        "import _pytest.outcomes as o\nraise o.Skipped('not here')",
        "Skipped: not here",
    ),
    "cancels": ("import asyncio\nraise asyncio.CancelledError('late')", "CancelledError: late"),
    "closes": ("raise GeneratorExit", "GeneratorExit:"),
    "wants-more": (
        """
        from harness import hookimpl

        @hookimpl
        def harness_prompt(modle, task):
            return None
        """,
        "harness_prompt wants an argument 'modle', which it is never given; did you mean model?",
    ),
    "dials": (
        "import socket\nsocket.create_connection(('192.0.2.1', 80), timeout=0.1)",
        "a connection to 192.0.2.1 was refused: plugins may not connect while loading",
    ),
    "misspells": (
        """
        from harness import hookimpl

        @hookimpl
        def harness_model():
            return []
        """,
        "unknown hook 'harness_model'; did you mean harness_models or harness_metrics or harness_verbs?",
    ),
    "doubles": (
        """
        from harness import MetricEntry, ModelEntry, TaskEntry, hookimpl

        @hookimpl
        def harness_models():
            return [ModelEntry("m", "a model", "x:y"), ModelEntry("m", "the same", "x:z")]
        """,
        "it brings the model 'm' twice",
    ),
    "forgets": (
        """
        def harness_models():
            return []
        """,
        "harness_models is not marked with @hookimpl",
    ),
    "empty": ("", "it implements no hook"),
    "old": (
        "HARNESS_API_VERSION = 0",
        "written for plugin API 0, this is API 1: upgrade the plugin",
    ),
    "newer": (
        "from harness import SomethingNew",
        f"written for another release than {release()}: cannot import name 'SomethingNew' from 'harness'",
    ),
    "returns-nothing": (
        """
        from harness import hookimpl

        @hookimpl
        def harness_tasks():
            return None
        """,
        "harness_tasks returned None, which is no list of TaskEntry",
    ),
    "returns-junk": (
        """
        from harness import hookimpl

        @hookimpl
        def harness_tasks():
            return ["a task"]
        """,
        "harness_tasks returned 'a task', which is no TaskEntry",
    ),
    "raises-in-hook": (
        """
        from harness import hookimpl

        @hookimpl
        def harness_metrics():
            yield 1 / 0
        """,
        "ZeroDivisionError: division by zero",
    ),
    "climbs": (
        """
        from harness import ModelEntry, TaskEntry, hookimpl

        @hookimpl
        def harness_tasks():
            return [TaskEntry("../../etc", "a task", "x:y")]
        """,
        "the task name '../../etc' is not made of letters, digits and .+_@-, with / between parts",
    ),
    "untyped": (
        """
        from harness import ModelEntry, hookimpl

        @hookimpl
        def harness_models():
            return [ModelEntry("m", None, "x:y", presets="tiny")]
        """,
        "summary of the model 'm' is None, which is no text",
    ),
}
HEAVY = """
import torch
from harness import ModelEntry, hookimpl

@hookimpl
def harness_models():
    return [ModelEntry("anvil", "a heavy one", "heavy:Anvil")]
"""
SAME_NAME = """
from harness import MetricEntry, ModelEntry, TaskEntry, hookimpl

@hookimpl
def harness_models():
    return [ModelEntry("toy", "another toy", "x:y")]

@hookimpl
def harness_tasks():
    return [TaskEntry("toy", "another toy", "x:y")]

@hookimpl
def harness_metrics():
    return [MetricEntry("letter-accuracy", "another", "x:y")]
"""


def install(site: Path, name: str, code: str) -> None:
    """Lay a package and its metadata into a folder of sys.path, as pip does."""
    module = name.replace("-", "_")
    (site / f"{module}.py").write_text(dedent(code), encoding="utf-8")
    info = site / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[harness]\n{name} = {module}\n", encoding="utf-8")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with every hostile plugin installed."""
    folder = tmp_path_factory.mktemp("site")
    for name, (code, _) in HOSTILE.items():
        install(folder, name, code)
    install(folder, "copycat", SAME_NAME)
    return folder


def test_each_hostile_plugin_that_is_installed_is_a_bad_row_with_its_reason(run_bench, site):
    done = run_bench("plugins", "--json", env={"PYTHONPATH": str(site)})
    assert done.code == 0
    rows = {row["name"]: row for row in json.loads(done.out)}
    assert {name: rows[name]["reason"] for name in HOSTILE} == {n: said for n, (_, said) in HOSTILE.items()}
    assert rows["toy"]["ok"]
    assert rows["copycat"]["ok"]


@pytest.mark.parametrize(
    "command",
    [
        ["list", "models"],
        ["list", "tasks"],
        ["list", "metrics"],
        ["show", "toy-choice"],
        ["show-config", "--model", "toy/toy", "--task", "toy/toy"],
        ["--model", "toy/toy", "--task", "toy-choice", "--output", "out"],
    ],
    ids=lambda command: command[0],
)
def test_hostile_installed_plugins_cost_one_warning_each_and_no_command(run_bench, site, command):
    done = run_bench(*command, env={"PYTHONPATH": str(site)})
    assert done.code == 0, done.err
    warnings = [
        line for line in done.err.splitlines() if line.startswith("warning: ") and "assay-bench" not in line
    ]
    assert sorted(warnings) == sorted(
        f"warning: plugin '{name}' ({name}) is not used: {said}" for name, (_, said) in HOSTILE.items()
    )
    assert "Traceback" not in done.err


def test_the_overview_of_help_does_not_load_plugins(run_bench, site):
    done = run_bench("--help", env={"PYTHONPATH": str(site)})
    assert (done.code, done.err) == (0, "")


def test_hostile_plugins_beside_the_bundled_ones_cost_no_command(run_bench, tmp_path):
    checkout = tmp_path / "checkout"
    for folder in ("harness", "plugins", "tasks", "leaderboards"):
        left = shutil.ignore_patterns("__pycache__", "published")
        shutil.copytree(ROOT / folder, checkout / folder, ignore=left)
    shutil.copy(ROOT / "run_bench.py", checkout)
    for name, (code, _) in HOSTILE.items():
        folder = checkout / "plugins" / name.replace("-", "_")
        folder.mkdir()
        (folder / "__init__.py").write_text(dedent(code), encoding="utf-8")
    program = [sys.executable, str(checkout / "run_bench.py")]
    rows = {r["name"]: r for r in json.loads(_output([*program, "plugins", "--json"], tmp_path))}
    said = {name: said for name, (_, said) in HOSTILE.items() if name != "dials"}  # ours are not watched
    assert {name: rows[name]["reason"] for name in said} == said
    assert not rows["dials"]["ok"]
    assert "toy" in _output([*program, "list", "models"], tmp_path)
    assert "95.7" in _output([*program, "--model", "toy", "--task", "toy"], tmp_path)


def _output(command: list[str], cwd: Path) -> str:
    import subprocess

    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_heavy_plugin_works_and_is_named_as_the_one_who_imports_torch(run_bench, tmp_path):
    install(tmp_path, "heavy", HEAVY)
    done = run_bench("plugins", "--json", env={"PYTHONPATH": str(tmp_path)})
    heavy = next(row for row in json.loads(done.out) if row["name"] == "heavy")
    assert heavy["ok"]
    assert "torch" in heavy["heavy"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_plugin_that_is_asked_for_is_fatal(main, run_bench, site, name):
    path = site / f"{name.replace('-', '_')}.py"
    program = run_bench if name == "dials" else main  # the tests' own guard forbids dialling in this process
    for command in (["list", "models"], ["--model", "toy", "--task", "toy"]):
        done = program(*command, "--plugin", path)
        assert (done.code, done.out) == (3, ""), done.err
        assert f"error: plugin {path} cannot be used: {HOSTILE[name][1]}" in done.err
        assert "hint: " in done.err


def test_an_ambiguous_short_name_names_both_plugins_and_the_full_names(run_bench, site):
    done = run_bench("--model", "toy", "--task", "toy-choice", env={"PYTHONPATH": str(site)})
    assert done.code == 3
    assert "error: model name 'toy' is claimed by plugins 'copycat' and 'toy'" in done.err
    assert "hint: write copycat/toy or toy/toy" in done.err


def test_a_metric_of_the_same_name_elsewhere_leaves_a_task_its_own(run_bench, site, tmp_path):
    done = run_bench(
        *("--model", "toy/toy", "--task", "toy/toy", "--json", "--output", tmp_path / "out"),
        env={"PYTHONPATH": str(site)},
    )
    assert done.code == 0, done.err
    (run,) = json.loads(done.out)["runs"]
    assert run["scores"]["letter-accuracy"]["value"] > 0.9


def test_a_plugin_that_prints_does_not_spoil_json(run_bench, tmp_path):
    install(
        tmp_path,
        "chatty",
        """
        from harness import hookimpl
        print("welcome to chatty")

        @hookimpl
        def harness_models():
            print("here are my models")
            return []
        """,
    )
    done = run_bench("list", "models", "--json", env={"PYTHONPATH": str(tmp_path)})
    assert json.loads(done.out)
    assert "welcome to chatty" in done.err


def test_an_installed_plugin_that_is_left_out_is_not_imported(run_bench, site):
    flags = [part for name in (*HOSTILE, "copycat") for part in ("--no-plugin", name)]
    done = run_bench("list", "models", *flags, env={"PYTHONPATH": str(site)})
    assert done.code == 0
    assert not [name for name in HOSTILE if f"'{name}'" in done.err]


def test_a_broken_plugin_is_fatal_when_strictness_is_asked_for(run_bench, tmp_path):
    install(tmp_path, "raises", HOSTILE["raises"][0])
    environment = {"PYTHONPATH": str(tmp_path), "HARNESS_STRICT": "1"}
    done = run_bench("list", "models", "--no-plugin", "metrics", env=environment)
    assert done.code == 3
    assert "error: plugin 'raises' (raises) is not used: RuntimeError: no such thing" in done.err


def test_a_plugin_that_hangs_at_import_is_named_when_the_user_gives_up(tmp_path):
    import signal
    import subprocess

    install(tmp_path, "hangs", "import sys, time\nsys.stderr.write('hanging\\n')\ntime.sleep(60)\n")
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "run_bench.py"), "list", "models"],
        env={"PYTHONPATH": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
    )
    line = process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, line) == (130, "hanging\n")
    assert err == "\nstopped; plugin 'hangs' was loading; --no-plugin hangs leaves it out\n"


@pytest.mark.parametrize(
    ("entry_points", "said"),
    [
        (b"[harness]\nodd = not a module !\n", "BAD"),
        (b"[harness]\nodd = no_such_module\n", "ModuleNotFoundError: No module named 'no_such_module'"),
        (b"[harness]\nodd = json:no_such_name\n", "module 'json' has no attribute 'no_such_name'"),
        (b"\xff\xfe broken [harness\n", "OK"),
    ],
)
def test_damaged_metadata_of_an_installed_package_does_not_stop_the_program(
    run_bench, tmp_path, entry_points, said
):
    info = tmp_path / "odd-1.0.dist-info"
    info.mkdir()
    (info / "entry_points.txt").write_bytes(entry_points)
    done = run_bench("plugins", env={"PYTHONPATH": str(tmp_path)})
    assert done.code == 0, done.err
    assert said in done.out
    assert "Traceback" not in done.err
