"""Every number that a table shows is computed again; what differs, or is gone, is named."""

import gzip
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from harness import Completion
from harness.leaderboards.board.build import build
from harness.leaderboards.board.store import Store
from harness.leaderboards.intake.submission import outputs_as_bytes
from harness.leaderboards.publish.places import everything, publish
from harness.leaderboards.publish.verify import verify

from ..board.test_build import put
from ..conftest import make_submission


def test_verify_passes_on_what_was_scored_and_names_what_was_changed(store, view, opened):
    put(store, opened, make_submission(view, 0.9, "a"), make_submission(view, 0.2, "b"))
    assert {finding.verdict for finding in verify(store, opened)} == {"same"}
    path = next(store.root.rglob("scored.json"))
    facts = json.loads(path.read_text())
    facts["scores"]["exact"]["value"] += 2e-9
    path.write_text(json.dumps(facts))
    (found,) = [finding for finding in verify(store, opened) if finding.verdict == "differs"]
    for part in ("exact: value stored", "computed", "numpy", path.parent.name):
        assert part in f"{found.what} {found.reason}"


def test_verify_forgives_a_difference_below_its_tolerance(store, view, opened):
    put(store, opened, make_submission(view, 0.9, "a"))
    path = next(store.root.rglob("scored.json"))
    facts = json.loads(path.read_text())
    facts["scores"]["exact"]["value"] += 5e-10
    path.write_text(json.dumps(facts))
    assert all(finding.verdict == "same" for finding in verify(store, opened))


def test_a_metric_that_the_task_has_gained_since_is_no_fault_of_the_row(store, view, opened):
    put(store, opened, make_submission(view, 0.9, "a"))
    more = dict(view.metrics) | {"again": view.metrics["exact"]}
    wider = replace(view, metrics=more)
    (row, *_) = verify(store, lambda *_, **__: wider)
    assert row.verdict == "same" and "1 more since" in row.reason
    put(store, lambda *_, **__: wider, make_submission(wider, 0.9, "a"))
    (row, *_) = verify(store, opened)
    assert row.verdict == "differs" and "again: no longer computed" in row.reason


def test_verify_finds_answers_and_tables_that_were_changed(store, view, opened):
    made = make_submission(view, 0.9, "a")
    put(store, opened, made)
    everything(store, build(store), store.root)
    assert {finding.verdict for finding in verify(store, opened)} == {"same"}
    table = next(store.tables.glob("*.json"))
    table.write_text(table.read_text().replace('"a"', '"z"', 1))
    better = {e.id: Completion(e.id, e.references[0]) for e in view.examples}
    next(store.root.rglob("predictions.jsonl.gz")).write_bytes(outputs_as_bytes(better, better))
    found = [finding for finding in verify(store, opened) if finding.verdict == "differs"]
    assert "its answers have the hash" in found[0].reason and "tables/" in found[1].what


@pytest.mark.parametrize("broken", [b"", b'{"id": 1}', b'{"id": "row-0", "output": "x"}'])
def test_verify_fails_on_kept_answers_that_cannot_be_read_or_scored(store, view, opened, broken):
    put(store, opened, make_submission(view, 0.9, "a"))
    next(store.root.rglob("predictions.jsonl.gz")).write_bytes(gzip.compress(broken))
    (finding,) = [f for f in verify(store, opened) if f.what.startswith("words/")]
    assert finding.verdict == "differs"


def test_a_row_whose_answers_are_not_kept_is_not_called_verified(store, view, opened):
    put(store, opened, make_submission(view, 0.9, "a"))
    next(store.root.rglob("predictions.jsonl.gz")).unlink()
    (finding,) = [f for f in verify(store, opened) if f.what.startswith("words/")]
    assert finding.verdict == "unchecked" and "not kept here" in finding.reason


def test_what_only_training_rows_tell_is_unchecked_without_them_and_checked_with_them(store, view):
    seen = view.examples[:50]
    beside = replace(view, training=lambda: seen, cache={})
    put(store, lambda *_, **__: beside, make_submission(beside, 0.9, "a"))

    def verdicts(here):
        findings = verify(store, lambda *_, **__: here)
        return {f.verdict: f.reason for f in findings if f.what.startswith("words/")}

    assert list(verdicts(beside)) == ["same"]
    apart = verdicts(replace(view, cache={}))
    assert list(apart) == ["same", "unchecked"]
    assert apart["unchecked"] == "clean, copied: scored beside training rows that are not here"
    other = replace(view, training=lambda: seen[:9], cache={})
    assert "health" in verdicts(other)["differs"]


def differing(store, opened):
    return [finding for finding in verify(store, opened) if finding.verdict == "differs"]


def test_resamples_that_would_give_another_rank_are_found(store, view, opened):
    put(store, opened, make_submission(view, 0.9, "a"))
    path = next(store.root.rglob("draws.npy"))
    np.save(path, np.load(path) + np.float32(0.05))
    found = differing(store, opened)
    assert [f.reason.split(":")[0] for f in found] == ["exact", "length-error"]
    assert "resamples" in found[0].reason


@pytest.mark.parametrize("part", ["details", "health", "signature"])
def test_what_stands_beside_the_scores_is_verified_too(store, view, opened, part):
    put(store, opened, make_submission(view, 0.9, "a"))
    path = next(store.root.rglob("scored.json"))
    facts = json.loads(path.read_text())
    other = {"details": {"exact": {"a": 0.5, "b": 1.0}}, "health": facts["health"] | {"empty": 7}}
    facts[part] = other.get(part, ["0" * 8, *facts["signature"][1:]])
    path.write_text(json.dumps(facts))
    assert [f.reason.split(":")[0] for f in differing(store, opened)] == [part]


def test_a_row_that_is_gone_is_named_even_where_the_tables_were_built_again(store, view, opened, tmp_path):
    put(store, opened, make_submission(view, 0.9, "a"), make_submission(view, 0.2, "b"))
    publish(store, str(tmp_path / "pub"), "2026-01-01")
    target = Store(tmp_path / "pub")
    put(target, opened, make_submission(view, 0.4, "c"))  # a new row is no fault
    everything(target, build(target), target.root)
    assert not differing(target, opened)
    shutil.rmtree(next((target.root / "rows" / "words").glob("b-*")))
    everything(target, build(target), target.root)
    (found,) = differing(target, opened)
    assert found.what == "history.jsonl" and "entry 1 has rows" in found.reason and " b-" in found.reason
