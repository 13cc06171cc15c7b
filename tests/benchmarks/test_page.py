"""The page of all benchmarks: what is compared with what, and that only what is worse is red."""

from __future__ import annotations

from typing import Any

from benchmarks import page

STORED: dict[str, Any] = {
    "title": "Speed",
    "command": "python -m benchmarks.speed",
    "method": "As it is.",
    "date": "2026-01-02",
    "machine": "one machine",
    "torch": "2.13.0",
    "rows": [
        {"what": "ours", "CPU s": 1.0, "tokens / CPU s": 100, "times the peer": 2.0, "accuracy": 0.5},
        {"what": "gone", "CPU s": 1.0, "tokens / CPU s": 1, "times the peer": 1.0, "accuracy": 0.5},
    ],
}


def changed(**values):
    return STORED | {"rows": [STORED["rows"][0] | values]}


def found(now):
    return [(s.what, s.column, round(s.times, 2)) for s in page.slower("speed", now, STORED, "a..b")]


def test_more_seconds_and_fewer_tokens_a_second_are_slower():
    assert found(changed(**{"CPU s": 1.5})) == [("ours", "CPU s", 1.5)]
    assert found(changed(**{"tokens / CPU s": 50})) == [("ours", "tokens / CPU s", 2.0)]


def test_what_is_faster_or_as_a_busy_machine_moves_it_or_no_speed_is_none():
    assert found(changed(**{"CPU s": 1.09, "tokens / CPU s": 200, "accuracy": 0.1})) == []


def test_another_machine_is_not_compared():
    assert found(changed(**{"CPU s": 9.0}) | {"machine": "another"}) == []


def test_the_page_has_ratios_machine_versions_and_what_is_slower_in_red():
    worse = list(page.slower("speed", changed(**{"CPU s": 1.5}), STORED, "a1b2..c3d4"))
    text = page.text({"speed": STORED}, worse)
    assert "## [Speed](results/speed.md)" in text
    assert "| ours | 2" in text
    assert "2026-01-02, one machine, torch 2.13.0" in text
    assert "🔴" in text
    assert "| 1.50 x | speed     | ours: CPU s | 1      | 1.5 | a1b2..c3d4 |" in text
    assert "🔴" not in page.text({"speed": STORED}, [])


def test_commands_that_want_to_be_given_something_do_not_run_by_themselves():
    assert page.needs("python -m benchmarks.decoding --lm-eval PYTHON") == ["PYTHON"]
    assert page.needs("python -m benchmarks.startup") == []
    assert page.commands()
    assert not any(page.needs(command) for command in page.commands())


def test_all_that_is_stored_stands_on_the_page():
    stored = page.results()
    text = page.text(stored, [])
    assert all(f"](results/{topic}.md)" in text for topic in stored)
