"""CSV in one place: what spreadsheets write is read, what is wrong is named with its line."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import DataError, HarnessError
from harness.data.csv_rows import read_csv, read_records


def test_quotes_line_breaks_and_blank_lines_are_read_and_lines_counted(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes(b'\xef\xbb\xbfid,text\r\n1,"a ""b"",\nc"\n\n2,d\n')
    assert list(read_csv(path, ("id", "text"))) == [
        (2, {"id": "1", "text": 'a "b",\nc'}),
        (5, {"id": "2", "text": "d"}),
    ]


BAD = {
    "narrow": (b"a,b\n1,2\n3\n", r":3: expected 2 columns \(a, b\), found 1"),
    "wide": (b"a,b\n1,2,3\n", ":2: expected 2 columns"),
    "empty": (b"a,b\n1,\n", ":2: expected a text in 'b', found nothing"),
    "no column": (b"a,c\n1,2\n", ":1: expected the column b once, found a, c"),
    "twice": (b"a,b,b\n1,2,3\n", ":1: expected the column b once, found a, b, b"),
    "nothing": (b"", ":1: expected the column a once, found nothing"),
    "bytes": (b"a,b\n1,\xff\n", ":2: expected UTF-8 text, found byte 0xff"),
    "nul": (b"a,b\n1,x\0y\n", ":2: expected text, found a NUL byte at character 2"),
    "quote": (b'a,b\n1,"x\n2,y\n', ":2: expected a CSV row, found one that unexpected end of data"),
    "stray quote": (b'a,b\n1,"x"y\n', ":2: expected a CSV row"),
    "long": (b"a,b\n1," + b"x" * (2 << 20) + b"\n", ":2: expected a line under"),
    "utf-16": ("a,b\n1,2\n".encode("utf-16"), "is UTF-16"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_said_with_its_place(tmp_path, case):
    content, message = BAD[case]
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        list(read_csv(path, ("a", "b")))


def test_an_absent_file_says_what_it_should_hold(tmp_path):
    with pytest.raises(DataError, match=f"no rows.csv in {tmp_path}") as error:
        list(read_csv(tmp_path / "rows.csv", ("a", "b")))
    assert error.value.hint == "a CSV file with the columns a, b"


CELL = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=6)


@given(rows=st.lists(st.tuples(CELL, CELL), max_size=5))
def test_what_the_standard_library_writes_is_read_back(tmp_path_factory, rows):
    text = io.StringIO()
    csv.writer(text).writerows([("a", "b"), *rows])
    path = tmp_path_factory.mktemp("csv") / "rows.csv"
    path.write_text(text.getvalue(), encoding="utf-8", newline="")
    assert [(row["a"], row["b"]) for _, row in read_csv(path, ("a", "b"))] == rows


@given(content=st.binary(max_size=80))
def test_any_bytes_are_records_or_one_sentence(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("csv") / "rows.csv"
    path.write_bytes(b"a,b\n" + content)
    try:
        list(read_records(path))
    except HarnessError as error:
        assert "\n" not in error.message
