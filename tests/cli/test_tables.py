"""Tables: aligned in a pipe, drawn on a terminal, turned on their side where they are too wide."""

from __future__ import annotations

import io
import re
import sys

import pytest

from harness.cli.tables import Table, plain, print_table

SCORES = Table(
    "toy (23 rows)",
    ["model", "accuracy", "f1"],
    [["toy [tiny]", "95.7 ±3.0", "9.1"], ["baseline/random", "4.2", "–"]],
    ["±: half the width"],
    best={(0, 1), (0, 2)},
    muted={1},
)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def on_a_terminal(table: Table, columns: int, monkeypatch: pytest.MonkeyPatch, *, left: bool = False) -> str:
    """Return what a terminal of that width is sent, colours and all."""
    stream = Terminal()
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    print_table(table, left=left)
    return stream.getvalue()


def bare(text: str) -> list[str]:
    """Return the lines without colours and without what pads them."""
    return [line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()]


def test_numbers_stand_right_and_names_left_in_a_pipe():
    assert plain(SCORES).splitlines() == [
        "toy (23 rows)",
        "model             accuracy   f1",
        "---------------  ---------  ---",
        "toy [tiny]       95.7 ±3.0  9.1",
        "baseline/random        4.2    –",
        "±: half the width",
    ]


def test_words_all_stand_left_and_no_line_ends_in_spaces():
    table = Table("", ["name", "what it is"], [["a", "one"], ["longer", ""]])
    assert plain(table, left=True).splitlines() == [
        "name    what it is",
        "------  ----------",
        "a       one",
        "longer",
    ]


def test_a_table_without_rows_is_its_heading():
    assert plain(Table("", ["a", "bc"])).splitlines() == ["a  bc", "-  --"]


def test_what_is_in_a_pipe_has_no_colour_and_no_frame(capsys):
    print_table(SCORES)
    out = capsys.readouterr().out
    assert "\x1b" not in out and out == plain(SCORES) + "\n"


def test_rows_and_columns_change_places_with_what_is_best():
    turned = SCORES.transposed()
    assert turned.columns == ["model", "toy [tiny]", "baseline/random"]
    assert turned.rows == [["accuracy", "95.7 ±3.0", "4.2"], ["f1", "9.1", "–"]]
    assert turned.best == {(0, 1), (1, 1)}
    assert turned.transposed().rows == [list(row) for row in SCORES.rows]
    assert turned.transposed().best == SCORES.best


def test_notes_stay_with_a_table_that_is_turned():
    assert SCORES.transposed().notes == SCORES.notes


@pytest.mark.parametrize(("width", "turned"), [(34, False), (33, False), (32, True), (10, True)])
def test_a_table_is_turned_only_where_it_does_not_fit(width, turned):
    assert (SCORES.fitted(width) is not SCORES) is turned


def test_a_wide_table_in_a_pipe_is_turned_and_a_wide_list_is_not(capsys):
    wide = Table("", ["model", *(f"metric-number-{n}" for n in range(12))], [["toy", *["1.0"] * 12]])
    print_table(wide)
    assert capsys.readouterr().out.splitlines()[0].split() == ["model", "toy"]
    print_table(wide, left=True)
    assert capsys.readouterr().out.splitlines()[0].split()[1] == "metric-number-0"


@pytest.mark.parametrize("columns", [80, 120])
def test_a_terminal_gets_what_a_pipe_gets_in_columns_of_its_width(monkeypatch, columns):
    lines = bare(on_a_terminal(SCORES, columns, monkeypatch))
    assert lines[0] == "toy (23 rows)"
    words = [line.split() for line in lines]
    assert ["toy", "[tiny]", "95.7", "±3.0", "9.1"] in words
    assert lines[-1] == "±: half the width"
    assert max(map(len, lines)) <= columns


def test_a_list_of_long_words_is_wrapped_to_80_columns(monkeypatch):
    table = Table("", ["task", "summary"], [["toy", "a summary of many words " * 8]], ["one of one"])
    lines = bare(on_a_terminal(table, 80, monkeypatch, left=True))
    assert max(map(len, lines)) <= 80
    assert " ".join(" ".join(lines).split()).count("a summary of many words") >= 6


def test_a_table_that_is_wider_than_80_columns_is_turned_on_a_terminal(monkeypatch):
    wide = Table("", ["model", *(f"metric-{n}" for n in range(9))], [["toy", *["1.0 ±0.5"] * 9]])
    lines = bare(on_a_terminal(wide, 80, monkeypatch))
    assert any(line.split() == ["metric-3", "1.0", "±0.5"] for line in lines)


def test_the_best_is_bold_and_context_is_dim(monkeypatch):
    text = on_a_terminal(SCORES, 80, monkeypatch)
    assert re.search(r"\x1b\[1;32m *95\.7 ±3\.0", text)
    assert re.search(r"\x1b\[2m *4\.2", text)


@pytest.mark.parametrize("where", ["title", "column", "cell", "note"])
def test_no_part_of_a_table_commands_a_terminal(monkeypatch, where, capsys):
    evil = "\x1b[2J\u202ex"
    texts = {"title": "t", "column": "c", "cell": "v", "note": "n"} | {where: evil}
    table = Table(texts["title"], ["m", texts["column"]], [["a", texts["cell"]]], [texts["note"]])
    print_table(table)
    assert "\\u001b[2J\\u202ex" in capsys.readouterr().out
    drawn = on_a_terminal(table, 80, monkeypatch)
    assert "\x1b[2J" not in drawn and "\u202e" not in drawn and "\\u001b[2J\\u202ex" in drawn


def test_what_looks_like_markup_is_shown_as_it_is(monkeypatch):
    table = Table("[bold]t[/bold]", ["m"], [["[red]C[C@H](N)[/red]"]])
    drawn = on_a_terminal(table, 80, monkeypatch)
    assert "[red]C[C@H](N)[/red]" in drawn
