"""What may end a line: verbs, flags, the names of models, tasks, presets and metrics, in three shells."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli.completion import SCRIPTS, endings
from harness.cli.main import verbs

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("sh", ["show", "show-prompt", "show-config"]),
        ("leaderb", ["leaderboard"]),
        ("--mod", ["--model"]),
        ("run --see", ["--seed", "--seeds"]),
        ("--model to", ["toy"]),
        ("run --model toy --task toy", ["toy", "toy-choice", "toys"]),
        ("--model toy --task toy,toy-", ["toy,toy-choice"]),
        ("--model toy --preset ", ["tiny"]),
        ("--model ada-t5 --preset s", ["small", "small-ada", "small-aug"]),
        ("--preset ", []),
        ("--model nobody --preset ", []),
        ("--dtype b", ["bf16"]),
        ("list ", ["models", "tasks", "metrics", "retrievers", "stages"]),
        ("list m", ["models", "metrics"]),
        ("list models t", []),
        ("data ", ["check", "convert", "export", "overlap", "preferences", "show"]),
        ("data check --task toy-", ["toy-choice"]),
        ("data check --skip", ["--skip-bad-rows"]),
        ("leaderboard ver", ["verify"]),
        ("retrieve --task qasper --retriever tf", ["tfidf"]),
        ("show letter-a", ["letter-accuracy"]),
        ("new-plugin my-", []),
        ("completion z", ["zsh"]),
        ("score answers.jsonl --metrics letter-a", ["letter-accuracy"]),
        ("run --output ", []),
        ("run --quiet ", []),
        ("nonsense x", []),
        ("train --stage sf", ["sft"]),
    ],
)
def test_a_line_may_end_in(line, found):
    ends = endings(line.split(" "))
    assert sorted(ends) == sorted(found) if found else ends == []


def test_an_empty_line_may_become_any_verb():
    assert endings([""]) == endings([]) == list(verbs())


def test_names_of_a_plugin_that_the_line_names_are_known(main, write_plugin):
    plugin = write_plugin(
        """
        from harness import ModelEntry, hookimpl

        @hookimpl
        def harness_models():
            return [ModelEntry("zzz-mine", "mine", "x:y", presets=("big", "bigger"))]
        """
    )
    line = ["--plugin", str(plugin), "--model"]
    assert endings([*line, "zzz"]) == ["zzz-mine"]
    assert endings([*line, "zzz-mine", "--preset", "big"]) == ["big", "bigger"]


def test_the_script_asks_the_program_and_what_it_gets_is_a_name_a_line(main):
    done = main("completion", "--words", "--model", "to")
    assert (done.code, done.out, done.err) == (0, "toy\n", "")


@pytest.mark.parametrize("shell", SCRIPTS)
def test_each_shell_gets_a_script_that_asks_for_the_words_so_far(main, shell):
    done = main("completion", shell)
    assert done.code == 0
    assert "run-bench completion --words" in done.out and "2>/dev/null" in done.out


@pytest.mark.parametrize("shell", SCRIPTS)
def test_a_shell_understands_its_script(tmp_path, shell):
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    script = tmp_path / "script"
    script.write_text(SCRIPTS[shell])
    subprocess.run([shell, "--no-execute" if shell == "fish" else "-n", str(script)], check=True)


def test_bash_completes_a_line_with_it(tmp_path):
    program = tmp_path / "run-bench"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {ROOT / "run_bench.py"} "$@"\n')
    program.chmod(0o755)
    line = "COMP_WORDS=(run-bench --model toy --task toy-); COMP_CWORD=4; _run_bench; echo ${COMPREPLY[@]}"
    done = subprocess.run(
        ["bash", "-c", f"{SCRIPTS['bash']}\n{line}"],
        env=dict(os.environ, PATH=f"{tmp_path}:{os.environ['PATH']}"),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "toy-choice\n"


def test_no_shell_is_a_sentence(main):
    done = main("completion")
    assert (done.code, done.err) == (
        2,
        "error: no shell is named\nhint: run-bench completion bash, zsh or fish\n",
    )
    assert "invalid choice: 'tcsh'" in main("completion", "tcsh").err
