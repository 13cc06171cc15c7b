"""Rows in files of our own: whatever a crash leaves, whole rows stay and more can follow."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import DataError
from harness.files.rows import append_row, heal_rows, read_rows

ROWS = st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=2), max_size=6)


@given(ROWS, ROWS, st.data())
def test_whatever_a_crash_leaves_of_a_file_its_whole_rows_stay_and_more_can_follow(rows, more, data):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        for row in rows:
            append_row(path, row)
        whole = path.read_bytes() if rows else b""
        kept = data.draw(st.integers(0, len(whole)))
        path.write_bytes(whole[:kept])
        survivors = list(read_rows(path))
        assert survivors == rows[: whole[:kept].count(b"\n")]
        heal_rows(path)
        for row in more:
            append_row(path, row)
        assert list(read_rows(path)) == [*survivors, *more]


@pytest.mark.parametrize("row", ["17", "nul", '{"half', "\x00\x00"])
def test_a_row_that_no_crash_leaves_is_an_error_with_its_line(tmp_path, row):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\n' + row + '\n{"a": 2}\n')
    with pytest.raises(DataError, match=r"rows.jsonl, line 2: not a JSON row"):
        list(read_rows(path))
