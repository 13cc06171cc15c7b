"""What training gives away is counted, and the rest is scored beside the whole."""

import json

from harness import Example, Pairs, Prediction, Score, Task
from harness.engine.clean_subset import clean_subset, told


class Names(Task):
    def examples(self, split):
        yield from ()

    def seen_in_training(self, train, rows):
        known = {example.inputs["name"] for example in train}
        return {"name": frozenset(row.id for row in rows if row.inputs["name"] in known)}


class Silent(Task):
    def examples(self, split):
        yield from ()


def share_right(pairs):
    right = [float(prediction.text == example.references[0]) for example, prediction in pairs]
    return {"right": Score("right", sum(right) / len(right), len(right))}


def rows(*names):
    return [Example(name, {"name": name}, (name,)) for name in names]


def answered(examples, *right):
    return Pairs([(e, Prediction(e.id, e.id if e.id in right else "?")) for e in examples])


def test_clean_rows_are_scored_beside_all_rows():
    pairs = answered(rows("a", "b", "c", "d"), "a", "b", "c")
    facts = clean_subset(Names(), rows("a", "x"), pairs, share_right)
    assert facts["counts"] == {"name": 1}
    assert (facts["rows"], facts["clean_rows"]) == (4, 3)
    assert facts["clean_scores"] == {"right": 2 / 3}
    assert told(facts, {"right": 100.0}) == (
        "1 of 4 rows are given away by training rows (name 1); on the other 3: right 66.7",
    )


def test_nothing_given_away_is_recorded_and_not_told():
    facts = clean_subset(Names(), rows("x"), answered(rows("a")), share_right)
    assert facts == {"counts": {"name": 0}, "rows": 1, "clean_rows": 1}
    assert told(facts, {}) == ()


def test_everything_given_away_leaves_nothing_to_score():
    facts = clean_subset(Names(), rows("a"), answered(rows("a")), share_right)
    assert "clean_scores" not in facts
    assert told(facts, {}) == ("1 of 1 rows are given away by training rows (name 1)",)


def test_a_task_that_cannot_tell_records_nothing():
    assert clean_subset(Silent(), rows("a"), answered(rows("a")), share_right) == {}
    assert told({}, {}) == ()


def test_a_comparison_that_fails_costs_no_numbers():
    class Broken(Silent):
        def seen_in_training(self, train, rows):
            raise KeyError("smiles")

    facts = clean_subset(Broken(), rows("a"), answered(rows("a")), share_right)
    assert told(facts, {}) == ("what training rows give away could not be found (KeyError: 'smiles')",)


def test_a_run_records_what_training_gives_away(run_bench, tmp_path):
    for split, smiles in (("train", ["CCO", "CCN", "CCC"]), ("test", ["OCC", "CCCl"])):
        text = "".join(f"{s}\tThe molecule of row {i} in {split}.\n" for i, s in enumerate(smiles))
        (tmp_path / f"{split}.tsv").write_text("SMILES\tdescription\n" + text)
    options = ("--metrics", "validity", "--output", tmp_path / "runs")
    task = ("--task", "chebi20/text2smiles", "--data", tmp_path)
    done = run_bench("--model", "baseline/random", *task, *options)
    assert done.code == 0, done.err
    assert "1 of 2 rows are given away by training rows (inchikey 1, connectivity 1)" in done.out
    (path,) = (tmp_path / "runs").rglob("record.json")
    overlap = json.loads(path.read_text())["overlap"]
    assert (overlap["rows"], overlap["clean_rows"], overlap["clean_scores"]) == (2, 1, {"validity": 1.0})
