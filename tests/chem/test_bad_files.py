"""Damaged files: a sentence with the place, never a traceback, never a silently wrong row."""

import gzip
import json
import random
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import HarnessError
from harness.chem.published import check, read

HEADER = "CID\tSMILES\tdescription\n"
GOOD = [(str(100 + i), "C" * (i + 1) + "O", f"The molecule is alcohol number {i}.") for i in range(30)]
TRUTH = {(smiles, caption) for _, smiles, caption in GOOD}
TSV = (HEADER + "".join("\t".join(row) + "\n" for row in GOOD)).encode()
JSON = json.dumps([{"smiles": s, "description": d} for _, s, d in GOOD], indent=1).encode()


def load(path, data, **options):
    path.write_bytes(data)
    return list(read(path, "test", **options))


BAD_ROWS = {
    "no smiles": (b"7\t\tA molecule.\n", "expected a SMILES, found nothing"),
    "no caption": (b"7\tCCO\t\n", "expected a caption, found nothing"),
    "not a smiles": (b"7\tC(C\tA molecule.\n", r"expected a SMILES, found 'C\(C'"),
    "swapped": (b"7\tA molecule.\tCCO\n", "are the columns swapped"),
    "shuffled": (b"CCO\t7\tA molecule.\n", "expected a SMILES, found '7'"),
    "cid": (b"x\tCCO\tA molecule.\n", "expected a PubChem CID in digits"),
    "too few": (b"7\tCCO\n", r"expected 3 columns \(CID, SMILES, description\), found 2"),
    "too many": (b"7\tCCO\tA molecule.\tmore\n", "expected 3 columns"),
    "latin-1": ("7\tCCO\tA caf\xe9.\n".encode("latin-1"), "expected UTF-8 text, found byte 0xe9"),
    "nul": (b"7\tCC\0O\tA molecule.\n", "found a NUL byte at character 5"),
    "control": (b"7\tCCO\tA \x08 molecule.\n", "control character 0x08"),
    "old line ends": (b"7\tCCO\tA molecule.\r8\tCC\tOne.\n", "carriage return"),
    "number": (b"7\tCCO\t1234\n", "expected a caption in words"),
    "long line": (b"7\tCCO\t" + b"x" * (2 << 20) + b"\n", "expected a line under 1,048,576 bytes"),
    "long smiles": (b"7\t" + b"C" * 6000 + b"\tA molecule.\n", "at most 5,000 characters"),
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_a_bad_row_is_named_with_file_line_expected_and_found(tmp_path, case):
    row, message = BAD_ROWS[case]
    path = tmp_path / "test.txt"
    with pytest.raises(HarnessError, match=message) as error:
        load(path, TSV + row + b"8\tCCN\tAn amine.\n")
    assert error.value.message.startswith(f"{path}:32: ")
    assert "--skip-bad-rows" in error.value.hint


@pytest.mark.parametrize("case", BAD_ROWS)
def test_bad_rows_are_left_out_when_asked_and_listed(tmp_path, case):
    notes: list[str] = []
    data = TSV + BAD_ROWS[case][0] + b"8\tCCN\tAn amine.\n"
    rows = load(tmp_path / "test.txt", data, skip_bad_rows=True, notes=notes)
    assert {(r.smiles, r.caption) for r in rows} == TRUTH | {("CCN", "An amine.")}
    assert "left out 1 bad rows, lines 32" in notes[-1]


def test_a_check_counts_and_names_every_kind(tmp_path):
    path = tmp_path / "test.txt"
    rows = b"".join(row for row, _ in BAD_ROWS.values())
    path.write_bytes(TSV + rows + b"9\tC(C)(C)(C)(C)C\tToo many bonds.\n" + TSV.splitlines()[1] + b"\n")
    report = check(path)
    assert report.rows == {"test": 31}
    assert report.counts["columns"] == 2
    assert report.counts["chemistry"] == 1
    assert report.counts["repeated row"] == 1
    assert {f.line for f in report.findings if f.kind == "encoding"} == {40}


def test_mojibake_is_reported_and_the_row_is_used(tmp_path):
    path = tmp_path / "test.txt"
    path.write_text(HEADER + "1\tCCO\tMelts at 115 Â°C.\n", encoding="utf-8")
    report = check(path)
    assert (report.rows, report.counts) == ({"test": 1}, {"mojibake": 1})
    assert not report.findings[0].bad


@pytest.mark.parametrize(
    "data", [b"", b"\n\n", b"\xff\xfeC\x00", b"\x89PNG\r\n\x1a\n\x00\x00", b"[1, 2", b"[]", b"{}"]
)
def test_a_file_of_something_else_is_one_sentence(tmp_path, data):
    for name in ("test.txt", "test.json", "test.csv", "test.parquet", "test.txt.gz"):
        with pytest.raises(HarnessError):
            load(tmp_path / name, data)


def test_a_truncated_json_array_says_where(tmp_path):
    with pytest.raises(HarnessError, match=r"test\.json:\d+: expected .*"):
        load(tmp_path / "test.json", JSON[: len(JSON) // 2])


def test_json_with_a_repeated_key_is_refused(tmp_path):
    with pytest.raises(HarnessError, match="names a key twice"):
        load(tmp_path / "test.json", b'[{"smiles": "C", "smiles": "CC", "description": "A molecule."}]')


def test_json_nested_beyond_reason_is_refused(tmp_path):
    with pytest.raises(HarnessError):
        load(tmp_path / "test.json", b'[{"smiles":' + b"[" * 200_000)


@pytest.mark.parametrize("name", ["test.tsv", "test.csv"])
def test_a_column_named_twice_is_refused(tmp_path, name):
    header = b"SMILES\tSMILES\tdescription\n"
    with pytest.raises(HarnessError, match="found 'SMILES' 2 times"):
        load(tmp_path / name, header.replace(b"\t", b"," if name == "test.csv" else b"\t") + b"C,C,x y\n")


def test_a_caption_cut_at_the_end_of_the_file_is_a_bad_row(tmp_path):
    with pytest.raises(HarnessError, match="is the file cut off"):
        load(tmp_path / "test.txt", TSV[:-4])


def test_a_fifty_megabyte_line_is_refused_in_little_memory(tmp_path):
    path = tmp_path / "test.txt"
    with path.open("wb") as stream:
        stream.write(TSV + b"7\tCCO\t")
        for _ in range(50):
            stream.write(b"x" * (1 << 20))
    tracemalloc.start()
    with pytest.raises(HarnessError, match="found one of 52,4"):
        list(read(path, "test"))
    assert tracemalloc.get_traced_memory()[1] < 10 << 20
    tracemalloc.stop()


@st.composite
def damaged(draw):
    data = bytearray(draw(st.sampled_from([TSV, JSON])))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        kind = draw(st.sampled_from(["cut", "byte", "insert", "delete", "nul"]))
        if kind == "cut":
            del data[at:]
        elif kind == "byte" and at < len(data):
            data[at] = draw(st.integers(0, 255))
        elif kind == "insert":
            data[at:at] = draw(st.binary(min_size=1, max_size=4))
        elif kind == "delete":
            del data[at : at + draw(st.integers(1, 20))]
        else:
            data[at:at] = b"\0"
    return bytes(data)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=damaged(), skip=st.booleans(), name=st.sampled_from(["test.txt", "test.json", "test.csv"]))
def test_damage_never_ends_in_a_traceback(tmp_path, data, skip, name):
    try:
        load(tmp_path / name, data, skip_bad_rows=skip)
    except HarnessError as error:
        assert "\n" not in error.message


@pytest.mark.parametrize("seed", range(5))
def test_rows_that_survive_structural_damage_are_rows_of_the_file(tmp_path, seed):
    rng = random.Random(seed)
    lines = TSV.decode().splitlines()[1:]
    for index in rng.sample(range(len(lines)), 8):
        fields = lines[index].split("\t")
        rng.shuffle(fields)
        lines[index] = "\t".join(fields) if rng.random() < 0.5 else "\t".join(fields[:2])
    data = (HEADER + "\n".join(lines) + "\n").encode()
    rows = load(tmp_path / "test.txt", data, skip_bad_rows=True)
    assert {(row.smiles, row.caption) for row in rows} <= TRUTH
    assert len(rows) >= 22


@pytest.mark.parametrize("name", ["test.json", "test.jsonl", "test.csv", "test.smi"])
def test_a_giant_value_is_refused_in_little_memory_in_every_form(tmp_path, name):
    path = tmp_path / name
    start = b'[{"smiles": "CCO", "description": "' if name == "test.json" else b'{"smiles": "'
    if name in ("test.csv", "test.smi"):
        start = b'SMILES,description\nCCO,"' if name == "test.csv" else b"CCO\n"
    with path.open("wb") as stream:
        stream.write(start)
        for _ in range(50):
            stream.write(b"x" * (1 << 20))
    tracemalloc.start()
    with pytest.raises(HarnessError):
        list(read(path, "test"))
    assert tracemalloc.get_traced_memory()[1] < 30 << 20
    tracemalloc.stop()


@pytest.mark.parametrize("cut", [5, 20, 60])
def test_a_truncated_archive_is_refused(tmp_path, cut):
    data = gzip.compress(TSV)
    with pytest.raises(HarnessError, match="cannot be read"):
        load(tmp_path / "test.txt.gz", data[:-cut])


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.binary(max_size=200) | st.text(max_size=100).map(str.encode),
    name=st.sampled_from(["test.txt", "test.json", "test.jsonl", "test.csv", "test.parquet", "test.txt.gz"]),
)
def test_any_bytes_are_rows_or_one_sentence(tmp_path, data, name):
    try:
        load(tmp_path / name, data, skip_bad_rows=True)
    except HarnessError as error:
        assert "\n" not in error.message
    check(tmp_path / name)
