"""What is written where: tables for readers, JSON for programs, progress for those who wait."""

from __future__ import annotations

import csv
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOY = ("--model", "toy", "--task", "toy")
PROGRAM = [sys.executable, str(ROOT / "run_bench.py")]

TABLE = """\
toy (23 rows of test; built-in sample: not comparable with published numbers)
model       letter-accuracy
----------  ---------------
toy [tiny]        95.7 ±3.0
±: half the width of the 95 % bootstrap interval over rows
tokens: toy 582 in + 191 out, 34 a row

run: runs/toy/toy/RUN
"""

MATRIX = """\
toy (23 rows of test; built-in sample: not comparable with published numbers)
model                letter-accuracy
-------------------  ---------------
toy [tiny], 2 seeds        97.0 ±1.0
±: standard deviation over seeds, where there are several
tokens: toy 582 in + 191 out, 34 a row

toy-choice (23 rows of test; built-in sample: not comparable with published numbers)
model                letter-accuracy
-------------------  ---------------
toy [tiny], 2 seeds        98.9 ±0.8
±: standard deviation over seeds, where there are several
tokens: toy 582 in + 0 out, 25 a row

run: runs/toy/toy/RUN
run: runs/toy-choice/toy/RUN
run: runs/toy/toy/RUN
run: runs/toy-choice/toy/RUN
"""


def steady(text: str) -> str:
    return re.sub(r"\d{8}-\d{6}(\.\d\d)?-[0-9a-f]{8}", "RUN", text)


def test_a_table_in_a_pipe_is_plain_text(main):
    assert steady(main(*TOY).out) == TABLE
    assert steady(main(*TOY).out) == TABLE.replace("RUN", "RUN (was finished; --fresh starts over)")


def test_a_finished_run_is_shown_again_with_its_columns_in_the_task_s_order(main):
    command = ("--model", "baseline/random", "--task", "promoter", "--limit", "9")
    first, again = steady(main(*command).out), steady(main(*command).out)
    assert first.splitlines()[1].split() == ["model", "accuracy", "macro-f1", "mcc"]
    assert again == first.replace("RUN", "RUN (was finished; --fresh starts over)")


def test_seeds_are_one_row_with_mean_and_spread_and_a_name_given_twice_is_one_cell(main):
    done = main("--model", "toy,toy", "--task", "toys,toy", "--seeds", "1,2")
    lines = steady(done.out).splitlines()
    assert sorted(lines) == sorted(MATRIX.splitlines()), done.out


def test_a_seed_that_failed_is_counted_and_named(main, tmp_path, write_plugin):
    plugin = write_plugin(
        """
        from harness import Completion, ModelEntry, ModelPlugin, ModelSession, hookimpl

        @hookimpl
        def harness_models():
            return [ModelEntry("moody", "fails under one seed", f"{__name__}:Moody", stages=())]

        class Moody(ModelPlugin):
            def open(self, checkpoint, run):
                return Asked()

        class Asked(ModelSession):
            def generate(self, requests, spec, run):
                for request in requests:
                    yield Completion(request.id, "Rome"[1 / (spec.seed - 2) > 9 :])
        """,
        "moody",
    )
    done = main("--model", "moody", "--task", "toy", "--seeds", "1,2,3", "--plugin", plugin)
    assert done.code == 5
    assert "moody, 2 of 3 seeds" in done.out
    assert done.out.count("failed: generation failed: ZeroDivisionError: division by zero") == 1


def test_json_is_all_that_stands_on_stdout_and_nothing_stands_on_stderr(main):
    done = main(*TOY, "--json")
    assert done.err == ""
    (run,) = json.loads(done.out)["runs"]
    assert (run["status"], run["sample"], run["error"]) == ("ok", True, "")
    assert run["scores"]["letter-accuracy"]["n"] == 23
    assert Path(run["directory"], "record.json").exists()


def test_quiet_leaves_the_table_alone(main):
    done = main(*TOY, "--quiet")
    assert (steady(done.out), done.err) == (TABLE, "")


@pytest.mark.parametrize("verb", ["train", "generate"])
def test_verbs_that_stop_earlier_print_where_their_result_is(main, verb):
    done = main(verb, *TOY)
    place = done.out.removeprefix("toy on toy: ").strip()
    assert Path(place, "checkpoint.json" if verb == "train" else "completions.jsonl").exists()


def test_a_wide_table_is_turned_on_its_side(main, write_plugin):
    names = [f"a-metric-with-a-long-name-{number}" for number in range(8)]
    plugin = write_plugin(
        f"""
        from harness import MetricEntry, Score, hookimpl

        @hookimpl
        def harness_metrics():
            return [MetricEntry(name, "one", f"{{__name__}}:one") for name in {names}]

        def one(pairs):
            return Score("one", 0.5, len(pairs))
        """
    )
    done = main(*TOY, "--metrics", ",".join(names), "--plugin", plugin)
    lines = done.out.splitlines()
    assert lines[1].split() == ["model", "toy", "[tiny]"]
    assert [line.split() for line in lines[3:11]] == [[name, "0.50"] for name in names]


def test_how_choices_end_is_not_an_oddity_and_cut_answers_are(main):
    assert "choice:" not in main("--model", "toy", "--task", "toy-choice").out
    done = main(*TOY, "--set", "generate.max_new_tokens=4")
    assert "toy: 22 cut at max_new_tokens" in done.out


def on_a_terminal(*arguments: str, cwd: Path) -> str:
    """Run the program with a terminal for stdout and stderr."""
    leader, follower = pty.openpty()
    environment = dict(os.environ, COLUMNS="100", TERM="xterm", NO_COLOR="")
    with subprocess.Popen(
        [*PROGRAM, *arguments], cwd=cwd, stdout=follower, stderr=follower, stdin=follower, env=environment
    ) as process:
        os.close(follower)
        text = b""
        while True:
            try:
                block = os.read(leader, 65536)
            except OSError:  # the other end is closed
                break
            if not block:
                break
            text += block
        assert process.wait() == 0, text.decode()
    os.close(leader)
    return text.decode()


def test_a_terminal_gets_a_drawn_table_and_a_bar(tmp_path):
    text = on_a_terminal(*TOY, "--set", "model.step_delay=0.1", cwd=tmp_path)
    assert "letter-accuracy" in text
    assert "━" in text
    assert "steps/s" in text
    assert "loss" in text


@pytest.mark.parametrize("arguments", [("list", "metrics"), TOY, (*TOY, "--json"), ("--help",)])
def test_a_reader_that_leaves_early_is_no_error(tmp_path, arguments):
    process = subprocess.Popen(
        [*PROGRAM, *arguments], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 0, err
    assert "Traceback" not in err
    assert "BrokenPipe" not in err


def test_a_dry_run_says_what_would_run_and_does_nothing(main, tmp_path):
    done = main(*TOY, "--dry-run", "--limit", "5")
    assert done.code == 0
    for line in (
        r"data\.limit +5 +flag",
        r"train\.max_steps +4 +recipe tiny",
        r"rows scored +5 of 23 in test",
    ):
        assert re.search(line, done.out), done.out
    assert "estimate" in done.out
    assert not (tmp_path / "runs").exists()
    done = main(*TOY, "--dry-run", "--json")
    (facts,) = json.loads(done.out)
    assert facts["settings"]["train.max_steps"] == 4
    assert facts["sources"]["train.max_steps"] == "recipe tiny"


def test_a_dry_run_of_what_cannot_run_says_so_and_fails(main):
    done = main(*TOY, "--dry-run", "--split", "tset")
    assert done.code == 2
    assert "no split 'tset'" in done.out


def test_the_rows_of_a_run_become_a_table_of_questions_answers_and_references(tmp_path: Path) -> None:
    subprocess.run([*PROGRAM, *TOY, "--quiet", "--output", str(tmp_path)], check=True, capture_output=True)
    [record] = tmp_path.glob("toy/toy/*/record.json")
    out = tmp_path / "cases.csv"
    command = [*PROGRAM, "score", str(record.parent), "--task", "toy", "--per-example", str(out)]
    subprocess.run(command, check=True, capture_output=True)
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    predictions = (record.parent / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(rows) == len(predictions)
    for row, line in zip(rows, map(json.loads, predictions), strict=True):
        assert (row["id"], row["answer"], row["reference"]) == (
            line["id"],
            line["text"],
            line["references"][0],
        )
        assert row["input"] == "\n".join(line["inputs"].values())
        assert float(row["letter-accuracy"]) == line["scores"]["letter-accuracy"]
