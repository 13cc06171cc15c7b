"""Saved answers are read in every form, and a bad file says what is wrong with it."""

import json
import zipfile

import pytest

from harness import DataError
from harness.scoring.answers import pair, read

TABLE = "SMILES\tground truth\toutput\nCCO\tan alcohol\t[CLS] an alcohol\nC\tmethane\tgas\n"


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    return path


def test_a_table_brings_its_references_and_loses_the_leading_cls(tmp_path):
    pairs = pair(read(write(tmp_path / "a.txt", TABLE)), None)
    assert [p.text for _, p in pairs] == ["an alcohol", "gas"]
    assert [e.references for e, _ in pairs] == [("an alcohol",), ("methane",)]


def test_lines_and_zip_archives_take_references_in_order(tmp_path):
    lines = write(tmp_path / "a.txt", "one\n\nthree\n")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(lines, "submit.txt")
        archive.writestr("name.txt", "somebody")
    references = read(write(tmp_path / "refs.txt", "1\n2\n3\n"))
    for path in (lines, tmp_path / "a.zip"):
        pairs = pair(read(path), references)
        assert [(e.references, p.text) for e, p in pairs] == [
            (("1",), "one"),
            (("2",), ""),
            (("3",), "three"),
        ]


def test_json_lines_are_joined_by_id(tmp_path):
    said = [{"id": "b", "text": "B"}, {"id": "a", "prediction": "A"}]
    known = [{"id": "a", "references": ["a", "A"]}, {"id": "b", "reference": "b"}]
    paths = [
        write(tmp_path / n, "\n".join(map(json.dumps, rows)))
        for n, rows in (("s.jsonl", said), ("k.jsonl", known))
    ]
    pairs = pair(read(paths[0]), read(paths[1]))
    assert [(e.id, e.references, p.text) for e, p in pairs] == [("b", ("b",), "B"), ("a", ("a", "A"), "A")]


def test_of_a_list_of_answers_the_first_is_said_and_all_are_accepted(tmp_path):
    rows = '{"id": "1", "answers": ["B", "A"]}\n{"id": "2", "answers": []}\n'
    said, known = read(write(tmp_path / "said.jsonl", rows)), read(write(tmp_path / "known.jsonl", rows))
    pairs = pair(said, known)
    assert [(e.references, p.text) for e, p in pairs] == [(("B", "A"), "B"), (("",), "")]
    assert said.notes == ["of several answers the first was taken in 1 rows"]


@pytest.mark.parametrize(
    ("row", "evidence"),
    [
        ({}, None),
        ({"evidence": None}, None),
        ({"evidence": []}, ()),
        ({"evidence": ["p1"]}, ("p1",)),
        ({"predicted_evidence": [], "evidence": ["p1"]}, ()),  # the second are then the annotators'
    ],
)
def test_evidence_that_is_said_to_be_none_is_not_evidence_of_which_nothing_is_said(tmp_path, row, evidence):
    path = write(tmp_path / "a.jsonl", json.dumps({"text": "Unanswerable", **row}))
    assert [answer.completion("1").evidence for answer in read(path).answers] == [evidence]


def test_a_ranking_says_nothing_but_what_it_found(tmp_path):
    path = write(tmp_path / "a.jsonl", json.dumps({"id": "1", "question": "Why?", "found": ["p1", "p0"]}))
    (answer,) = read(path).answers
    assert (answer.text, answer.completion("1").evidence) == ("", ("p1", "p0"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"caf\xe9\n", "not UTF-8: byte 3"),
        ("SMILES\tground truth\toutput\nCCO\tx\n", "line 2: expected 3 columns, found 2"),
        ('{"text": "a"}\n{"text": \n', "line 2: not JSON"),
        ('{"text": "a"}\n[1]\n', "line 2: a row is an object"),
        ('{"said": "a"}\n', "line 1: none of text"),
        ('{"answers": "a"}\n', 'line 1: "answers" is "a", which is no list of texts'),
    ],
)
def test_a_bad_file_is_one_clear_sentence(tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        read(write(tmp_path / "bad", content))


def test_missing_references_and_unequal_lengths_are_named(tmp_path):
    rows = read(write(tmp_path / "a.txt", "one\ntwo\n"))
    with pytest.raises(DataError, match="row 1, has no reference"):
        pair(rows, None)
    with pytest.raises(DataError, match="2 answers for 1 references"):
        pair(rows, read(write(tmp_path / "b.txt", "one\n")))
    with pytest.raises(DataError, match="there is nothing at"):
        read(tmp_path / "absent")
