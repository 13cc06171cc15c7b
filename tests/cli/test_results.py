"""What a matrix ends with: a table a task, settings side by side, and every reason once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness import DataError, RunRecord
from harness.cli.results import as_json, gains_table, print_results, settings_table, task_table
from harness.engine.config import ask
from harness.engine.matrix import Cell, plan
from harness.engine.plugin_manager import load_plugins
from harness.engine.registry import Registry
from harness.engine.runner import Outcome


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry(load_plugins(entry_points=False))


def cells(registry: Registry, model: str = "toy", task: str = "toy", seeds: str = "0") -> list[Cell]:
    return plan(registry, ask({"model": model, "task": task, "seeds": seeds}, [], None, {}))


def score(value: float | None, interval: Any = None, note: str = "", n: int = 23) -> dict[str, Any]:
    return {"value": value, "interval": interval, "note": note, "n": n}


def record(scores: dict[str, Any], **changes: Any) -> RunRecord:
    plain = RunRecord(
        schema_version=1,
        run_id="r",
        command=(),
        spec={"model": "toy", "title": "toy", "data": {"split": "test"}},
        sources={},
        sample=True,
        task_version="1",
        data_digest="d",
        data_source="sample",
        rows=23,
        prompt_digest="p",
        checkpoint_digest="c",
        training=(),
        scores=scores,
        counts={},
        seconds={},
        peak_memory_mib={},
        plugins=(),
        environment={},
    )
    return replace(plain, **changes)


def outcome(cell: Cell, scores: dict[str, Any] | None = None, **changes: Any) -> Outcome:
    made = None if scores is None else record(scores, **changes)
    return Outcome(cell, directory=Path("runs/x"), record=made)


LETTERS = "letter-accuracy"  # shown times 100, higher is better
EDITS = "levenshtein"  # shown as it is, lower is better


def test_one_run_shows_half_the_width_of_its_interval(registry):
    (cell,) = cells(registry)
    table = task_table("toy", [outcome(cell, {LETTERS: score(0.957, [0.92, 0.98])})], registry)
    assert table.title == "toy (23 rows of test; built-in sample: not comparable with published numbers)"
    assert table.rows == [["toy [tiny]", "95.7 ±3.0"]]
    assert table.notes == ["±: half the width of the 95 % bootstrap interval over rows"]


def test_a_table_of_ones_own_data_names_it(registry):
    (cell,) = cells(registry)
    own = outcome(cell, {LETTERS: score(1.0)}, sample=False, data_source="my/folder", rows=1200)
    assert task_table("toy", [own], registry).title == "toy (1200 rows of test; data: my/folder)"


def test_seeds_are_a_mean_and_a_spread_and_their_intervals_are_not_spoken_of(registry):
    found = [
        outcome(cell, {LETTERS: score(value, [0, 1])})
        for cell, value in zip(cells(registry, seeds="1,2,3"), (0.9, 0.8, 1.0), strict=True)
    ]
    table = task_table("toy", found, registry)
    assert table.rows == [["toy [tiny], 3 seeds", "90.0 ±10.0"]]
    assert table.notes == ["±: standard deviation over seeds, where there are several"]


def test_a_seed_that_failed_is_counted(registry):
    first, second = cells(registry, seeds="1,2")
    failed = Outcome(second, error=DataError("the disk is gone"))
    table = task_table("toy", [outcome(first, {LETTERS: score(0.5)}), failed], registry)
    assert table.rows == [["toy [tiny], 1 of 2 seeds", "50.0"]]
    assert "toy [tiny], 1 of 2 seeds failed: the disk is gone" in table.notes


def test_what_is_lower_is_marked_and_the_best_is_the_lowest(registry):
    toy, other = cells(registry, "toy,baseline/random")
    found = [
        outcome(toy, {EDITS: score(3.0), LETTERS: score(0.1)}),
        outcome(other, {EDITS: score(2.0), LETTERS: score(0.4)}),
    ]
    table = task_table("toy", found, registry)
    assert table.columns == ["model", "levenshtein ↓", LETTERS]
    assert table.rows[0][1:] == ["3.00", "10.0"]
    assert table.best == {(1, 1), (1, 2)}


def test_nothing_is_best_where_one_alone_has_a_value(registry):
    toy, other = cells(registry, "toy,baseline/random")
    found = [outcome(toy, {LETTERS: score(0.1)}), outcome(other, {LETTERS: score(None, note="no reference")})]
    table = task_table("toy", found, registry)
    assert table.best == set()
    assert table.rows[1][1] == "–"
    assert f"{LETTERS}: no reference" in table.notes


def test_equal_best_values_are_both_marked(registry):
    toy, other = cells(registry, "toy,baseline/random")
    found = [outcome(cell, {LETTERS: score(0.4)}) for cell in (toy, other)]
    assert task_table("toy", found, registry).best == {(0, 1), (1, 1)}


def test_what_several_models_have_to_say_is_said_once_with_their_names(registry):
    toy, other = cells(registry, "toy,baseline/random")
    said = ("rows were cut at 512 tokens",)
    found = [
        outcome(toy, {LETTERS: score(0.1)}, notes=said),
        outcome(
            other,
            {LETTERS: score(0.2)},
            notes=said,
            spec={"model": "random", "title": "random", "data": {"split": "test"}},
        ),
    ]
    notes = task_table("toy", found, registry).notes
    assert notes == ["toy, random: rows were cut at 512 tokens"]


def test_oddities_of_answers_are_counted_in_words(registry):
    (cell,) = cells(registry)
    found = outcome(cell, {LETTERS: score(0.1)}, counts={"length": 22, "empty": 1, "left-out": 3})
    notes = task_table("toy", [found], registry).notes
    assert notes == ["toy: 22 cut at max_new_tokens, 1 empty answers, 3 left-out"]


def test_only_stages_that_took_a_second_are_timed(registry):
    (cell,) = cells(registry)
    found = outcome(cell, {LETTERS: score(0.1)}, seconds={"load": 0.2, "train (sft)": 61.0, "generate": 3.0})
    assert task_table("toy", [found], registry).notes == ["time: toy train (sft) 1 min 01 s + generate 3 s"]


def test_a_metric_under_which_silence_wins_says_so(registry):
    (cell,) = cells(registry, task="promoter")
    found = outcome(cell, {"mcc": score(0.0)})
    assert "an empty answer can beat a wrong one under mcc" in task_table("promoter", [found], registry).notes


def test_columns_keep_the_order_of_the_task_and_take_in_what_only_some_have(registry):
    toy, other = cells(registry, "toy,baseline/random")
    found = [
        outcome(toy, {LETTERS: score(0.1)}),
        outcome(other, {LETTERS: score(0.2), "exact-match": score(0.3)}),
    ]
    table = task_table("toy", found, registry)
    assert table.columns == ["model", LETTERS, "exact-match"]
    assert table.rows[0] == ["toy [tiny]", "10.0", "–"]


def test_rows_that_only_give_context_are_muted(registry):
    toy, other = cells(registry, "toy,baseline/random")
    found = [
        outcome(toy, {LETTERS: score(0.1)}),
        outcome(replace(other, shown_beside=True), {LETTERS: score(0.2)}),
    ]
    assert task_table("toy", found, registry).muted == {1}


def test_settings_of_one_task_stand_side_by_side(registry):
    group = registry.tasks.get("qasper")
    names = [name for name in group.entry.members if name.startswith("qasper/")][:3]
    assert len(names) == 3, "qasper has its settings as members"
    found = []
    for place, name in enumerate(names):
        (cell,) = cells(registry, "baseline/random", name)
        found.append(outcome(cell, {"qasper-f1": score(0.1 * (place + 1))}))
    table = settings_table(group, found, registry)
    assert table is not None
    assert table.columns[1:] == [name.removeprefix("qasper/") for name in names]
    assert table.rows[0][1:] == ["10.0", "20.0", "30.0"]


def test_settings_of_which_one_alone_ran_are_no_table(registry):
    group = registry.tasks.get("chebi20")
    (cell,) = cells(registry, "baseline/random", "chebi20/text2smiles")
    assert settings_table(group, [outcome(cell, {"validity": score(0.1)})], registry) is None


def test_the_end_of_a_matrix_is_its_tables_and_the_places_of_its_runs(registry, capsys):
    toy, other = cells(registry, "toy,baseline/random")
    found = [
        outcome(toy, {LETTERS: score(0.1)}),
        replace(outcome(replace(other, shown_beside=True), {LETTERS: score(0.2)})),
    ]
    found[0].reused = True
    print_results(found, registry)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "run: runs/x (was finished; --fresh starts over)"
    assert lines[-2] == ""


def test_json_has_a_cell_for_each_model_task_and_seed(registry):
    first, second = cells(registry, seeds="1,2")
    failed = Outcome(second, error=DataError("gone"))
    unsaved = outcome(first, {LETTERS: score(0.5)}, seconds={"load": 1.0}, counts={"empty": 1})
    unsaved.unsaved = "runs/x: No space left on device"
    found = as_json([unsaved, failed])
    assert found["failed"] == 2
    one, two = found["runs"]
    assert (one["model"], one["task"], one["preset"], one["seed"]) == ("toy", "toy", "tiny", 1)
    assert (one["status"], one["error"]) == ("unsaved", "runs/x: No space left on device")
    assert one["record"]["scores"] == one["scores"] == {LETTERS: score(0.5)}
    assert (two["status"], two["error"], two["scores"], two["sample"]) == ("failed", "gone", {}, None)
    assert two["record"] is None and two["directory"] == ""


def test_what_each_stage_brought_is_said_once_for_all_tasks(registry):
    gain = {"measure": "perplexity", "rows": "held-out", "before": 1216.4, "after": 7.25}
    stages = ({"key": "k", "stage": "sft", "gains": [gain]}, {"key": "old", "stage": "dpo"})
    (cell,) = cells(registry)
    found = [outcome(cell, {LETTERS: score(0.5)}, training=stages)] * 2
    table = gains_table(found)
    assert table is not None and table.rows == [["toy", "sft", "perplexity", "held-out", "1216", "7.25"]]
    assert len(table.notes) == 1 and table.notes[0].startswith("held-out: ")
    assert gains_table([outcome(cell, {LETTERS: score(0.5)})]) is None
