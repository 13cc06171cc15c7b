"""`score` prints, writes and compares saved answers in every way that its flags offer."""

import csv
import json

import pytest

from harness.cli.main import main as program

ROWS = [
    ("the acid is a strong poison", "the acid is a poison"),
    ("a lipid inhibits the enzyme", "a lipid inhibits the enzyme"),
    ("it has a role as a drug", ""),
    ("a base and an acid", "an acid and a base"),
]
# Equal only by stems, synonyms, irregular forms, capitals and doubled words.
METEOR = [
    ("it inhibits enzymes", "it inhibit enzyme"),
    ("the drug acts as a poison", "the drug acts as a toxicant"),
    ("mice were given a medicine", "a mouse was given medication"),
    ("the the acid the acid", "acid the acid the the"),
    ("dogs ran from the geese in May", "a dog runs from a goose in may"),
    ("a big car is better", "a large automobile is good"),
    ("An Acid.", "an acid."),
]


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "answers.tsv"
    lines = ["SMILES\tground truth\toutput", *(f"C\t{wanted}\t{said}" for wanted, said in ROWS)]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def score(capsys):
    def run(*args):
        code = program(["score", *map(str, args)])
        printed = capsys.readouterr()
        assert code == 0, printed.err
        return printed.out

    return run


def scores(printed):
    return json.loads(printed)["scores"]


def test_json_holds_values_rows_and_details(score, saved):
    found = scores(score(saved, "--metrics", "rouge-1,bleu-2", "--json"))
    assert list(found) == ["rouge-1", "bleu-2"]
    assert 0 < found["rouge-1"]["value"] < 1 and found["rouge-1"]["n"] == 4
    assert found["rouge-1"]["interval"] is None


def test_several_files_stand_side_by_side(score, saved, tmp_path):
    other = tmp_path / "other.tsv"
    other.write_text(saved.read_text())
    printed = score(saved, other, "--metrics", "rouge-1")
    assert printed.splitlines()[0].split() == ["metric", "answers", "other"]
    parts = json.loads(score(saved, other, "--metrics", "rouge-1", "--json"))
    assert parts[0]["scores"] == parts[1]["scores"]


def test_intervals_surround_the_value_and_come_from_a_seed(score, saved):
    args = (saved, "--metrics", "rouge-1,bleu-2,meteor,chrf,levenshtein", "--intervals", "--json")
    found = scores(score(*args))
    for name, part in found.items():
        low, high = part["interval"]
        assert low <= part["value"] <= high, name
    assert scores(score(*args)) == found
    assert "[" in score(*args[:-1])


@pytest.mark.parametrize("name", ["bleu-2", "bleu-4", "rouge-1", "rouge-2", "rouge-l", "rouge-lsum"])
def test_the_reference_libraries_give_the_same_to_the_last_bit(score, saved, name):
    pytest.importorskip("nltk" if name.startswith("bleu") else "rouge_score")
    mine = scores(score(saved, "--metrics", name, "--json"))[name]["value"]
    theirs = scores(score(saved, "--metrics", name, "--reference", "--json"))[name]["value"]
    assert mine == theirs


@pytest.fixture
def wordnet():
    """Let NLTK find WordNet 3.0, which NLTK_DATA has to name."""
    corpus = pytest.importorskip("nltk.corpus").wordnet
    try:
        corpus.ensure_loaded()
    except LookupError:
        pytest.skip("NLTK finds no WordNet 3.0: NLTK_DATA names no folder with corpora/wordnet")


@pytest.mark.usefixtures("wordnet")
@pytest.mark.parametrize("name", ["meteor", "meteor@scibert"])
def test_meteor_is_nltks_to_the_last_bit(score, tmp_path, name, test_data, monkeypatch):
    monkeypatch.setenv("HARNESS_TEST_DATA", str(test_data))
    if name == "meteor@scibert":
        pytest.importorskip("transformers")
    path = tmp_path / "rows.tsv"
    rows = [*ROWS, *METEOR]
    lines = ["SMILES\tground truth\toutput", *(f"C\t{wanted}\t{said}" for wanted, said in rows)]
    path.write_text("\n".join(lines) + "\n")
    out = tmp_path / "values.tsv"
    mine = score(path, "--metrics", name, "--per-example", out), out.read_text()
    theirs = score(path, "--metrics", name, "--reference", "--per-example", out), out.read_text()
    assert mine == theirs


def test_a_metric_without_a_reference_library_is_refused_by_name(saved, capsys):
    assert program(["score", str(saved), "--metrics", "validity", "--reference"]) == 2
    assert "no reference implementation of 'validity'" in capsys.readouterr().err


def test_all_variants_print_every_definition_and_why_they_differ(score, saved):
    printed = score(saved, "--metrics", "rouge-1", "--all-variants")
    assert "rouge-1@zh" in printed
    assert "F1 of words, no stemming" in printed and "Characters without white space." in printed
    bleu = score(saved, "--metrics", "bleu-2", "--all-variants")
    assert "under this definition saying nothing can beat being wrong" in bleu


def test_per_example_writes_each_rows_values_as_a_table(score, saved, tmp_path):
    out = tmp_path / "rows.tsv"
    found = scores(score(saved, "--metrics", "rouge-1,bleu-2", "--per-example", out, "--json"))
    with out.open(newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    values = [float(row["rouge-1"]) for row in rows]
    assert values[1] == 1.0 and values[2] == 0.0
    assert sum(values) / 4 == pytest.approx(found["rouge-1"]["value"])
    assert "bleu-2" not in rows[0]  # a corpus metric has no value of single rows


def test_per_example_of_several_files_is_refused(saved, capsys, tmp_path):
    assert program(["score", str(saved), str(saved), "--metrics", "rouge-1", "--per-example", "x"]) == 2
    assert "one file" in capsys.readouterr().err


def test_references_come_from_their_own_file(score, tmp_path):
    answers, references = tmp_path / "said.txt", tmp_path / "wanted.txt"
    answers.write_text("an acid\na base\n")
    references.write_text("an acid\na salt\n")
    found = scores(score(answers, "--references", references, "--metrics", "exact-match", "--json"))
    assert found["exact-match"]["value"] == 0.5


def test_a_run_keeps_what_calibration_needs_to_be_scored_again(main, tmp_path):
    command = ("--model", "baseline/frequent", "--task", "promoter", "--metrics", "accuracy,ece,brier")
    first = main(*command, "--json")
    assert first.code == 0, first.err
    (predictions,) = tmp_path.glob("runs/promoter/*/*/predictions.jsonl")
    recorded = json.loads((predictions.parent / "scores.json").read_text())
    again = main("score", predictions.parent, "--task", "promoter", "--metrics", "ece,brier", "--json")
    assert again.code == 0, again.err
    found = scores(again.out)
    assert found["ece"]["value"] is not None
    for name in ("ece", "brier"):
        assert found[name]["value"] == recorded[name]["value"]
