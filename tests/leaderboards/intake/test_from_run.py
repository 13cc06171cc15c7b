"""A run fills in its submission: what it knows is there, and no machine's folders are."""

import gzip
import json

import pytest

from harness import DataError, UsageError
from harness.files.finished import digests, write_record
from harness.files.json_files import write_sealed
from harness.files.rows import write_rows
from harness.leaderboards.intake.from_run import find_runs, from_run
from harness.leaderboards.intake.submission import checked_about, outputs_as_bytes, read_outputs

from ..conftest import change, say


def test_a_run_says_what_it_is_without_a_folder_of_its_machine(run):
    made = from_run(run)
    assert made.outputs["a"].text == " said " and made.name == "m (tiny)"
    assert made.about["model"] == {
        "plugin": "m", "preset": "tiny", "base": "base", "weights_digest": "c", "parameters": 206,
    }  # fmt: skip
    assert made.about["data"] == {"source": "words", "digest": "d"}
    assert len(made.about["curve"]) == 200 and made.about["curve"][0] == [1.0, 1.0]
    text = json.dumps(dict(made.about))
    assert "/home" not in text and "/gone" not in text and "secret-tool" not in text
    assert made.evidence["trust"] == "trained"


def said(run, row, **facts):
    write_rows(run / "completions.jsonl", [{"request_id": "a", "text": " said ", **row}])
    say(run, {"id": "a", "raw": " said ", **facts})
    outputs = from_run(run).outputs
    again = read_outputs(gzip.decompress(outputs_as_bytes(outputs, "a")), "it")
    assert again["a"].evidence == outputs["a"].evidence
    return outputs["a"].evidence


def test_an_answer_that_rests_on_nothing_by_its_own_word_stays_so_on_a_board(run):
    assert said(run, {"evidence": []}, evidence=[]) == ()
    assert said(run, {}, evidence=[]) is None
    assert said(run, {}, evidence=["shown"]) == ("shown",)


def test_a_run_says_what_its_training_rows_give_away_and_no_folder_in_a_setting(run):
    found = {"counts": {"smiles": 2}, "rows": 9, "clean_rows": 7, "clean_scores": {"exact": 0.5}}
    change(run, overlap=found, command=["run-bench", "--set", "train.data=/home/me/data/mixed"])
    about = from_run(run).about
    assert about["overlap"] == found and about["command"][-1] == "train.data=mixed"
    checked_about(json.dumps(dict(about)).encode(), "it")
    change(run, overlap={"failed": "ValueError: why"})
    assert "overlap" not in from_run(run).about


def test_a_template_is_shown_and_a_prompt_made_by_hand_is_not(run):
    environment = json.loads((run / "record.json").read_text())["environment"]
    change(run, environment=environment | {"prompt_template": "Say {word}:"})
    assert from_run(run).about["prompt"] == "Say {word}:"
    change(run, environment=environment | {"first_prompt": "Say this row of the data:"})
    assert "prompt" not in from_run(run).about


def test_a_run_is_of_the_series_that_its_record_names(run):
    assert from_run(run).about["series"] == "s"
    change(run, series="another")
    assert from_run(run).about["series"] == "another"


def test_an_adapter_is_not_counted_as_the_model_and_no_training_is_only_reproduced(run):
    trained = run.parents[2] / "trained/m/20260101-aaaa"
    write_sealed(trained / "checkpoint.json", {"path": "checkpoint", "format": "adapter"})
    assert "parameters" not in from_run(run).about["model"]
    change(run, training=[])
    assert from_run(run).evidence["trust"] == "reproduced"


def test_what_is_no_run_is_said(run, tmp_path):
    with pytest.raises(UsageError, match="no finished run"):
        from_run(tmp_path)
    with pytest.raises(UsageError, match="no folder of runs"):
        list(find_runs(tmp_path / "absent"))
    write_record(run, {"files": digests(run)})
    with pytest.raises(DataError, match="not the record of a run"):
        from_run(run)


def test_the_training_of_a_group_member_is_found_beside_runs_that_moved(run, tmp_path):
    deeper = tmp_path / "runs" / "words" / "backwards" / "m" / run.name
    deeper.parent.mkdir(parents=True)
    run.rename(deeper)
    assert from_run(deeper).about["model"]["parameters"] == 206


def test_a_run_of_a_model_that_learned_from_rewards_stands_apart(run):
    change(run, notes=["trained with rewards: metric:morgan"])
    assert from_run(run).about["name"] == "m (tiny), trained with rewards"
    assert from_run(run, "mine").about["name"] == "mine, trained with rewards"
    assert from_run(run, "mine, trained with rewards").about["name"] == "mine, trained with rewards"
