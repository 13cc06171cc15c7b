"""Every answer belongs to a row and every row has an answer, or it is said which ones do not."""

import json

import pytest

from harness import DataError
from harness.cli.main import main as program
from harness.scoring.answers import pair, parse


def lines(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def said(*ids):
    return parse(lines(*({"id": key, "text": f"answer {key}"} for key in ids)), "said.jsonl")


def wanted(*ids):
    return parse(lines(*({"id": key, "references": [f"answer {key}"]} for key in ids)), "wanted.jsonl")


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ((1, 1, 2), "said.jsonl has a second answer to '1'"),
        ((1, 2), "answers 2 of 3 rows of wanted.jsonl; without an answer: '3'"),
        ((1, 2, 3, 4), "answers 1 rows that wanted.jsonl does not have: '4'"),
        (range(3, 20), "answers 16 rows that wanted.jsonl does not have: '4', '5', '6' and 13 more"),
    ],
)
def test_doubled_missing_and_unknown_ids_are_refused_by_name(answers, message):
    with pytest.raises(DataError) as caught:
        pair(said(*answers), wanted(1, 2, 3))
    assert message in caught.value.message


def test_an_id_of_zero_is_an_id_and_some_rows_without_one_are_a_fault():
    assert [example.id for example, _ in pair(said(0, 1), wanted(1, 0))] == ["0", "1"]
    mixed = parse(lines({"id": 1, "text": "a"}, {"text": "b"}), "said.jsonl")
    with pytest.raises(DataError, match="answer 2, has no id, others have one"):
        pair(mixed, wanted(1, 2))


def test_doubled_ids_are_refused_where_the_file_holds_its_own_references():
    twice = [{"id": 1, "text": "a", "references": ["a"]}] * 2
    with pytest.raises(DataError, match="a second answer to '1'"):
        pair(parse(lines(*twice), "said.jsonl"), None)


def test_missing_answers_are_empty_where_that_is_allowed_and_that_is_said():
    file = parse(lines({"id": 1, "text": "answer 1"}, {"id": 2, "text": None}), "said.jsonl")
    with pytest.raises(DataError, match="without an answer: '3'"):
        pair(file, wanted(1, 2, 3))
    pairs = pair(file, wanted(1, 2, 3), allow_missing=True)
    assert {example.id: prediction.text for example, prediction in pairs} == {
        "1": "answer 1",
        "2": "",
        "3": "",
    }
    assert file.notes == ["2 of 3 rows without an answer are scored as empty: '2', '3'"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"id": 1, "text": 5}, '"text" is 5, which is not text'),
        ({"id": 1, "text": ["a"]}, "which is not text"),
        ({"id": True, "text": "a"}, '"id" is true, which is no id'),
        ({"id": 1, "text": "a", "references": {"a": 1}}, "which is no list of texts"),
        ({"id": 1, "text": "a", "references": [1]}, '"references" holds 1, which is not text'),
        ({"id": 1, "text": "a", "references": [None]}, "holds null, which is not text"),
        ({"id": 1, "text": "a", "choice_scores": "high"}, '"choice_scores" is "high"'),
        ({"id": 1, "text": "a", "choice_scores": [float("nan")]}, "which is no list of numbers"),
        ({"id": 1, "text": "a", "choice_scores": [10**400]}, "which is no list of numbers"),
        ({"id": 1, "text": "a", "inputs": "CCO"}, '"inputs" is "CCO", which is no object'),
        ({"id": 1, "text": "x" * 100_001}, "at most 100,000 are taken"),
    ],
)
def test_a_value_of_another_type_is_named_with_its_file_and_line(row, message):
    with pytest.raises(DataError) as caught:
        parse(lines({"id": 0, "text": "a"}, row), "said.jsonl")
    assert caught.value.message.startswith("said.jsonl, line 2: ") and message in caught.value.message


def test_metrics_that_look_at_answers_alone_score_files_without_references(tmp_path, capsys):
    (tmp_path / "said.txt").write_text("CCO\nnot a molecule\n")
    command = ["score", str(tmp_path / "said.txt"), "--json", "--metrics"]
    assert program([*command, "validity,uniqueness,distinct-1"]) == 0
    scores = json.loads(capsys.readouterr().out)["scores"]
    assert scores["validity"]["value"] == 0.5 and scores["distinct-1"]["value"] is not None
    assert program([*command, "validity,exact-match"]) == 4
    assert "row 1, has no reference" in capsys.readouterr().err


def test_a_file_of_other_rows_than_the_sample_says_so_and_names_data(main, tmp_path):
    head = "description\tground truth\toutput\n"
    (tmp_path / "published.txt").write_text(head + "".join(f"row {i}\tCC{i}\tCCO\n" for i in range(3)))
    done = main("score", tmp_path / "published.txt", "--task", "chebi20/text2smiles")
    assert done.code == 4
    assert "3 of 3 rows of" in done.err
    assert "the built-in sample of chebi20/text2smiles has other rows: --data FOLDER" in done.err


def test_the_keys_that_score_takes_are_taken_beside_a_task_too(main, tmp_path):
    from harness.tasks.toy.task import Cipher

    rows = [{"id": row.id, "prediction": row.references[0]} for row in Cipher().examples("test")]
    (tmp_path / "said.jsonl").write_bytes(lines(*rows))
    done = main("score", tmp_path / "said.jsonl", "--task", "toy", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["scores"]["letter-accuracy"]["value"] == 1.0


def test_a_folder_of_data_that_is_not_there_is_not_replaced_by_the_sample(main, tmp_path):
    (tmp_path / "said.txt").write_text("x\n")
    done = main("score", tmp_path / "said.txt", "--task", "chebi20/text2smiles", "--data", "absent")
    assert done.code == 4 and "there is no data at absent" in done.err
