"""What lists and shows imports nothing heavy, whoever is installed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = (
    "torch",
    "transformers",
    "pandas",
    "rdkit",
    "datasets",
    "evaluate",
    "numpy",
    "deepspeed",
    "peft",
    "nltk",
)
CODE = f"""
import io, json, sys
from contextlib import redirect_stdout
sys.path.insert(0, {str(ROOT)!r})
from harness.cli.main import main
with redirect_stdout(io.StringIO()):
    try:
        code = main(json.loads(sys.argv[1]))
    except SystemExit as left:
        code = left.code
print(json.dumps([code, [name for name in {HEAVY!r} if name in sys.modules]]))
"""


def imported(*arguments: str) -> list[str]:
    command = [sys.executable, "-c", CODE, json.dumps(arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    code, heavy = json.loads(done.stdout)
    assert code in (0, None), done.stderr
    return heavy


def shelf(what: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, str(ROOT / "run_bench.py"), "list", what, "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    return [row["full_name"] for row in json.loads(done.stdout)]


@pytest.mark.parametrize(
    "command",
    [
        ("--help",),
        ("run", "--help"),
        ("list", "models"),
        ("list", "tasks"),
        ("list", "metrics"),
        ("plugins",),
        ("show-config", "--model", "toy", "--task", "toys"),
    ],
    ids=" ".join,
)
def test_a_command_that_only_looks_imports_nothing_heavy(command):
    assert imported(*command) == []


def test_showing_each_bundled_card_imports_nothing_heavy():
    names = [name for what in ("models", "tasks", "metrics") for name in shelf(what)]
    assert {"toy/toy", "lpm24/lpm24", "scimind/scimind"} & set(names)
    code = CODE.replace(
        "code = main(json.loads(sys.argv[1]))",
        "code = max(main(['show', n]) for n in json.loads(sys.argv[1]))",
    )
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(names)], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == [0, []], done.stderr


def test_no_bundled_plugin_is_bad_or_heavy(run_bench):
    rows = json.loads(run_bench("plugins", "--json").out)
    assert [(row["name"], row["reason"], row["heavy"]) for row in rows if not row["ok"] or row["heavy"]] == []
