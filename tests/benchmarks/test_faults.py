"""A little of what benchmarks.faults does at length: nothing escapes, is lost, or passes in silence."""

from __future__ import annotations

from benchmarks.faults import __main__ as faults
from benchmarks.faults import damage, fuzz, kills, together


def test_changed_inputs_are_read_or_refused():
    for row in fuzz.run(6_000):
        assert row["inputs"] and not row["escapes"], row


def test_a_killed_job_is_repeated_to_the_same_bytes():
    for row in [*kills.run(1, only="publish"), *kills.run(1, only="pseudo")]:
        assert row["kills"] == 1 and not row["lost"], row


def test_each_damaged_file_of_a_finished_run_is_healed_or_refused(monkeypatch):
    monkeypatch.setattr(damage, "HARMS", {"edited": damage.edited})
    rows = list(damage.run(1))
    assert {row["run"] for row in rows} == {"finished", "unfinished"} and len(rows) > 12
    assert not [row for row in rows if row["silent"]]


def test_two_publish_at_once(monkeypatch):
    for row in together.run(1, only="publish"):
        assert not row["corrupt"], row


def test_two_builds_of_the_same_pseudo_data_at_once():
    for row in together.run(2, only="pseudo"):
        assert not row["corrupt"], row


def test_the_page_holds_what_was_measured():
    assert faults.tables() in faults.PAGE.read_text(encoding="utf-8")
