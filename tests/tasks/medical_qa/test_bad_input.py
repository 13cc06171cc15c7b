"""What is wrong with a file is found by `data check`, named with its place, and never scored in silence."""

import json

import pytest

OPTIONS = {"A": "Aspirin", "B": "Clopidogrel", "C": "Heparin", "D": "Warfarin"}
GOOD = {"question": "Which one?", "options": OPTIONS, "answer": "C"}
BAD = {
    "answer out of options": {**GOOD, "answer": "E"},
    "several answers": {**GOOD, "answer": "AC"},
    "no answer": {"question": "Which one?", "options": OPTIONS},
    "empty option": {**GOOD, "options": {**OPTIONS, "B": " "}},
    "equal options": {**GOOD, "options": {**OPTIONS, "B": "Heparin"}},
    "too few options": {**GOOD, "options": {"A": "Aspirin"}, "answer": "A"},
    "no question": {**GOOD, "question": "  "},
    "form": {**GOOD, "options": {"A": "Aspirin", "C": "Heparin"}},
}
ODD = {
    "HTML": {**GOOD, "question": "Is 10<sup>6</sup> &gt; 5?"},
    "full-width letters": {**GOOD, "options": {**OPTIONS, "D": "Ｗarfarin"}},
    "empty option": {**GOOD, "options": {**OPTIONS, "E": ""}},
    "mojibake": {**GOOD, "question": "å¤´ç—› â€“ what?"},
}


@pytest.fixture
def check(run_bench, tmp_path):
    def run(*rows, task="medical_qa/medqa-us", raw=None):
        file = tmp_path / "test.jsonl"
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        file.write_bytes(raw if raw is not None else text.encode())
        return run_bench("data", "check", file, "--task", task, "--json")

    return run


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_row_is_named_with_its_line(check, kind):
    done = check(GOOD, BAD[kind])
    report = json.loads(done.out)
    assert done.code == 4 and kind in done.err
    assert report["counts"][kind] == 1 and report["rows"]["test"] == 1
    assert next(f for f in report["findings"] if f["kind"] == kind)["line"] == 2


@pytest.mark.parametrize("kind", ODD)
def test_what_is_odd_is_mended_used_and_named(check, kind):
    done = check({**GOOD, "question": "Another?"}, ODD[kind])
    report = json.loads(done.out)
    assert done.code == 0 and report["rows"]["test"] == 2
    assert report["counts"] == {kind: 1}


@pytest.mark.parametrize(("task", "named"), [("medqa-us-5", 1), ("medqa-us", 0), ("cmexam", 0)])
def test_a_file_of_another_number_of_options_than_the_set_has_is_named(check, task, named):
    done = check(GOOD, task=f"medical_qa/{task}")
    assert done.code == 0
    assert json.loads(done.out)["counts"].get("number of options", 0) == named


def test_html_is_taken_away_and_mathematics_is_kept(run_bench, tmp_path):
    row = {**GOOD, "question": "Is <b>n</b> < 10<sup>6</sup> &gt; m?"}
    (tmp_path / "test.jsonl").write_text(json.dumps(row))
    done = run_bench("data", "show", "--task", "medical_qa/medqa-us", "--data", tmp_path / "test.jsonl")
    assert "Is n < 10^6 > m?" in done.out


def test_repeated_questions_are_counted_and_a_second_answer_is_told(check):
    done = check(GOOD, GOOD, {**GOOD, "answer": "A"}, {**GOOD, "options": {**OPTIONS, "A": "Alteplase"}})
    assert json.loads(done.out)["counts"] == {
        "repeated question": 3,
        "repeated with its options": 1,
        "repeated with its options, another answer": 1,
    }


def test_sets_with_several_answers_take_them_unless_the_row_says_one(check):
    assert check({**GOOD, "answer": "AC"}, task="medical_qa/cmexam").code == 0
    said = {**GOOD, "answer": "AC", "question_type": "单项选择题"}
    assert "several answers" in check(GOOD, said, task="medical_qa/cmb").err


def test_a_gbk_file_is_named_as_such_with_the_way_out(check):
    raw = json.dumps({**GOOD, "question": "头痛怎么办？"}, ensure_ascii=False).encode("gbk")
    done = check(raw=raw + b"\n")
    assert done.code == 4 and "is GBK, expected UTF-8" in done.out


@pytest.mark.parametrize("text", ["Un café très noir ?", "Ménière: façade, naïve, Ångström"])
def test_a_latin_1_file_is_not_called_gbk(check, text):
    done = check(raw=json.dumps({**GOOD, "question": text}, ensure_ascii=False).encode("latin-1") + b"\n")
    assert "GBK" not in done.out and json.loads(done.out)["counts"]["encoding"] == 1


@pytest.mark.parametrize(
    "row",
    [
        {**GOOD, "options": {chr(ord(key) + 0xFEE0): text for key, text in OPTIONS.items()}},
        {
            "question": GOOD["question"],
            "answer": "A",
            **{chr(ord(k) + 0xFEE0): t for k, t in OPTIONS.items()},
        },
        {**GOOD, "answer": "Ａ"},
    ],
)
def test_letters_of_full_width_are_read_and_named(check, row):
    report = json.loads(check(row).out)
    assert report["counts"] == {"full-width letters": 1} and report["rows"]["test"] == 1


def test_of_mixed_encodings_the_foreign_row_is_named(check):
    rows = [json.dumps({**GOOD, "question": text}, ensure_ascii=False) for text in ("头痛？", "发热？")]
    done = check(raw=rows[0].encode() + b"\n" + rows[1].encode("gbk") + b"\n")
    report = json.loads(done.out)
    assert report["counts"]["encoding"] == 1 and report["rows"]["test"] == 1
    assert report["findings"][0]["line"] == 2


def test_a_bad_row_ends_a_run_and_is_left_out_and_told_when_asked(run_bench, tmp_path):
    rows = [GOOD, {**GOOD, "question": "Another?", "answer": "E"}]
    (tmp_path / "train.jsonl").write_text(json.dumps({**GOOD, "question": "A third?"}) + "\n")
    (tmp_path / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = ["--model", "baseline/random", "--task", "medical_qa/medqa-us", "--data", tmp_path]
    refused = run_bench(*command)
    assert refused.code == 4 and "test.jsonl:2: expected a letter of ABCD, found" in refused.err
    done = run_bench(*command, "--skip-bad-rows")
    assert done.code == 0, done.err
    assert "answer out of options (left out) in 1 row" in done.out


def test_repeats_in_the_published_test_are_told(test_data, run_bench):
    file = test_data / "apollo_xmedbench/test_zh.json"
    report = json.loads(run_bench("data", "check", file, "--task", "medical_qa/choice", "--json").out)
    assert report["counts"]["repeated question"] == 87
    assert report["counts"]["equal options"] == 1
