"""What training gives away is counted, and the rest is scored beside the whole."""

import json

from harness import Completion, Example, MetricEntry, Prediction, Request, Score, Task, TaskView
from harness.scoring.clean_subset import clean_subset


class Names(Task):
    def examples(self, split):
        yield from ()

    def seen_in_training(self, train, rows):
        known = {example.inputs["name"] for example in train}
        return {"name": frozenset(row.id for row in rows if row.inputs["name"] in known)}


class Silent(Task):
    def examples(self, split):
        yield from ()


def right(pairs):
    marks = [float(prediction.text == example.references[0]) for example, prediction in pairs]
    return Score("right", sum(marks) / len(marks), len(marks))


METRICS = {"right": (MetricEntry("right", "", "-"), right)}


def rows(*names):
    return [Example(name, {"name": name}, (name,)) for name in names]


def subset(task, train, examples, *known):
    """Return what is clean of answers that are right to the rows that are known."""
    view = TaskView(
        name="names",
        split="test",
        task=task,
        digest="",
        examples=examples,
        metrics=METRICS,
        request=lambda example: Request(example.id, ""),
        read=lambda example, said: Prediction(example.id, said.text),
        training=lambda: train,
    )
    said = {e.id: Completion(e.id, e.id if e.id in known else "?") for e in examples}
    return clean_subset(view, view.answered(said))


def test_clean_rows_are_scored_beside_all_rows():
    found = subset(Names(), rows("a", "x"), rows("a", "b", "c", "d"), "a", "b", "c")
    assert found.as_json() == {
        "counts": {"name": 1},
        "rows": 4,
        "clean_rows": 3,
        "clean_scores": {"right": 2 / 3},
    }
    assert found.told({"right": 100.0}) == (
        "1 of 4 rows are given away by training rows (name 1); on the other 3: right 66.7",
    )


def test_nothing_given_away_is_recorded_and_not_told():
    found = subset(Names(), rows("x"), rows("a"))
    assert found.as_json() == {"counts": {"name": 0}, "rows": 1, "clean_rows": 1}
    assert found.told({}) == ()


def test_everything_given_away_leaves_nothing_to_score():
    found = subset(Names(), rows("a"), rows("a"))
    assert "clean_scores" not in found.as_json()
    assert found.told({}) == ("1 of 1 rows are given away by training rows (name 1)",)


def test_a_task_that_cannot_tell_records_nothing():
    found = subset(Silent(), rows("a"), rows("a"))
    assert found.as_json() == {} and found.told({}) == ()


def test_a_comparison_that_fails_costs_no_numbers():
    class Broken(Silent):
        def seen_in_training(self, train, rows):
            raise KeyError("smiles")

    found = subset(Broken(), rows("a"), rows("a"))
    assert found.told({}) == ("what training rows give away could not be found (KeyError: 'smiles')",)
    assert found.as_json() == {"failed": "KeyError: 'smiles'"}


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
