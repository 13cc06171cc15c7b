"""`--repeats K`: asked K times, told by mean, pass@k and majority wherever a run is shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import harness

QUESTIONS = "question,answer\n2+2?,4\n3+3?,6\n5+1?,6\n"
DICE = """
    import random
    from harness import Completion, ModelEntry, ModelPlugin, ModelSession, hookimpl

    @hookimpl
    def harness_models():
        return [ModelEntry("dice", "guesses", f"{__name__}:Dice", stages=())]

    class Dice(ModelPlugin):
        def open(self, checkpoint, run):
            return Thrown()

    class Thrown(ModelSession):
        def generate(self, requests, spec, run):
            for request in requests:
                drawn = random.Random(spec.seed_of(request.id)).choice(["4", "6"])
                yield Completion(request.id, drawn, prompt_tokens=4, new_tokens=1)
"""


@pytest.fixture
def asked(main, write_plugin, tmp_path):
    """Return a function that rolls the dice on a file of one's own, and the arguments that it needs."""
    (tmp_path / "sums.csv").write_text(QUESTIONS)
    plugin = ("--plugin", write_plugin(DICE))
    task = ("--task", f"csv:{tmp_path / 'sums.csv'}", "--set", "task.prompt={question}")
    sampling = ("--set", "generate.decoder=sampling", "--quiet")

    def run(*more: Any) -> Any:
        return main(*plugin, "--model", "dice", *task, "--set", "task.answer=answer", *sampling, *more)

    return run, plugin


def of_run(tmp_path: Path) -> Path:
    (record,) = tmp_path.glob("runs/table/sums/dice/*/record.json")
    return record.parent


def rows_of(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "predictions.jsonl").read_text().splitlines()]


def test_several_answers_are_kept_and_told_by_mean_pass_and_majority(asked, main, tmp_path):
    run, plugin = asked
    done = run("--repeats", 4)
    assert done.code == 0, done.err
    assert "3 rows of test, 4 answers each" in done.out
    for column in ("exact-match", "exact-match pass@2", "exact-match pass@4", "exact-match maj@4"):
        assert column in done.out
    assert "tokens: dice 48 in + 12 out, 20 a row" in done.out
    folder = of_run(tmp_path)
    rows = rows_of(folder)
    assert [len(row["repeats"]) for row in rows] == [3, 3, 3]
    assert all(row["prompt_tokens"] == 4 and row["repeats"][0]["new_tokens"] == 1 for row in rows)
    for row in rows:
        right = [said["text"] in row["references"] for said in (row, *row["repeats"])]
        assert row["scores"]["exact-match"] == sum(right) / 4
        assert row["scores"]["exact-match pass@4"] == any(right)
    record = harness.load_run(folder)
    assert record.record.scores["exact-match maj@4"]["interval"] is not None
    assert record.record.rows == 3

    shown = main("show", folder, *plugin)
    assert shown.out.count("further answers: ") == 3
    assert "exact-match pass@4" in shown.out and "tokens: 48 in + 12 out" in shown.out
    explained = main("explain", folder, "--id", rows[0]["id"], *plugin)
    assert "output 4" in explained.out and "exact-match maj@4" in explained.out
    compared = main("compare", folder, folder, *plugin)
    assert compared.code == 0 and "exact-match pass@2" in compared.out
    again = main("score", folder, "--metrics", "exact-match", "--json")
    assert json.loads(again.out)["scores"]["exact-match"]["value"] == record.scores["exact-match"]
    assert "exact-match maj@4" in main("score", folder, "--metrics", "exact-match").out


def test_a_board_shows_them_and_ranks_by_the_mean(asked, main, tmp_path):
    run, plugin = asked
    run("--repeats", 2)
    built = main("leaderboard", *plugin, "--runs", "runs", "--json")
    assert built.code == 0, built.err
    (table,) = json.loads(built.out)
    ranked = {metric["name"]: metric["ranked"] for metric in table["metrics"]}
    assert ranked["exact-match"] and not ranked["exact-match pass@2"] and not ranked["exact-match maj@2"]
    (line,) = table["lines"]
    assert line["scores"]["exact-match pass@2"]["value"] >= line["scores"]["exact-match"]["value"]


def test_what_was_answered_before_a_kill_is_not_asked_again(asked, tmp_path):
    run, _ = asked
    run("--repeats", 3)
    folder = of_run(tmp_path)
    before = rows_of(folder)
    journal = folder / "completions.jsonl"
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:4]))
    (folder / "record.json").unlink()
    assert run("--repeats", 3).code == 0
    facts = json.loads((folder / "record.json").read_text())["environment"]["generation"]
    assert (facts["answered_before"], facts["asked"]) == (4, 5)
    assert rows_of(folder) == before


def test_the_first_answers_are_those_of_a_run_that_asks_once(asked, tmp_path):
    run, _ = asked
    run("--repeats", 2)
    several = rows_of(of_run(tmp_path))
    run("--output", "once")
    (record,) = tmp_path.glob("once/table/sums/dice/*/record.json")
    once = rows_of(record.parent)
    assert [row["text"] for row in several] == [row["text"] for row in once]


def test_what_says_the_same_each_time_is_not_asked_several_times(asked, main, tmp_path):
    run, _ = asked
    done = run("--repeats", 2, "--set", "generate.decoder=greedy")
    assert done.code == 2 and "says the same each time" in done.err and "decoder=sampling" in done.err
    assert run("--repeats", 0).code == 2
    sampling = ("--set", "generate.decoder=sampling", "--quiet")
    done = main("--model", "toy", "--task", "toy-choice", "--repeats", 2, *sampling)
    assert done.code == 2 and "asks how likely texts are" in done.err and "task.ask=letter" in done.err
