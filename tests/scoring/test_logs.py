"""What lm-eval, inspect and HELM keep of an evaluation is read for scoring anew."""

import json
from typing import Any

import pytest

from harness import DataError
from harness.scoring.answers import pair, read

SAID: dict[str, Any] = {
    "doc_id": 0,
    "doc": {"id": "a", "question": "q"},
    "target": "right",
    "arguments": {"gen_args_0": {"arg_0": "q", "arg_1": {}}},
    "resps": [["right", "wrong"]],
    "filtered_resps": ["right"],
    "filter": "none",
}
CHOSEN = SAID | {
    "target": "1",
    "doc": {"question": "q"},
    "resps": [[["-3.5", "False"]], [["-1.25", "True"]]],
    "arguments": {"gen_args_0": {"arg_0": "q", "arg_1": " x"}, "gen_args_1": {"arg_0": "q", "arg_1": " y"}},
}
INSPECT: dict[str, Any] = {
    "version": 2,
    "eval": {},
    "samples": [
        {"id": 1, "epoch": 1, "input": "q", "target": "yes", "output": {"completion": "yes"}},
        {"id": 1, "epoch": 2, "input": "q", "target": "yes", "output": {"completion": "no"}},
        {
            "id": "2", "epoch": 1, "input": "q", "target": ["b", "c"],
            "output": {"choices": [{"message": {"content": "c"}}]},
        },
    ],
}  # fmt: skip
HELM: dict[str, Any] = {
    "request_states": [
        {
            "instance": {
                "id": "id7",
                "references": [
                    {"output": {"text": "Paris"}, "tags": ["correct"]},
                    {"output": {"text": "Rome"}, "tags": []},
                ],
            },
            "output_mapping": {"A": "Rome", "B": "Paris"},
            "result": {"completions": [{"text": " B"}]},
        }
    ]
}


def kept(tmp_path, *rows, indent=None, name="log.json"):
    path = tmp_path / name
    path.write_text("\n".join(json.dumps(row, indent=indent) for row in rows) + "\n")
    return path


def test_samples_of_lm_eval_are_answers_and_another_filter_is_the_same_one(tmp_path):
    found = read(kept(tmp_path, SAID, SAID | {"filter": "strict", "filtered_resps": ["x"]}))
    assert found.form == "lm-eval"
    (answer,) = found.answers
    assert (answer.id, answer.text, answer.references) == ("a", "right", ("right",))
    assert [again.text for again in answer.repeats] == ["wrong"]


def test_choices_of_lm_eval_keep_their_log_likelihoods(tmp_path):
    (answer,) = read(kept(tmp_path, CHOSEN)).answers
    assert (answer.id, answer.text, answer.choice_scores) == ("0", "y", (-3.5, -1.25))


@pytest.mark.parametrize("indent", [None, 2])
def test_a_log_of_inspect_has_an_answer_a_sample_and_epochs_are_repeats(tmp_path, indent):
    found = read(kept(tmp_path, INSPECT, indent=indent))
    assert found.form == "inspect"
    one, two = found.answers
    assert (one.id, one.text, one.references, one.repeats[0].text) == ("1", "yes", ("yes",), "no")
    assert (two.id, two.text, two.references) == ("2", "c", ("b", "c"))
    assert [prediction.text for _, prediction in pair(found, None)] == ["yes", "c"]


@pytest.mark.parametrize("indent", [None, 2])
def test_a_letter_of_helm_stands_for_its_choice(tmp_path, indent):
    found = read(kept(tmp_path, HELM, indent=indent))
    (answer,) = found.answers
    assert (found.form, answer.id, answer.text, answer.references) == ("helm", "id7", "Paris", ("Paris",))


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (SAID | {"resps": []}, "not what lm-eval writes"),
        (SAID | {"doc": None}, "not what lm-eval writes"),
        (CHOSEN | {"resps": [[["x", "y"]]]}, "not what lm-eval writes"),
        (CHOSEN | {"resps": [[["nan", "y"]], [["1", "y"]]]}, "no list of numbers"),
        (INSPECT | {"samples": {}}, 'no list of "samples"'),
        (INSPECT | {"samples": [{"id": 1}]}, "not what inspect writes"),
        (INSPECT | {"samples": [INSPECT["samples"][0] | {"output": {"completion": 5}}]}, "not text"),
        (INSPECT | {"samples": []}, "holds no answer"),
        ({"request_states": [{}]}, "not what HELM writes"),
        ({"request_states": [HELM["request_states"][0] | {"reference_index": 0}]}, "each choice on its own"),
    ],
)
def test_a_log_that_is_none_is_refused_in_a_sentence(tmp_path, log, said):
    with pytest.raises(DataError, match=said):
        read(kept(tmp_path, log))


def test_details_of_lighteval_are_texts_or_log_likelihoods_of_choices(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    import pyarrow

    doc = {"id": "0", "query": "q", "choices": [" x", " y"], "gold_index": [1]}
    rows = [
        {"doc": doc, "model_response": {"text": ["y", "z"], "logprobs": []}, "metric": {"em": 1.0}},
        {
            "doc": doc | {"id": "1"},
            "model_response": {"text": [], "logprobs": [-2.0, -0.5]},
            "metric": {"em": 1.0},
        },
    ]
    path = tmp_path / "details.parquet"
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    found = read(path)
    said, chosen = found.answers
    assert (found.form, said.text, said.references, said.repeats[0].text) == ("lighteval", "y", ("y",), "z")
    assert (chosen.id, chosen.text, chosen.choice_scores) == ("1", "y", (-2.0, -0.5))
    parquet.write_table(pyarrow.table({"a": [1]}), path)
    with pytest.raises(DataError, match="not what lighteval writes"):
        read(path)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(DataError, match="is no readable Parquet table"):
        read(path)


def test_a_single_row_of_our_own_is_still_our_own(tmp_path):
    assert read(kept(tmp_path, {"id": "1", "text": 'says "samples" and "eval"'})).form == "jsonl"


def test_a_run_s_rows_scored_elsewhere_are_scored_here(main, tmp_path):
    assert main("data", "export", "--task", "toy", "--output", "out").code == 0
    rows = [json.loads(line) for line in (tmp_path / "out" / "test.jsonl").read_text().splitlines()]
    logged = [
        SAID | {"doc_id": n, "doc": row, "target": row["reference"], "resps": [[row["reference"]]]}
        for n, row in enumerate(rows)
    ]
    path = kept(tmp_path, *logged, name="samples_toy.jsonl")
    done = main("score", path, "--task", "toy", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["scores"]["letter-accuracy"]["value"] == 1.0
