"""Rows of a board as Every Eval Ever files, and those files taken in again."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from harness import DataError, UsageError
from harness.leaderboards.board.build import build, hand_in
from harness.leaderboards.board.store import Store
from harness.leaderboards.exchange import eee, incoming
from harness.leaderboards.exchange.standing import standing

from ..conftest import make_submission, make_view

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
TERMS = eee.Terms("Our Lab", with_rows=True)


def exported(store, opened, folder, terms=TERMS):
    """Export every row of a board; return the files of scores."""
    rows = standing(store, build(store))
    return [done.path for done in eee.export(rows, store, opened, terms, folder, NOW)]


@pytest.fixture
def board(store, view, opened):
    about = {"run_id": "20261128-101500-abcd", "generation": {"temperature": 0.5, "max_new_tokens": 8}}
    hand_in(store, "good", make_submission(view, 0.8, "good", seed=1, **about), opened)
    return store


def lines_of(path: Path) -> list[dict]:
    text = path.with_name(f"{path.stem}_samples.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_a_row_is_written_in_their_layout_with_intervals_and_hashes(board, opened, tmp_path):
    (path,) = exported(board, opened, tmp_path / "out")
    place = path.relative_to(tmp_path / "out")
    assert place.parts[:4] == ("data", "words", "unknown", "good")
    facts = json.loads(path.read_text())
    row = next(board.row_folders())
    scores = json.loads((row / "scored.json").read_text())["scores"]
    told = {result["metric_config"]["metric_id"]: result for result in facts["evaluation_results"]}
    for name, score in scores.items():
        details = told[name]["score_details"]
        ends = details["uncertainty"]["confidence_interval"]
        assert (details["score"], [ends["lower"], ends["upper"]]) == (score["value"], score["interval"])
        assert details["uncertainty"]["num_bootstrap_samples"] == 10_000
    assert told["exact"]["metric_config"]["lower_is_better"] is False
    assert told["length-error"]["metric_config"]["max_score"] == "Infinity"
    assert facts["evaluation_timestamp"].startswith("2026-11-28T10:15")
    arguments = told["exact"]["generation_config"]["generation_args"]
    assert arguments == {"temperature": 0.5, "max_tokens": 8}
    beside = facts["detailed_evaluation_results"]
    data = (tmp_path / "out" / beside["file_path"]).read_bytes()
    assert beside["checksum"] == hashlib.sha256(data).hexdigest()
    rows = lines_of(path)
    assert beside["total_rows"] == len(rows) == 2 * 200
    exact = [row for row in rows if row["evaluation_result_id"] == "words: exact"]
    assert sum(row["evaluation"]["is_correct"] for row in exact) / 200 == scores["exact"]["value"]


def test_both_files_follow_the_schemas_and_pass_the_package_s_own_validator(board, opened, tmp_path):
    (path,) = exported(board, opened, tmp_path)
    folder = resources.files("harness.leaderboards.exchange")
    aggregate, sample = (
        Draft7Validator(json.loads((folder / f"{name}.schema.json").read_text()))
        for name in ("aggregate", "sample")
    )
    aggregate.validate(json.loads(path.read_text()))
    for row in lines_of(path)[:20]:
        sample.validate(row)
    validate = pytest.importorskip(
        "every_eval_ever.validate", reason="every-eval-ever asks for Python 3.12; the schemas were checked"
    )
    terms = replace(TERMS, developer="somebody")
    (path,) = exported(board, opened, tmp_path / "named", terms)
    for file in (path, path.with_name(f"{path.stem}_samples.jsonl")):
        report = validate.validate_file(file)
        assert (report.errors, report.warnings) == ([], []), file


def test_the_shipped_schemas_are_those_of_the_package():
    package = pytest.importorskip("every_eval_ever", reason="every-eval-ever asks for Python 3.12")

    def bare(value):
        if isinstance(value, dict):
            kept = {k: v for k, v in value.items() if not (k == "description" and isinstance(v, str))}
            return {key: bare(each) for key, each in kept.items() if key != "title"}
        return [bare(each) for each in value] if isinstance(value, list) else value

    for ours, theirs in (("aggregate", "eval"), ("sample", "instance_level_eval")):
        mine = json.loads(
            (resources.files("harness.leaderboards.exchange") / f"{ours}.schema.json").read_text()
        )
        other = json.loads((resources.files(package) / "schemas" / f"{theirs}.schema.json").read_text())
        assert bare(mine) == bare(other)


def test_rows_of_the_data_stay_at_home_unless_they_are_asked_for(board, opened, view, tmp_path):
    (path,) = exported(board, opened, tmp_path, eee.Terms("Our Lab"))
    row = lines_of(path)[0]
    assert row["input"] == {"raw": "", "reference": []} and "left out" in row["metadata"]["rows"]
    example = next(example for example in view.examples if example.id == row["sample_id"])
    whole = view.request(example).prompt + example.references[0]
    assert row["sample_hash"] == hashlib.sha256(whole.encode()).hexdigest()


def test_a_made_up_sample_never_bears_the_name_of_the_real_data_set(store, tmp_path):
    view = make_view(30, sample=True)
    hand_in(store, "a", make_submission(view, 0.5), lambda *a, **k: view)
    (path,) = exported(store, lambda *a, **k: view, tmp_path, eee.Terms("Our Lab"))
    facts = json.loads(path.read_text())
    assert path.relative_to(tmp_path).parts[1] == "words-made-up-sample"
    for result in facts["evaluation_results"]:
        assert result["evaluation_name"] == "words (made-up sample)"
        assert result["source_data"]["dataset_name"] == "words (made-up sample)"
        assert "made up" in result["source_data"]["additional_details"]["made_up"]
    with pytest.raises(DataError, match="made-up sample"):
        incoming.reported(incoming.read(path), "words", "test", {})


def test_the_same_row_is_written_to_the_same_files_again(board, opened, tmp_path):
    (first,), (again,) = exported(board, opened, tmp_path), exported(board, opened, tmp_path)
    assert first == again and list((tmp_path / "data").rglob("*.json")) == [first]


def test_without_the_answers_or_the_data_the_scores_go_alone_and_say_so(board, opened, tmp_path):
    def nowhere(*_, **__):
        raise DataError("the data of words is not here")

    rows = standing(board, build(board))
    (done,) = eee.export(rows, board, nowhere, TERMS, tmp_path / "out", NOW)
    assert done.samples == 0 and "the data of words is not here" in done.note
    assert "detailed_evaluation_results" not in json.loads(done.path.read_text())


def test_scores_that_are_not_the_board_s_are_not_exported_as_answers(board, opened, tmp_path):
    scored = next(board.row_folders()) / "scored.json"
    facts = json.loads(scored.read_text())
    facts["scores"]["exact"]["value"] += 0.01
    scored.write_text(json.dumps(facts))
    (done,) = eee.export(standing(board, build(board)), board, opened, TERMS, tmp_path / "out", NOW)
    assert done.samples == 0 and "exact is not what the board holds" in done.note


def test_a_row_that_there_is_not_is_named_with_the_nearest(board):
    with pytest.raises(UsageError, match="has a row 'god'"):
        list(standing(board, build(board), ["god"]))


def test_an_exported_row_comes_back_the_same(board, opened, tmp_path):
    (path,) = exported(board, opened, tmp_path)
    found = incoming.read(path)
    made = incoming.submission(found, incoming.answers_of(found), "", "test", "")
    other = Store(tmp_path / "theirs")
    added = hand_in(other, str(path), made, opened)
    (before,) = (board.row(folder) for folder in board.row_folders())
    after = other.row(added.folder)
    assert after.facts["scores"] == before.facts["scores"] and after.id == before.id
    assert after.about["origin"]["form"] == "eee" and not after.evidence


def foreign(path: Path, **changes) -> Path:
    """Write a file of scores as another program would, with its answers beside it."""
    facts = {
        "schema_version": "0.3.0",
        "evaluation_id": "e/m/1",
        "retrieved_timestamp": "1",
        "source_metadata": {
            "source_type": "evaluation_run",
            "source_organization_name": "Them",
            "evaluator_relationship": "third_party",
        },
        "eval_library": {"name": "lm_eval", "version": "0.4"},
        "model_info": {
            "name": "their model",
            "id": "them/model",
            "additional_details": {"deployment_type": "unknown", "model_availability": "unknown"},
        },
        "evaluation_results": [
            {
                "evaluation_name": "their words",
                "source_data": {"dataset_name": "their words", "source_type": "other"},
                "metric_config": {
                    "lower_is_better": False, "metric_id": "exact", "score_type": "continuous",
                    "min_score": 0, "max_score": 1,
                },
                "score_details": {"score": 0.5},
            }
        ],
    }  # fmt: skip
    path.write_text(json.dumps(facts | changes))
    return path


def answered(path: Path, rows: dict[str, str], **changes) -> Path:
    lines = [
        {
            "schema_version": "0.3.0", "evaluation_id": "e/m/1", "model_id": "them/model",
            "evaluation_name": "their words", "sample_id": key, "interaction_type": "single_turn",
            "input": {"raw": "", "reference": []}, "output": {"raw": [text]},
            "answer_attribution": [], "evaluation": {"score": 1.0, "is_correct": True},
        } | changes
        for key, text in rows.items()
    ]  # fmt: skip
    beside = path.with_name(f"{path.stem}_samples.jsonl")
    beside.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return beside


def test_answers_of_others_are_scored_here_whatever_they_say_they_scored(store, view, opened, tmp_path):
    path = foreign(tmp_path / "a.json")
    answered(path, {example.id: "wrong" for example in view.examples})
    found = incoming.read(path)
    made = incoming.submission(found, incoming.answers_of(found), "words", "test", "")
    added = hand_in(store, str(path), made, opened)
    assert store.row(added.folder).facts["scores"]["exact"]["value"] == 0.0
    assert made.name == "their model" and made.about["origin"]["source"] == "Them (third_party)"


def test_numbers_of_others_stand_in_columns_of_their_own(tmp_path):
    kept = incoming.reported(incoming.read(foreign(tmp_path / "a.json")), "words", "test", {"exact": "1"})
    assert kept["rows"][0]["scores"] == {"exact@lm_eval": 0.5}
    assert kept["metrics"]["exact@lm_eval"]["scale"] == 100.0
    assert "Them (third_party)" in kept["rows"][0]["source"]


def test_numbers_of_ours_stand_in_our_columns_while_the_version_is_the_same(board, opened, tmp_path):
    (path,) = exported(board, opened, tmp_path)
    found = incoming.read(path)
    versions = {"exact": "1", "length-error": "another"}
    kept = incoming.reported(found, "", "test", versions)
    assert set(kept["rows"][0]["scores"]) == {"exact", "length-error@assay-bench"}
    assert kept["rows"][0]["data"] == "words-200-0"


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda t: t.replace("0.5", "NaN"), "NaN is no number"),
        (lambda t: t.replace("0.5", "1e999"), "too large"),
        (lambda t: t.replace("0.5", "1.5"), "not between 0 and 1"),
        (lambda t: t.replace("0.5", '"0.5"'), "not of type 'number'"),
        (lambda t: t.replace("0.5", "[" * 500 + "]" * 500), "nested"),
        (lambda t: "[" * 200_000, "not JSON|nested"),
        (lambda t: t.replace("their model", "their \\u202emodel"), "cannot|can be shown"),
        (lambda t: t.replace("their model", "m" * 2_000_000), "bytes; at most"),
        (lambda t: t.replace('"evaluation_results"', '"results"'), "evaluation_results"),
        (lambda t: t[:50], "not JSON"),
        (lambda t: "", "not JSON"),
        (
            lambda t: t.replace(
                '"score": 0.5',
                '"score": 0.5, "uncertainty": {"confidence_interval": {"lower": 0.9, "upper": 0.1}}',
            ),
            "an interval from 0.9 to 0.1",
        ),
    ],
)  # fmt: skip
def test_a_hostile_file_of_scores_is_refused_in_a_sentence(damage, said, tmp_path):
    path = foreign(tmp_path / "a.json")
    path.write_text(damage(path.read_text()))
    with pytest.raises(DataError, match=said):
        incoming.read(path)


@pytest.mark.parametrize(
    ("rows", "changes", "said"),
    [
        ({}, {}, "is empty|holds no answer"),
        ({"a": "x"}, {"evaluation_id": "other"}, "another evaluation"),
        ({"a": "x" * 100_001}, {}, "100,001 characters"),
        ({"a": "x"}, {"output": None, "interaction_type": "multi_turn", "messages": []}, "conversations"),
        ({"a": "x"}, {"output": {"raw": "x"}}, "not of type 'array'"),
        ({"a": "x"}, {"evaluation": {"score": float("nan"), "is_correct": True}}, "NaN is no number"),
    ],
)
def test_hostile_answers_are_refused_in_a_sentence(rows, changes, said, tmp_path):
    path = foreign(tmp_path / "a.json")
    answered(path, rows, **changes)
    found = incoming.read(path)
    with pytest.raises(DataError, match=said):
        incoming.submission(found, incoming.answers_of(found), "words", "test", "")


def test_two_answers_to_one_row_and_a_wrong_checksum_are_refused(tmp_path):
    beside = {"format": "jsonl", "file_path": "data/../../etc/" + "x" * 8, "hash_algorithm": "sha256"}
    path = foreign(tmp_path / "a.json")
    file = answered(path, {"a": "x"})
    file.write_text(file.read_text() + file.read_text().replace('["x"]', '["y"]'))
    found = incoming.read(path)
    with pytest.raises(DataError, match="a second answer to 'a'"):
        incoming.submission(found, file, "words", "test", "")
    with pytest.raises(DataError, match="does not match"):  # it leads out of the folder
        incoming.read(foreign(tmp_path / "b.json", detailed_evaluation_results=beside))
    place = "data/w/them/model/0b6c2a3e-1111-4222-8333-444455556666_samples.jsonl"
    stated = beside | {"file_path": place, "checksum": "0" * 64}
    found = incoming.read(foreign(tmp_path / "a.json", detailed_evaluation_results=stated))
    with pytest.raises(DataError, match="checksum"):
        incoming.submission(found, file, "words", "test", "")


def test_links_are_not_followed(tmp_path):
    path = foreign(tmp_path / "a.json")
    (tmp_path / "link.json").symlink_to(path)
    (tmp_path / "link_samples.jsonl").symlink_to(answered(path, {"a": "x"}))
    with pytest.raises(DataError, match="is a link"):
        incoming.read(tmp_path / "link.json")
    assert incoming.find(tmp_path) == [path]
    named = foreign(tmp_path / "b.json")
    (tmp_path / "b_samples.jsonl").symlink_to("/etc/hostname")
    with pytest.raises(DataError, match="is a link"):
        incoming.submission(incoming.read(named), tmp_path / "b_samples.jsonl", "words", "test", "")


def test_the_verb_exports_and_takes_in(main, board, tmp_path, monkeypatch):
    no_organisation = main("leaderboard", "export", "--board", board.root, "--format", "eee")
    assert no_organisation.code == 2 and "--organisation NAME" in no_organisation.err
    form = main("leaderboard", "export", "--board", board.root, "--format", "ee")
    assert form.code == 2 and "did you mean eee?" in form.err
    command = ("leaderboard", "export", "--board", board.root, "--format", "eee", "--organisation", "Our Lab")
    done = main(*command, "--output", "out")
    assert done.code == 0 and "no answers beside it: no task named 'words'" in done.out
    nothing = main("leaderboard", "import", "--board", "mine")
    assert nothing.code == 2 and "nothing to import" in nothing.err
    shipped = main("leaderboard", "import", "out", "--board", "@published")
    assert shipped.code == 2 and "only read" in shipped.err
    path = foreign(tmp_path / "a.json")
    unknown = main("leaderboard", "import", path, "--board", "mine", "--task", "toyy")
    assert unknown.code == 2 and "toy" in unknown.err
    taken = main("leaderboard", "import", path, "--board", "mine", "--task", "toy")
    assert taken.code == 0 and "reported: their model on toy, 1 numbers" in taken.out
    assert len(list((tmp_path / "mine/reported").iterdir())) == 1


def test_results_for_the_hub_are_what_its_own_library_reads(board, main, tmp_path):
    hub = pytest.importorskip("huggingface_hub", reason="results for the Hub need huggingface_hub")
    import yaml

    command = ("leaderboard", "export", "--board", board.root, "--format", "hf-eval-results")
    unnamed = main(*command)
    assert unnamed.code == 2 and "--dataset OWNER/NAME" in unnamed.err
    done = main(*command, "--dataset", "me/words:test@abc", "--output", "out")
    assert done.code == 0, done.err
    (path,) = (tmp_path / "out").rglob("*.yaml")
    assert path.parent.name == ".eval_results"
    (entry,) = hub.parse_eval_result_entries(yaml.safe_load(path.read_text()))
    row = board.row(next(board.row_folders()))
    assert entry.value == row.facts["scores"]["exact"]["value"]
    assert (entry.dataset_id, entry.task_id, entry.dataset_revision) == ("me/words", "test", "abc")
    assert entry.date.startswith("2026-11-28") and row.facts["answers"]["sha256"] in entry.notes
    other = main(*command, "--dataset", "me/words", "--metric", "exat")
    assert other.code == 2 and "did you mean exact?" in other.err


def test_a_made_up_sample_is_no_result_for_the_hub(store, tmp_path):
    from harness.leaderboards.exchange import hub_results

    pytest.importorskip("huggingface_hub")
    view = make_view(30, sample=True)
    hand_in(store, "a", make_submission(view, 0.5), lambda *a, **k: view)
    with pytest.raises(DataError, match="made-up sample"):
        list(hub_results.export(list(standing(store, build(store))), "me/words", "", tmp_path / "out"))
    assert not (tmp_path / "out").exists()
