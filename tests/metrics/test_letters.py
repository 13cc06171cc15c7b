"""Metrics of letters on real answers of two systems to four sets of medical questions, and on small ones."""

import gzip
import json

import pytest

from harness import Example, Pairs, Prediction
from harness.metrics import choice, harness_metrics, letters
from harness.metrics.rows import make_pairs
from harness.scoring.measure import measure
from harness.scoring.origins import letter_mirage

SETS = ("medqa", "mmlu", "pubmedqa", "bioasq")
SYSTEMS = ("cot.gpt-35-turbo-16k", "cot.gpt-4-32k", "rag_32.gpt-35-turbo-16k")


@pytest.fixture(scope="module")
def mirage(test_data):
    folder = test_data / "mirage"
    if not folder.is_dir():
        pytest.skip("MIRAGE's answers are not here")
    return folder


@pytest.fixture(scope="module")
def questions(mirage):
    rows = map(json.loads, gzip.open(mirage / "questions.jsonl.gz", "rt", encoding="utf-8"))
    return {(row["dataset"], row["id"]): row for row in rows}


def answers(mirage, questions, dataset, system, *, choices=False):
    found = []
    for line in gzip.open(mirage / f"{dataset}.{system}.jsonl.gz", "rt", encoding="utf-8"):
        row = json.loads(line)
        question = questions[dataset, row["id"]]
        options = tuple(question["options"].values()) if choices else ()
        example = Example(row["id"], {}, (question["answer"],), choices=options)
        found.append((example, Prediction(row["id"], "".join(row["answers"][:1]))))
    return Pairs(found)


def golden(test_data, dataset, system):
    file = test_data.parent / "golden/mirage.json"
    mode, _, model = system.partition(".")
    return json.loads(file.read_text(encoding="utf-8"))["values"][f"{dataset}|{mode}|{model}"]


@pytest.mark.parametrize("dataset", SETS)
@pytest.mark.parametrize("system", SYSTEMS)
def test_mirage_is_counted_as_its_script_counts(test_data, mirage, questions, dataset, system):
    wanted = golden(test_data, dataset, system)
    score = letters.accuracy_letter_mirage(answers(mirage, questions, dataset, system))
    assert score.value == pytest.approx(wanted["accuracy"], abs=1e-12)
    assert score.details["fell back to A"] * score.n == pytest.approx(wanted["fell_back_to_A"])


@pytest.mark.parametrize("choices", [False, True])
@pytest.mark.parametrize("dataset", SETS)
@pytest.mark.parametrize("system", SYSTEMS)
def test_ours_loses_nothing_but_the_origins_luck(test_data, mirage, questions, dataset, system, choices):
    """Each row that the origin reads right is read right; what falls back to A and hits is no reading."""
    pairs = answers(mirage, questions, dataset, system, choices=choices)
    origin, ours = letters.accuracy_letter_mirage(pairs), letters.accuracy_letter(pairs)
    assert ours.value >= origin.value - origin.details["right by falling back"] - 1e-12
    unread = round(ours.n * (1 - ours.details["parse-rate"]))
    assert unread <= golden(test_data, dataset, system)["fell_back_to_A"] + 10
    for (example, prediction), value in zip(pairs, ours.per_example, strict=True):
        if letter_mirage(prediction.text) == example.references[0]:
            assert value == 1, prediction.text


def test_bare_ids_and_letters_are_enough(run_bench, tmp_path):
    said = {"1": "The answer is B.", "2": "无法确定", "3": "故选D"}
    (tmp_path / "said.jsonl").write_text(
        "".join(json.dumps({"id": id, "text": text}) + "\n" for id, text in said.items())
    )
    (tmp_path / "gold.jsonl").write_text(
        '{"id": "2", "answer": "C"}\n{"id": "1", "answer": "B"}\n{"id": "3", "answer": "A"}\n'
    )
    metrics = "accuracy-letter,parse-rate,abstention,accuracy-letter@mirage"
    done = run_bench("score", "said.jsonl", "--references", "gold.jsonl", "--metrics", metrics, "--json")
    scores = json.loads(done.out)["scores"]
    found = [round(scores[name]["value"], 3) for name in metrics.split(",")]
    assert found == [0.333, 0.667, 0.333, 0.333]
    assert scores["accuracy-letter"]["details"]["right of what was read"] == 0.5


def test_choices_of_a_file_of_questions_are_read(run_bench, tmp_path):
    (tmp_path / "said.jsonl").write_text('{"id": "1", "text": "Heparin"}\n{"id": "2", "text": "E"}\n')
    (tmp_path / "gold.jsonl").write_text(
        '{"id": "1", "question": "?", "options": {"A": "Aspirin", "B": "Heparin"}, "answer": "B"}\n'
        '{"id": "2", "question": "?", "options": ["Aspirin", "Heparin"], "answer": "A"}\n'
    )
    done = run_bench(
        "score",
        "said.jsonl",
        "--references",
        "gold.jsonl",
        "--metrics",
        "accuracy-letter,parse-rate",
        "--json",
    )
    scores = json.loads(done.out)["scores"]
    assert [scores[n]["value"] for n in ("accuracy-letter", "parse-rate")] == [0.5, 0.5]


def test_references_may_be_texts_of_choices_or_letters():
    for reference in ("Heparin", "B"):
        example = Example("1", {}, (reference,), choices=("Aspirin", "Heparin"))
        pairs = Pairs([(example, Prediction("1", "B. Heparin"))])
        assert letters.accuracy_letter(pairs).value == choice.accuracy(pairs).value == 1


def test_labels_are_those_of_the_choices_that_answers_name():
    said = [("yes", "The answer is A."), ("no", "B"), ("no", "yes"), ("yes", "A or B"), ("no", "")]
    rows = [
        (Example(str(i), {}, (right,), choices=("yes", "no")), Prediction(str(i), text))
        for i, (right, text) in enumerate(said)
    ]
    yes, no = 2 * 1 / (2 + 2), 2 * 1 / (1 + 3)  # F1 of one right of 2 said and 2 there, and of 1 and 3
    assert choice.macro_f1(Pairs(rows)).value == pytest.approx((yes + no) / 2)


def test_several_right_choices_must_all_be_named():
    example = Example("1", {}, ("a1", "c1"), choices=("a1", "b1", "c1", "d1"))
    for said, wanted in (("AC", 1), ("答案是C、A", 1), ("A", 0), ("ABC", 0), ("", 0)):
        pairs = Pairs([(example, Prediction("1", said))])
        assert letters.multi_answer_exact(pairs).value == choice.accuracy(pairs).value == wanted
        assert letters.accuracy_letter(pairs).value == 0


def test_the_answer_that_a_task_read_counts_before_what_the_model_said():
    example = Example("1", {}, ("x1",), choices=("x1", "x2"))
    pairs = Pairs([(example, Prediction("1", "x1", "The answer is B."))])
    assert letters.accuracy_letter(pairs).value == 1


def test_letter_bias_counts_every_letter_and_leaves_out_what_is_unread():
    score = letters.letter_bias(make_pairs(["A", "A", "", "B"], ["A", "B", "C", "D"]))
    assert score.details["A: chosen minus right"] == pytest.approx(2 / 3 - 1 / 4)
    assert letters.letter_bias(make_pairs([""], ["A"])).value is None


def test_permutation_consistency_looks_at_texts_and_wants_every_order_read():
    def row(question, order, said):
        choices = ("x1", "x2") if order == 0 else ("x2", "x1")
        example = Example(f"{question}@{order}", {}, ("x1",), {"question": question}, choices=choices)
        return example, Prediction(example.id, said)

    rows = [row("a", 0, "A"), row("a", 1, "B"), row("b", 0, "A"), row("b", 1, "A")]
    assert letters.permutation_consistency(Pairs(rows)).value == 0.5
    assert letters.permutation_consistency(Pairs([row("c", 0, ""), row("c", 1, "")])).value == 0
    alone = letters.permutation_consistency(Pairs(rows[:1]))
    assert alone.value is None and "several orders" in alone.note


def test_a_score_is_also_told_for_each_group_of_rows():
    def row(id, said, language):
        example = Example(id, {}, ("A",), {"groups": {"language": language, "set": "one"}})
        return example, Prediction(id, said)

    pairs = Pairs([row("1", "A", "en"), row("2", "B", "en"), row("3", "A", "zh")])
    entry = next(card for card in harness_metrics() if card.name == "accuracy-letter")
    details = measure(pairs, {"accuracy-letter": (entry, letters.accuracy_letter)})["accuracy-letter"].details
    assert (details["language: en"], details["language: zh"]) == (0.5, 1)
    assert not any(part.startswith("set:") for part in details)
