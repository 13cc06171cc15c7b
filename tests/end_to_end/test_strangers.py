"""Models, tasks, metrics and listeners of strangers that misbehave while a run is under way."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODEL = """
import sys
from harness import Checkpoint, Completion, ModelEntry, ModelPlugin, ModelSession, hookimpl

@hookimpl
def harness_models():
    return [ModelEntry("odd", "misbehaves", f"{{__name__}}:Odd", stages=())]

class Odd(ModelPlugin):
    def open(self, checkpoint, run):
        return Asked()

class Asked(ModelSession):
    def generate(self, requests, spec, run):
        for request in requests:
            {answer}
"""
TASK = """
from harness import Example, Task, TaskEntry, hookimpl

@hookimpl
def harness_tasks():
    return [TaskEntry("odd", "misbehaves", f"{{__name__}}:Odd")]

class Odd(Task):
    metrics = ("letter-accuracy",)
    {body}
"""
METRIC = """
from harness import MetricEntry, Score, hookimpl

@hookimpl
def harness_metrics():
    return [MetricEntry("odd", "misbehaves", f"{{__name__}}:measure")]

def measure(pairs):
    {body}
"""


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            "yield Completion(request.id, 'a'); yield Completion(request.id, 'b')",
            "answered request 'element-4' twice",
        ),
        ("yield Completion('element-400', 'a')", "answered request 'element-400', which nobody asked"),
        ("yield Completion(request.id, None)", "which is no Completion with a text"),
        ("yield Completion(request.id, 7)", "which is no Completion with a text"),
        ("yield request.id", "yielded 'element-4', which is no Completion with a text"),
        ("yield None", "yielded None, which is no Completion with a text"),
        ("yield Completion([], 'a')", "generation failed: TypeError"),
        ("return; yield", "left 23 of 23 requests unanswered, the first is 'element-4'"),
        ("raise ValueError('no idea')", "generation failed: ValueError: no idea"),
        ("raise SystemExit(0)", "generation failed: SystemExit: 0"),
        ("sys.exit('bye')", "generation failed: SystemExit: bye"),
        (
            "yield Completion(request.id, 'a', choice_scores=(0.1,))",
            "gave 1 scores for the 0 choices of request",
        ),
    ],
)
def test_a_model_that_answers_wrongly_fails_its_run_by_name(main, write_plugin, answer, said):
    plugin = write_plugin(MODEL.format(answer=answer), "odd_model")
    done = main("--model", "odd", "--task", "toy", "--plugin", plugin)
    assert done.code == 5, done.err
    assert said in done.err.partition("error: ")[2]
    assert "Traceback" not in done.err


@pytest.mark.parametrize("text", ["'\\ud800'", "'\\udc80 half'", "'\\x00\\x1b[31m'", "''", "'字' * 5000"])
def test_any_text_that_a_model_yields_is_kept_and_scored(main, write_plugin, tmp_path, text):
    plugin = write_plugin(MODEL.format(answer=f"yield Completion(request.id, {text})"), "odd_model")
    command = ("--model", "odd", "--task", "toy", "--plugin", plugin)
    assert main(*command).code == 0
    (journal,) = tmp_path.glob("runs/toy/odd/*/completions.jsonl")
    assert {json.loads(line)["text"] for line in journal.read_text().splitlines()} == {eval(text)}
    (journal.parent / "record.json").unlink()
    assert main(*command).code == 0


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        (
            "def examples(self, split):\n        yield 7",
            3,
            "task 'odd', split 'train', yields 7, which is no Example",
        ),
        (
            "def examples(self, split):\n        return 1 / 0",
            3,
            "task 'odd', split 'train', failed: ZeroDivisionError",
        ),
        (
            "def examples(self, split):\n        raise OSError('gone')",
            3,
            "task 'odd', split 'train', failed: OSError",
        ),
        (
            "def __init__(self, data=None):\n        data.nothing\n    examples = None",
            3,
            "task 'odd' failed: ",
        ),
        ("pass", 3, "task 'odd' failed: TypeError: Can't instantiate abstract class"),
        (
            "def examples(self, split):\n        yield Example('1', {'a': 'b'}, ('c',))\n"
            "    def prompt(self, example):\n        raise KeyError('word')",
            5,
            "KeyError: 'word'",
        ),
        (
            "def examples(self, split):\n        yield Example('1', {'a': 'b'}, ('c',))\n"
            "    def answer(self, text, request):\n        raise KeyError('tag')",
            3,
            "KeyError: 'tag'",
        ),
        ("metrics = ('leter-accuracy',)\n    examples = print", 2, "no metric named 'leter-accuracy'"),
    ],
)
def test_a_task_that_misbehaves_fails_its_run_by_name(main, write_plugin, body, code, said):
    plugin = write_plugin(TASK.format(body=body), "odd_task")
    done = main("--model", "toy", "--task", "odd", "--plugin", plugin)
    assert done.code == code, done.err
    assert said in done.err.partition("error: ")[2]
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return 1 / 0", "failed: ZeroDivisionError: division by zero"),
        ("return 0.5", "failed: TypeError: it returned 0.5, which is no Score"),
        ("return Score('odd', float('nan'), 1)", "failed: ValueError: its value is nan"),
        ("return Score('odd', 1.0, 1, (1.0,))", "failed: ValueError: it has 1 values for 23 rows"),
        ("raise SystemExit(0)", "failed: SystemExit: 0"),
    ],
)
def test_a_metric_that_fails_costs_no_other_metric_its_number(main, write_plugin, body, said):
    plugin = write_plugin(METRIC.format(body=body), "odd_metric")
    command = ["--model", "toy", "--task", "toy", "--metrics", "odd,letter-accuracy", "--plugin", plugin]
    done = main(*command, "--json")
    assert done.code == 5
    assert f"error: metric 'odd' {said}" in done.err
    (run,) = json.loads(done.out)["runs"]
    assert run["scores"]["odd"]["value"] is None
    assert run["scores"]["letter-accuracy"]["value"] > 0.9
    assert f"odd: {said}" in main(*command).out


def test_a_listener_that_fails_ends_no_run(main, write_plugin):
    plugin = write_plugin(
        """
        from harness import hookimpl

        @hookimpl
        def harness_run_started(spec):
            raise RuntimeError("tracker is down")

        @hookimpl
        def harness_event(kind, facts):
            raise SystemExit("tracker is down")

        @hookimpl
        def harness_run_finished(record):
            raise KeyError("tracker is down")
        """,
        "tracker",
    )
    done = main("--model", "toy", "--task", "toy", "--plugin", plugin)
    assert done.code == 0, done.err
    assert "95.7" in done.out


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise RuntimeError('no')", "harness_prompt of plugin asker failed: RuntimeError: no"),
        (
            "return 'Answer: {word}'",
            "harness_prompt of plugin asker returned 'Answer: {word}', which is no PromptFormat",
        ),
    ],
)
def test_a_hook_that_answers_wrongly_is_named(main, write_plugin, body, said):
    text = f"from harness import hookimpl\n\n@hookimpl\ndef harness_prompt(model, task):\n    {body}\n"
    done = main("--model", "toy", "--task", "toy", "--plugin", write_plugin(text, "asker"))
    assert done.code == 3
    assert said in done.err


@pytest.mark.parametrize(
    ("target", "code", "said"),
    [
        ("nowhere", 3, "'odd' of plugin 'targets' has the target 'nowhere'"),
        ("no_such_module:Odd", 3, "points at module 'no_such_module', which does not exist"),
        ("targets:Od", 3, "has no 'Od'"),
        ("targets:harness_models", 3, "which is no subclass of ModelPlugin"),
        ("json:dumps", 3, "which is no subclass of ModelPlugin"),
    ],
)
def test_a_target_that_is_not_there_is_named(main, write_plugin, target, code, said):
    text = f"""
from harness import ModelEntry, hookimpl

@hookimpl
def harness_models():
    return [ModelEntry("odd", "points nowhere", {target!r})]

class Odd: ...
"""
    done = main("--model", "odd", "--task", "toy", "--plugin", write_plugin(text, "targets"))
    assert done.code == code, done.err
    assert said in done.err


def test_a_missing_library_is_named_with_the_line_that_installs_it_before_any_work(main, write_plugin):
    text = """
from harness import MetricEntry, hookimpl

@hookimpl
def harness_metrics():
    return [MetricEntry("odd", "needs a lot", "x:y", requires=("no_such_library", "rouge_score_x", "json"))]
"""
    done = main(
        "--model", "toy", "--task", "toy", "--metrics", "odd", "--plugin", write_plugin(text, "needy")
    )
    assert done.code == 3
    assert "error: 'odd' needs no_such_library and rouge_score_x, which are not installed" in done.err
    assert "hint: pip install no_such_library rouge_score_x" in done.err
    assert "finetune" not in done.err


def test_a_failing_cell_leaves_the_rest_of_a_matrix_its_numbers(main, write_plugin):
    plugin = write_plugin(MODEL.format(answer="raise ValueError('no idea')"), "odd_model")
    done = main("--model", "odd,toy", "--task", "toys", "--plugin", plugin)
    assert done.code == 5
    assert done.out.count("failed: generation failed: ValueError: no idea") == 1
    assert done.out.count("failed: Asked does not support scoring choices by log-likelihood") == 1
    assert "95.7" in done.out
    assert "odd on toy failed, the rest goes on" in done.err
    quiet = main("--model", "odd,toy", "--task", "toys", "--plugin", plugin, "--json")
    cells = json.loads(quiet.out)
    assert (quiet.code, cells["failed"]) == (5, 2)
    assert [cell["status"] for cell in cells["runs"]] == ["failed", "failed", "ok", "ok"]


def limited(size: int, *arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the program where no file may grow beyond `size` bytes: what a full disk is to a program."""
    return subprocess.run(
        [sys.executable, str(ROOT / "run_bench.py"), *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
        check=False,
    )


def largest(run: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in run.iterdir() if path.is_file()}


def test_answers_that_no_longer_fit_the_disk_stop_the_run_and_the_command_continues_later(main, tmp_path):
    command = ("--model", "toy", "--task", "toy", "--set", "generate.max_new_tokens=60")
    assert main(*command).code == 0
    (whole,) = tmp_path.glob("runs/toy/toy/*-*")
    size = largest(whole)
    assert size["spec.json"] < size["completions.jsonl"], "the test needs room for the spec alone"
    other = tmp_path / "other"
    other.mkdir()
    done = limited(size["completions.jsonl"] - 100, *command, cwd=other)
    assert (done.returncode, done.stdout) == (5, ""), done.stderr
    assert "error: generation failed: " in done.stderr
    assert "completions.jsonl: No space left on device" in done.stderr
    assert "hint: make room; the same command continues where it stopped" in done.stderr
    assert main(*command, "--output", other / "runs").code == 0
    (again,) = other.glob("runs/toy/toy/*-*")
    assert (again / "scores.json").read_bytes() == (whole / "scores.json").read_bytes()


def test_results_that_cannot_be_saved_are_printed_and_the_exit_code_says_so(main, tmp_path):
    command = ("--model", "toy", "--task", "toy")
    assert main(*command).code == 0
    (whole,) = tmp_path.glob("runs/toy/toy/*-*")
    size = largest(whole)
    other = tmp_path / "other"
    other.mkdir()
    assert max(size["completions.jsonl"], size["spec.json"]) < size["record.json"]
    for flags, shown in (((), "95.7"), (("--json",), '"status": "unsaved"')):
        done = limited(size["record.json"] - 100, *command, *flags, cwd=other)
        assert done.returncode == 5
        assert shown in done.stdout
        assert "error: the results above could not be saved: " in done.stderr
        assert "Traceback" not in done.stderr


def test_a_second_process_is_told_who_works_on_the_run_and_the_first_is_unharmed(main, tmp_path):
    command = ["--model", "toy", "--task", "toy", "--set", "model.delay=0.15"]
    first = subprocess.Popen(
        [sys.executable, str(ROOT / "run_bench.py"), *command],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(lambda: any(tmp_path.glob("runs/toy/toy/*/completions.jsonl")))
    done = main(*command)
    assert done.code == 4
    assert f"error: process {first.pid} is already working on this run" in done.err
    out, err = first.communicate(timeout=60)
    assert first.returncode == 0, err
    assert "95.7" in out


def wait_for(what: Callable[[], bool]) -> None:
    import time

    deadline = time.monotonic() + 30
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)
