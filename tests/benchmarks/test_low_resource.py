"""The low-resource experiment keeps the test out of what is learned, and says what it cannot do."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import pytest

from benchmarks import report
from benchmarks.low_resource import __main__ as experiment
from benchmarks.low_resource import material

ACIDS = [f"OC(=O){'C' * length}{end}" for length in range(1, 11) for end in ("Cl", "Br", "N", "F")]


@pytest.fixture
def files(tmp_path):
    """Return forty described molecules, and a test of two others and of one that is among the forty."""
    rows = [
        f"{i}\t{smiles}\tThe molecule is an acid, number {i} of many." for i, smiles in enumerate(ACIDS, 1)
    ]
    pairs, test = tmp_path / "few_pairs.tsv", tmp_path / "chebi20" / "test.txt"
    pairs.write_text("CID\tSMILES\tdescription\n" + "\n".join(rows) + "\n", encoding="utf-8")
    test.parent.mkdir()
    asked = ["91\tCCO\tThe molecule is an alcohol.", "92\tCCN\tThe molecule is an amine."]
    test.write_text("CID\tSMILES\tdescription\n" + "\n".join([*asked, f"93{rows[0][1:]}"]) + "\n")
    return pairs, test.parent


def texts(path):
    return [json.loads(line)["smiles"] for line in path.read_text(encoding="utf-8").splitlines()]


def test_real_pairs_are_parted_into_validation_described_and_undescribed(files):
    made = material.of_pairs(*files)
    parts = [{row.smiles for row in part} for part in (made.validation, made.describable, made.undescribed)]
    assert [len(part) for part in parts] == [4, 18, 18] and set().union(*parts) == set(ACIDS)
    again = material.of_pairs(*files)
    assert list(again.describable) == list(made.describable)


def test_pseudo_captions_are_of_no_test_or_validation_molecule_and_learned_beside_the_pairs(files, tmp_path):
    made = material.of_pairs(*files)
    leaking = replace(made.undescribed[0], smiles=ACIDS[0])
    undescribed = [leaking, made.validation[0], *made.undescribed[:3]]
    made = material.Material(made.describable, undescribed, made.validation, made.test, made.name)
    share = material.write(tmp_path / "work", made, 9)
    known = [row.smiles for row in made.describable[:9]]
    pseudo = texts(share.pseudo / "train.jsonl")
    assert pseudo and set(pseudo).isdisjoint({ACIDS[0], made.validation[0].smiles, *known})
    assert texts(share.folder / "train.jsonl") == known
    assert texts(share.mixed / "train.jsonl") == [*known, *pseudo]
    assert texts(share.mixed / "validation.jsonl") == texts(share.folder / "validation.jsonl")
    assert (share.folder / "test.txt").read_bytes() == made.test.read_bytes()


def ask(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["low_resource", *map(str, arguments)])
    experiment.main()


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--pairs", "{pairs}"], "--pairs and --test go together"),
        (["--pairs", "absent.tsv", "--test", "{test}"], "there is no file of pairs at absent.tsv"),
        (["--pairs", "{test}/test.txt", "--test", "absent"], "there is no test at absent"),
        (
            ["--pairs", "{pairs}", "--test", "{test}"],
            "0.01 of 18 pairs that may be described is not one pair",
        ),
        (["--pairs", "{broken}", "--test", "{test}"], "expected a SMILES, found '2'"),
        (["--shares", "0.1,two"], "is no list of numbers"),
        (["--shares", "1.5"], "above 0 and up to 1"),
        (["--task", "chebi20/smiles2text"], "is tested with --pairs"),
    ],
)
def test_what_cannot_be_asked_is_one_sentence(files, tmp_path, monkeypatch, capsys, arguments, said):
    broken = tmp_path / "broken.tsv"
    broken.write_text("a\tb\n1\t2\n")
    places = {"pairs": files[0], "test": files[1], "broken": broken}
    with pytest.raises(SystemExit) as stopped:
        ask(monkeypatch, *(argument.format(**places) for argument in arguments))
    assert stopped.value.code in (2, 4)
    printed = capsys.readouterr().err
    assert printed.count("error: ") == 1 and said in printed and "Traceback" not in printed


def test_each_way_starts_from_the_same_weights_and_takes_the_same_number_of_updates(tmp_path, monkeypatch):
    line = ["x", "--pairs", "p.tsv", "--test", "t", "--preset", "small", "--steps", "100"]
    monkeypatch.setattr(sys, "argv", line)
    data = material.Share(["--data", "d"], tmp_path / "pseudo", tmp_path / "mixed", tmp_path)
    found = experiment.ways(experiment.arguments(), data)
    for way, recipe in (("real", "small"), ("aug", "small-aug"), ("ada", "small-ada")):
        options = found[way]
        assert options[options.index("--preset") + 1] == recipe
        assert "model.weights=google/t5-v1_1-small" in options
        steps = [int(text.rpartition("=")[2]) for text in map(str, options) if "max_steps=" in text]
        assert sum(steps) == 100


@pytest.mark.slow  # what is learned from, and from what it starts, is covered above
def test_the_whole_experiment_on_few_pairs(files, tmp_path, monkeypatch):
    monkeypatch.setattr(report, "RESULTS", tmp_path / "results")
    pairs, test = files
    options = {"--pairs": pairs, "--test": test, "--shares": "1", "--steps": "6", "--seeds": "0,1"}
    ask(monkeypatch, *(part for pair in options.items() for part in pair), "--output", tmp_path)
    made = json.loads((tmp_path / "results" / "low_resource_chebi20.json").read_text())
    assert [(row["way"], row["seed"]) for row in made["rows"]] == [
        ("nearest", ""),
        *((way, seed) for way in ("real", "aug", "ada") for seed in (0, 1)),
    ]
    assert [bool(row["p"]) for row in made["rows"]] == [False] * 3 + [True] * 4
    assert {row["unseen"].rpartition(" ")[2] for row in made["rows"]} <= {"(2)", "(3)"}
    assert str(tmp_path) not in json.dumps(made) and "18 may be described" in made["method"].replace(
        "\n", " "
    )
    (tmp_path / "results" / "low_resource_chebi20_overlap.md").read_text()
