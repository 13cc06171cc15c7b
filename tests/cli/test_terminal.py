"""Strangers' text cannot command a terminal, and a terminal that knows few letters ends nothing."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.files.finished import read_record, write_record
from harness.files.visible import visible

EVIL = "\x1b[2Jgone\u202e\x00\x9b31m"


@given(st.text())
def test_what_is_escaped_is_printable_and_the_same_text_to_a_reader_of_json(text):
    shown = visible(text)
    assert all(c.isprintable() or c in "\n\t" for c in shown)
    if "\\" not in text and '"' not in text:
        quoted = shown.replace("\n", "\\n").replace("\t", "\\t")
        assert json.loads(f'"{quoted}"') == text


@pytest.mark.parametrize(
    "command",
    [
        ("show", EVIL),
        (EVIL,),
        ("--model", EVIL, "--task", "toy"),
        ("score", f"absent{EVIL[:8]}.txt", "--metrics", "validity"),
        ("leaderboard", "--board", f"x{EVIL[:8]}"),
    ],
)
def test_no_error_carries_a_command_to_the_terminal(main, command):
    done = main(*(part.replace("\x00", "") for part in command))
    assert done.code != 0 and "error: " in done.err
    assert not set("\x1b\u202e\x9b") & set(done.err + done.out)


def test_a_name_in_a_table_is_shown_escaped(main, tmp_path):
    main("--model", "toy", "--task", "toy", "--quiet")
    (run,) = tmp_path.glob("runs/toy/toy/*/record.json")
    record = read_record(run.parent)
    write_record(run.parent, {**record, "spec": record["spec"] | {"title": "m" + EVIL}})
    done = main("card", run.parent)
    assert done.code == 0 and "m\\u001b[2Jgone\\u202e" in done.out, done.err


def test_an_ascii_terminal_gets_every_table(run_bench):
    done = run_bench("list", "metrics", env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert done.code == 0 and done.out.isascii(), done.err
    card = run_bench("show", "fcd", env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert card.code == 0 and "\\xe9" in card.out
