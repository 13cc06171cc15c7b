"""`show`: the card of whatever has a name, for readers and programs, and of a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.cli.show import text


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("toy/toy", ["  kind: model", "  presets:", "  learns a task group as one model: no"]),
        ("bleu-4", ["  kind: metric (text)", "  range: 0 to 1, higher is better", "  shown times: 100"]),
        ("levenshtein", ["  range: 0 to ∞, lower is better", "  shown times: 1"]),
        ("lpm24", ["  kind: task group", "  members: lpm24/text2smiles, lpm24/smiles2text"]),
        ("toy-choice", ["  kind: task (choose)", "  metrics: letter-accuracy"]),
        ("kept", ["  kind: retriever", "  written: kept:FILE"]),
        ("bm25", ["  written: bm25", "  needs: bm25s"]),
        ("sft", ["  kind: stage of training", "  leaves a model that answers: yes"]),
        ("reward", ["  leaves a model that answers: no"]),
    ],
)
def test_a_card_says_what_a_reader_asks_of_its_kind(main, name, lines):
    done = main("show", name)
    assert done.code == 0, done.err
    for line in lines:
        assert line in done.out.splitlines(), done.out


def test_a_name_without_its_plugin_and_with_it_are_the_same_card(main):
    alone = [card for card in json.loads(main("show", "toy", "--json").out) if card["kind"] == "model"]
    assert json.loads(main("show", "toy/toy", "--json").out)[0] == alone[0]


def test_presets_are_told_apart_by_what_their_recipes_say(main):
    (card,) = json.loads(main("show", "scimind", "--json").out)
    assert len(card["presets"]) > 1 and all(card["presets"].values())


def test_what_is_empty_is_left_out_and_lists_are_lines():
    shown = text(
        {"name": "x", "a": "", "b": (), "c": None, "d": {}, "e": ("1", "2"), "f": {"k": "v", "long": "w"}}
    )
    assert shown == "x\n  e: 1, 2\n  f:\n    k     v\n    long  w\n"


def test_a_citation_of_several_lines_stays_under_its_name():
    assert text({"name": "x", "citation": "one\ntwo"}) == "x\n  citation: one\n    two\n"


@pytest.mark.parametrize("name", ["toi", "bleu4", "scimnd"])
def test_a_misspelt_name_gets_the_nearest_of_all_shelves(main, name):
    done = main("show", name)
    assert done.code == 2
    assert f"error: nothing is named '{name}'" in done.err and "hint: did you mean " in done.err


def test_a_plugins_own_entries_have_cards_with_where_they_come_from(main, odd):
    done = main("show", "echo", "--plugin", odd)
    assert done.code == 0 and "  plugin: odd (local)" in done.out.splitlines()


def test_a_finished_run_shows_its_scores_health_command_and_worst_rows(main):
    run = json.loads(main("--model", "toy", "--task", "toy", "--json").out)["runs"][0]["directory"]
    done = main("show", run)
    assert done.code == 0, done.err
    for part in ("toy (tiny) on toy (23 rows", "letter-accuracy", "empty: 0.0 %", "command: ", "worst rows:"):
        assert part in done.out
    facts = json.loads(main("show", run, "--json").out)
    assert facts["table"]["task"] == "toy" and facts["samples"]


def test_a_run_is_also_written_as_a_page(main):
    run = json.loads(main("--model", "toy", "--task", "toy", "--json").out)["runs"][0]["directory"]
    done = main("show", run, "--page", "page")
    assert "written: page/index.html" in done.err
    assert "<h1" in Path("page/index.html").read_text(encoding="utf-8")


def test_a_folder_that_holds_runs_names_the_newest(main):
    runs = [
        json.loads(main("--model", "toy", "--task", "toy", "--seed", str(seed), "--json").out)["runs"][0]
        for seed in (1, 2)
    ]
    newest = max(run["directory"] for run in runs)
    for folder in ("runs", "runs/toy", "."):
        done = main("show", folder)
        assert done.code == 2
        assert done.err == f"error: {folder} holds no finished run\nhint: run-bench show {newest}\n"


def test_a_folder_or_file_that_is_no_run_says_what_a_run_has(main, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "note.txt").write_text("x")
    for place in ("empty", "note.txt"):
        done = main("show", place)
        assert done.code == 2
        assert f"{place} holds no finished run" in done.err and "record.json" in done.err
