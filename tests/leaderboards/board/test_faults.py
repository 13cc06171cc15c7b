"""What is wrong with one run, one metric or one process costs the others nothing, and is said."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from harness import MetricEntry, Score
from harness.files.finished import digests, write_record
from harness.files.rows import read_rows
from harness.leaderboards.board import history
from harness.leaderboards.board.build import Refused, add_runs, build
from harness.leaderboards.intake.tasks import Tasks

from ..conftest import METRICS, change, make_submission, say
from .test_build import put

ROOT = Path(__file__).resolve().parents[3]


def answered(run, view):
    """Let the run answer the rows of a view."""
    say(run, *({"id": e.id, "raw": e.references[0], "text": ""} for e in view.examples))
    change(run, data_digest=view.digest)
    return run


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda run: weights_of(run).write_bytes(b""), "is no safetensors file that can be read"),
        (lambda run: weights_of(run).write_bytes(b"\xff" * 40), None),  # larger than any header: not counted
        (lambda run: weights_of(run).write_bytes((2).to_bytes(8, "little") + b"[]"), "no safetensors file"),
        (lambda run: (run / "record.json").write_text("{"), "cannot be read"),
        (lambda run: (run / "record.json").write_text("[]"), "record.json is not what was written"),
        (lambda run: write_record(run, {"files": digests(run)}), "is not the record of a run"),
        (lambda run: say(run, {}), "is not the record of a run"),
        (lambda run: (run / "predictions.jsonl").write_text("{}\n"), "jsonl is not what was written"),
        (lambda run: (run / "predictions.jsonl").unlink(), "predictions.jsonl is missing"),
        (lambda run: say(run), "answers 0 of 200 rows"),
    ],
)
def test_a_damaged_run_is_left_out_with_its_reason_and_the_others_are_taken(
    store, view, opened, run, damage, said
):
    answered(run, view)
    healthy = run.parent / "20260103-cccc"
    shutil.copytree(run, healthy)
    first, *rest = read_rows(healthy / "predictions.jsonl")
    say(healthy, first | {"raw": "other"}, *rest)
    runs = run.parents[2]
    if said is None or "safetensors" in said:  # both runs have the same weights
        change(healthy, training=[], run_id="20260103-cccc")
    damage(run)
    done = add_runs(store, runs, opened, (), lambda text: None)
    refused = [one for one in done if isinstance(one, Refused)]
    if said is None:
        assert not refused
    else:
        assert [Path(one.source) for one in refused] == [run] and said in refused[0].reason
    assert build(store)[0]["lines"]


def weights_of(run):
    return run.parents[2] / "trained/m/20260101-aaaa/checkpoint/model.safetensors"


def test_when_every_run_is_left_out_the_reasons_are_said(main, tmp_path):
    done = main("--model", "toy", "--task", "toy", "--limit", "5", "--quiet")
    assert done.code == 0, done.err
    built = main("leaderboard")
    assert built.code == 2
    assert "no run can stand in a table" in built.err and "only the first 5 rows (--limit)" in built.err


def test_a_metric_whose_resample_fails_loses_its_value_and_nothing_else(store, view, opened):
    def odd(pairs):
        def fails(weights):
            raise ZeroDivisionError("no rows")

        return Score("odd", 0.5, len(pairs), resample=fails)

    wider = replace(view, metrics={**METRICS, "odd": (MetricEntry("odd", "", "-"), odd)})
    put(store, lambda *_, **__: wider, make_submission(wider, 0.9, "a"))
    (line,) = build(store)[0]["lines"]
    assert line["scores"]["odd"]["value"] is None
    assert line["scores"]["odd"]["note"] == "failed: ZeroDivisionError: no rows"
    assert line["scores"]["exact"]["value"] > 0.8


def test_a_form_whose_plugin_fails_is_that_plugins_fault(main, write_plugin):
    plugin = write_plugin(
        """
        from harness import hookimpl

        @hookimpl
        def harness_render_leaderboard(board, format):
            raise KeyError("columns")
        """,
        "forms",
    )
    assert main("--model", "toy", "--task", "toy", "--quiet").code == 0
    done = main("leaderboard", "--format", "xls", "--plugin", plugin)
    assert done.code == 3
    assert "harness_render_leaderboard of plugin forms failed: KeyError: 'columns'" in done.err


def test_a_plugin_tasks_own_metric_is_meant_where_two_have_its_name(main, write_plugin):
    text = """
        from harness import Example, MetricEntry, Score, Task, TaskEntry, hookimpl

        @hookimpl
        def harness_metrics():
            return [MetricEntry("same-name", "m", f"{__name__}:metric")]

        @hookimpl
        def harness_tasks():
            return [TaskEntry("NAME-task", "t", f"{__name__}:Mine")]

        class Mine(Task):
            metrics = ("same-name",)

            def examples(self, split):
                yield Example(f"{split}-1", {"word": split}, ("a",))

        def metric(pairs):
            return Score("same-name", VALUE, len(pairs))
        """
    plugins = [
        argument
        for name, value in (("one", "0.25"), ("two", "0.75"))
        for argument in ("--plugin", write_plugin(text.replace("NAME", name).replace("VALUE", value), name))
    ]
    command = ("--model", "baseline/frequent", "--task", "two-task", "--metrics", "same-name")
    done = main(*command, "--json", *plugins)
    assert done.code == 0, done.err
    (run,) = json.loads(done.out)["runs"]
    assert run["scores"]["same-name"]["value"] == 0.75
    directory = Path(run["directory"])
    for verb in (("card", directory), ("explain", directory, "--id", "test-1"), ("leaderboard",)):
        again = main(*verb, *plugins)
        assert again.code == 0, (verb, again.err)
    scored = main("score", directory, "--task", "two-task", "--metrics", "same-name", "--json", *plugins)
    assert json.loads(scored.out)["scores"]["same-name"]["value"] == 0.75, scored.err


PUBLISH = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from harness.leaderboards.board.store import Store
from harness.leaderboards.publish.places import publish
publish(Store(Path(sys.argv[2])), sys.argv[3], sys.argv[4])
"""


def test_several_publishing_at_once_leave_one_whole_chain(store, view, opened, tmp_path):
    boards = []
    for name in "abcd":
        board = type(store)(tmp_path / name)
        put(board, opened, make_submission(view, 0.5, name))
        boards.append(board)
    target = tmp_path / "public"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", PUBLISH, str(ROOT), str(board.root), str(target), f"2026-01-0{n}"]
        )
        for n, board in enumerate(boards, 1)
    ]
    assert [process.wait(timeout=120) for process in started] == [0] * len(boards)
    chain = history.entries(target / "history.jsonl")
    assert [entry["number"] for entry in chain] == [1, 2, 3, 4]
    assert not list(history.faults(target / "history.jsonl"))
    assert len(chain[-1]["tables"]["words-words-200-0"]["rows"]) == len(boards)


def test_tasks_are_opened_for_what_they_are_asked_with(load):
    from harness import DataError
    from harness.cli.workbench import Desk

    with pytest.raises(DataError, match="there is no data at absent"):
        Tasks(Desk(load()), ["absent"])("toy", "test")
