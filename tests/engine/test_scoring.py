"""From completions to numbers: what was read, what it scored, and what is kept; single answers judged."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness import Completion, DataSpec, SilentProgress
from harness.engine.config import ask
from harness.engine.data import open_task
from harness.engine.judge import TaskJudge
from harness.engine.matrix import plan
from harness.engine.prepared import Bench, Prepared
from harness.engine.scoring import save_scored, score_run
from harness.files.rows import append_row

TASKS = """
    from harness import Completion, Example, MetricEntry, Pairs, Passage, Score, Task, TaskEntry, hookimpl

    @hookimpl
    def harness_tasks():
        return [TaskEntry("words", "w", f"{__name__}:Words")]

    @hookimpl
    def harness_metrics():
        names = ("right", "whole", "half", "fails")
        return [MetricEntry(name, name, f"{__name__}:{name}") for name in names]

    def _values(pairs):
        return tuple(float(p.text in e.references) for e, p in pairs)

    def right(pairs):
        values = _values(pairs)
        return Score("right", sum(values) / len(values), len(values), values)

    def whole(pairs):
        return Score("whole", 1.0, len(pairs))

    def half(pairs):
        values = tuple(None if p.text == "?" else 0.5 for _, p in pairs)
        return Score("half", 0.5, len(pairs), values)

    def fails(pairs):
        raise ZeroDivisionError("no rows")

    class Words(Task):
        metrics = ("right", "whole", "half")

        def examples(self, split):
            for n, word in enumerate(("one", "two", "three")):
                passages = (Passage("p", "text"),) if n == 0 else ()
                yield Example(f"{n}", {"word": word}, (word.upper(),), passages=passages)

        def seen_in_training(self, train, rows):
            return {"same word": frozenset(row.id for row in rows if row.inputs["word"] == "two")}
"""
SAID = [Completion("0", "<t>hm</t>ONE"), Completion("1", "two", "length"), Completion("2", "THREE")]


@pytest.fixture
def bench(load: Callable[..., Any], write_plugin: Callable[..., Path], tmp_path: Path) -> Bench:
    return Bench(load(write_plugin(TASKS, "words_scored")), tmp_path / "runs", SilentProgress())


def prepared(bench: Bench, *sets: str) -> Prepared:
    (cell,) = plan(bench.registry, ask({"model": "baseline/passage", "task": "words"}, list(sets), None, {}))
    return Prepared(bench, cell)


TAGS = 'generate.reasoning=["<t>", "</t>"]'


def test_each_metric_has_its_value_with_an_interval_where_rows_have_some(bench, tmp_path):
    cell = prepared(bench, TAGS)
    scored = score_run(cell, tmp_path, cell.examples(), SAID)
    assert list(scored.scores) == ["right", "whole", "half"]
    assert scored.scores["right"].value == pytest.approx(2 / 3)
    low, high = scored.scores["right"].interval or (0.0, 0.0)
    assert 0 <= low < 2 / 3 < high <= 1
    assert scored.scores["whole"].interval is None


def test_a_metric_that_fails_has_a_note_in_place_of_a_value_and_costs_no_other_its_own(bench, tmp_path):
    cell = prepared(bench, TAGS, 'metrics=["right", "fails"]')
    scored = score_run(cell, tmp_path, cell.examples(), SAID)
    assert scored.scores["fails"].value is None
    assert "ZeroDivisionError" in scored.scores["fails"].note
    assert scored.scores["right"].value == pytest.approx(2 / 3)


def test_a_row_keeps_what_was_said_what_was_read_and_what_it_scored(bench, tmp_path):
    cell = prepared(bench, TAGS)
    first, second, _ = score_run(cell, tmp_path, cell.examples(), SAID).rows
    assert first["raw"] == "<t>hm</t>ONE"
    assert (first["text"], first["reasoning"], first["evidence"]) == ("ONE", "hm", ["p"])
    assert first["scores"] == {"right": 1.0, "half": 0.5}
    assert (second["finish"], second["references"], second["inputs"]) == ("length", ["TWO"], {"word": "two"})
    assert "reasoning" not in second


def test_what_training_gives_away_is_counted_and_the_rest_scored_apart(bench, tmp_path):
    cell = prepared(bench, TAGS)
    overlap = score_run(cell, tmp_path, cell.examples(), SAID).overlap
    assert (overlap.rows, overlap.clean, dict(overlap.counts)) == (3, 2, {"same word": 1})
    assert overlap.scores["right"] == 1.0


def test_the_tags_that_the_model_brought_are_read_from_the_run(bench, tmp_path):
    cell = prepared(bench)
    assert score_run(cell, tmp_path, cell.examples(), SAID).rows[0]["text"] == "<t>hm</t>ONE"
    append_row(tmp_path / "events.jsonl", {"event": "reasoning", "tags": ["<t>", "</t>"]})
    assert score_run(cell, tmp_path, cell.examples(), SAID).rows[0]["text"] == "ONE"


def test_what_is_saved_is_what_was_scored(bench, tmp_path):
    cell = prepared(bench, TAGS)
    scored = score_run(cell, tmp_path, cell.examples(), SAID)
    save_scored(tmp_path, scored)
    rows = [json.loads(line) for line in (tmp_path / "predictions.jsonl").read_text().splitlines()]
    assert [(row["id"], row["text"]) for row in rows] == [("0", "ONE"), ("1", "two"), ("2", "THREE")]
    kept = json.loads((tmp_path / "scores.json").read_text())
    assert kept["right"]["value"] == scored.scores["right"].value
    assert kept["half"]["n"] == 3


@pytest.fixture
def judge(bench: Bench) -> TaskJudge:
    registry = bench.registry
    parts = [open_task(registry, registry.tasks.get("words"), DataSpec(), "toy")]
    metrics = registry.load_metrics(("right", "whole", "half"), near=registry.tasks.get("words").plugin)
    return TaskJudge(parts, DataSpec(train_limit=2), metrics, ("<t>", "</t>"))


def test_single_answers_are_judged_by_what_has_a_value_of_a_row(judge: TaskJudge) -> None:
    said = [Completion("words:0", "ONE"), Completion("words:1", "?"), Completion("words:0", "<t>x</t>ONE")]
    assert judge(said) == [{"right": 1.0, "half": 0.5}, {"right": 0.0}, {"right": 1.0, "half": 0.5}]
    assert judge(said[:1]) == [{"right": 1.0, "half": 0.5}]


def test_a_judge_shows_the_cards_of_its_metrics_and_no_reference(judge: TaskJudge) -> None:
    assert list(judge.metrics) == ["right", "whole", "half"]
    assert not [name for name in vars(judge) if not name.startswith("_") and name != "metrics"]


def test_a_judge_knows_the_rows_that_are_learned_from_alone(judge: TaskJudge) -> None:
    with pytest.raises(KeyError, match="words:2"):
        judge([Completion("words:2", "THREE")])


def test_an_answer_is_judged_as_a_run_would_score_it(bench: Bench, judge: TaskJudge, tmp_path: Path) -> None:
    cell = prepared(bench, TAGS)
    scored = score_run(cell, tmp_path, cell.examples(), SAID)
    of_run = [row["scores"]["right"] for row in scored.rows[:2]]
    of_judge = judge([replace(one, request_id=f"words:{one.request_id}") for one in SAID[:2]])
    assert [values["right"] for values in of_judge] == of_run
