"""`score`: metrics of saved answers, one column a file, with what was done to them said below."""

from __future__ import annotations

import csv
import json
import os
import sys
from pathlib import Path

import pytest

from harness import Example, MetricEntry, Prediction, Score
from harness.api.errors import LostProcess
from harness.api.example import Pairs
from harness.scoring.side_by_side import measure_all

TOY = ("--model", "toy", "--task", "toy")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Two files of answers to the same four references."""
    (tmp_path / "refs.txt").write_text("a b c d e\nf g h i j\nk l m n o\np q r s t\n")
    (tmp_path / "good.txt").write_text("a b c d e\nf g h i j\nk l m n o\np q r s t\n")
    (tmp_path / "half.txt").write_text("a b c d e\nf g h i j\nx\ny\n")
    return tmp_path


def table(out: str) -> dict[str, list[str]]:
    """Return the values of each metric, column by column."""
    lines = out.splitlines()
    rule = next(place for place, line in enumerate(lines) if line.startswith("---"))
    width = len(lines[rule].split()) - 1
    rows: dict[str, list[str]] = {}
    for line in lines[rule + 1 :]:
        parts = line.split()
        if len(parts) > width:
            rows[" ".join(parts[:-width])] = parts[-width:]
    return rows


REFS = ("--references", "refs.txt")


def test_files_stand_side_by_side_under_their_names(main, files):
    done = main("score", "good.txt", "half.txt", *REFS, "--metrics", "exact-match,rouge-l")
    assert done.code == 0, done.err
    assert done.out.splitlines()[0].split() == ["metric", "good", "half"]
    assert table(done.out)["exact-match"] == ["100.0000", "50.0000"]
    assert done.err == ""


def test_what_is_lower_is_better_is_marked(main, files):
    out = main("score", "half.txt", *REFS, "--metrics", "levenshtein").out
    assert "levenshtein ↓" in out


def test_a_metric_under_which_silence_wins_is_starred_and_explained(main, files):
    (files / "binary.txt").write_text("1\n0\n1\n0\n")
    out = main("score", "binary.txt", "--references", "binary.txt", "--metrics", "mcc").out
    assert out.splitlines()[2].startswith("mcc *")
    assert "* under this definition saying nothing can beat being wrong" in out


def test_intervals_stand_beside_the_value(main, files):
    out = main("score", "half.txt", *REFS, "--metrics", "exact-match", "--intervals").out
    assert "50.0000 [0.00, 100.00]" in out


def test_json_is_an_object_for_one_file_and_a_list_for_several(main, files):
    one = json.loads(main("score", "half.txt", *REFS, "--metrics", "exact-match", "--json").out)
    assert one["file"] == "half.txt"
    assert one["scores"]["exact-match"]["value"] == 0.5 and one["scores"]["exact-match"]["n"] == 4
    two = json.loads(main("score", "good.txt", "half.txt", *REFS, "--metrics", "exact-match", "--json").out)
    assert [entry["scores"]["exact-match"]["value"] for entry in two] == [1.0, 0.5]


def test_processes_share_the_files_and_change_no_bit(main, files, monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)  # it may be there from other tests
    asked = ("good.txt", "half.txt", "half.txt", *REFS, "--metrics", "bleu-4,rouge-l", "--json")
    alone = main("score", *asked, "--processes", "1")
    shared = main("score", *asked, "--processes", "2")
    assert shared.code == 0 and json.loads(shared.out) == json.loads(alone.out)
    assert main("score", *asked, "--processes", "0").err.startswith("error: --processes is 0")


def test_each_file_after_the_first_may_have_a_process_of_its_own(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    metrics = {
        "process": (MetricEntry("process", "", "here:it"), lambda pairs: Score("process", os.getpid(), 1))
    }
    pairs = Pairs([(Example("a", {}, ("x",)), Prediction("a", "x", "x"))])
    found = [scores["process"].value for scores in measure_all([pairs, pairs, pairs], metrics, 2)]
    assert found[0] == os.getpid() and os.getpid() not in found[1:]
    monkeypatch.setitem(sys.modules, "torch", object())
    assert {scores["process"].value for scores in measure_all([pairs] * 3, metrics, 2)} == {os.getpid()}


def test_a_process_that_is_lost_is_one_sentence(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    here = os.getpid()

    def dies(pairs: Pairs) -> Score:
        if os.getpid() != here:
            os._exit(9)
        return Score("dies", 1.0, 1)

    pairs = Pairs([(Example("a", {}, ("x",)), Prediction("a", "x", "x"))])
    with pytest.raises(LostProcess, match="scored one of the files is gone"):
        measure_all([pairs, pairs, pairs], {"dies": (MetricEntry("dies", "", "here:it"), dies)}, 2)


def test_every_other_definition_is_shown_with_its_source(main, files):
    out = main("score", "half.txt", *REFS, "--metrics", "bleu-4@split", "--all-variants").out
    assert {"bleu-4@split", "bleu-4"} <= {name.removesuffix(" *") for name in table(out)}
    assert any(line.startswith("bleu-4@split: ") and line.endswith("]") for line in out.splitlines())


def test_a_definition_that_nobody_asked_for_by_name_may_lack_its_library(main, files, monkeypatch):
    from harness import MissingDependency
    from harness.engine.registry import Registered

    load = Registered.load

    def lacking(self):
        if self.entry.name == "bleu-4@t5":
            raise MissingDependency("it needs sentencepiece", hint="pip install sentencepiece")
        return load(self)

    monkeypatch.setattr(Registered, "load", lacking)
    done = main("score", "half.txt", *REFS, "--metrics", "bleu-4@split", "--all-variants")
    assert done.code == 0
    assert "bleu-4@t5: it needs sentencepiece; pip install sentencepiece" in done.out
    done = main("score", "half.txt", *REFS, "--metrics", "bleu-4@t5")
    assert done.code == 3 and "hint: pip install sentencepiece" in done.err


def test_rows_become_a_table_whose_form_is_its_suffix(main, files):
    command = ("score", "half.txt", *REFS, "--metrics", "exact-match,bleu-4")
    assert main(*command, "--per-example", "rows.csv").code == 0
    assert main(*command, "--per-example", "rows.tsv").code == 0
    with Path("rows.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["exact-match"] for row in rows] == ["1.0", "1.0", "0.0", "0.0"]
    assert rows[2]["answer"] == "x" and rows[2]["reference"] == "k l m n o"
    assert "bleu-4" not in rows[0]  # a metric of the whole set has no value of a row
    assert Path("rows.tsv").read_text().splitlines()[0] == "id\tinput\tanswer\treference\texact-match"


def test_a_table_of_rows_that_cannot_be_written_is_a_sentence(main, files):
    done = main("score", "half.txt", *REFS, "--metrics", "exact-match", "--per-example", "no/rows.csv")
    assert done.code == 4 and "error: cannot write no/rows.csv: No such file or directory" in done.err


def test_a_note_of_a_file_is_named_after_it_only_where_there_are_several(main, files):
    (files / "more.jsonl").write_text('{"id": "1", "prediction": "a", "references": ["a"]}\n')
    (files / "gaps.jsonl").write_text('{"id": "1", "prediction": "a"}\n{"id": "2", "prediction": "b"}\n')
    (files / "known.jsonl").write_text("".join(f'{{"id": "{n}", "references": ["a"]}}\n' for n in (1, 2, 3)))
    command = ("score", "gaps.jsonl", "--references", "known.jsonl", "--metrics", "exact-match")
    done = main(*command)
    assert done.code == 4 and "'3'" in done.err
    done = main(*command, "--allow-missing")
    assert done.code == 0 and table(done.out)["exact-match"] == ["33.3333"]


def test_parts_of_a_score_are_rows_below_it(main, files):
    rows = [
        {"id": str(n), "prediction": "a", "references": ["a" if n else "b"], "meta": {"groups": {"kind": k}}}
        for n, k in enumerate(["x", "x", "y"])
    ]
    (files / "kinds.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = main("score", "kinds.jsonl", "--metrics", "exact-match", "--parts")
    assert done.code == 0, done.err
    found = table(done.out)
    assert found["exact-match"] == ["66.6667"]
    assert found["kind: x"] == ["50.0000"] and found["kind: y"] == ["100.0000"]


def test_a_run_is_scored_against_its_own_task_with_its_options_and_rows(main):
    done = main("--model", "baseline/random", "--task", "toy-choice", "--set", "task.permute=3", "--json")
    assert done.code == 0, done.err
    run = json.loads(done.out)["runs"][0]
    again = json.loads(main("score", run["directory"], "--json").out)
    for name, score in run["scores"].items():
        assert again["scores"][name]["value"] == score["value"]


def test_a_run_of_the_first_rows_is_scored_on_those(main):
    run = json.loads(main(*TOY, "--limit", "5", "--json").out)["runs"][0]
    (score,) = json.loads(main("score", run["directory"], "--json").out)["scores"].values()
    assert score["n"] == 5 and score["value"] == run["scores"]["letter-accuracy"]["value"]


def test_thoughts_between_the_tags_of_a_run_are_left_out_of_its_answers_again(main, write_plugin):
    plugin = write_plugin(
        """
        from harness import Answers, ModelEntry, ModelPlugin, hookimpl

        class Thinks(ModelPlugin):
            def open(self, checkpoint, run):
                return Answers(lambda request: "<think>long thoughts</think>ehubooxp")

        @hookimpl
        def harness_models():
            return [ModelEntry("thinks", "thinks aloud", f"{__name__}:Thinks", stages=())]
        """
    )
    tags = ("--set", 'generate.reasoning=["<think>", "</think>"]')
    done = main("--model", "thinks", "--task", "toy", *tags, "--plugin", plugin, "--json")
    run = json.loads(done.out)["runs"][0]
    again = json.loads(main("score", run["directory"], "--plugin", plugin, "--json").out)
    value = again["scores"]["letter-accuracy"]["value"]
    assert value == run["scores"]["letter-accuracy"]["value"] > 0.05


def test_a_run_scored_with_other_metrics_needs_no_task(main):
    run = json.loads(main(*TOY, "--json").out)["runs"][0]
    done = main("score", run["directory"], "--metrics", "exact-match")
    assert done.code == 0 and "exact-match" in done.out


def test_the_same_model_over_several_seeds_is_scored_in_one_table(main):
    runs = json.loads(main(*TOY, "--seeds", "1,2", "--json").out)["runs"]
    done = main("score", *(run["directory"] for run in runs))
    assert done.code == 0, done.err
    values = [f"{100 * run['scores']['letter-accuracy']['value']:.4f}" for run in runs]
    assert table(done.out)["letter-accuracy"] == values


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("good.txt",), 2, "nothing says what to score with"),
        (("good.txt", "--metrics", "leter"), 2, "no metric named 'leter'"),
        (("good.txt", "--task", "toi"), 2, "no task named 'toi'"),
        (("good.txt", "half.txt", "--metrics", "validity", "--per-example", "x.csv"), 2, "one file"),
        (("good.txt", "--task", "toy", "--data", "a", "--data", "b"), 2, "score takes one --data"),
        (("absent.txt", "--metrics", "validity"), 4, "there is nothing at absent.txt"),
        (("good.txt", "--metrics", "exact-match", "--references", "absent"), 4, "there is nothing at absent"),
        (("good.txt", "--metrics", "exact-match"), 4, "has no reference"),
        (("good.txt", "--task", "toy"), 4, "good.txt has 4 lines, toy has 23 rows"),
        ((".", "--metrics", "validity"), 4, "holds no predictions.jsonl"),
    ],
)
def test_what_cannot_be_scored_is_one_sentence(main, files, arguments, code, said):
    done = main("score", *arguments)
    assert done.code == code
    assert said in done.err and "Traceback" not in done.err and done.out == ""


def test_what_needs_no_reference_is_scored_without(main, files):
    (files / "smiles.txt").write_text("CCO\nC(C\n")
    out = main("score", "smiles.txt", "--metrics", "validity").out
    assert table(out)["validity"] == ["50.0000"]
