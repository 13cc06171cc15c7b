"""Who may change a row: its board's keepers alone, never downwards, and for a reason that shows."""

from dataclasses import replace

import pytest

from harness import DataError, UsageError
from harness.leaderboards.board import history
from harness.leaderboards.board.build import Foreign, Keeping, add, add_runs, build, hand_in, withdraw
from harness.leaderboards.intake.submission import Submission, write_submission

from ..conftest import change, make_submission, say
from .test_build import here, put, replace_about


def lines(store):
    (table,) = build(store)
    return {line["id"]: line for line in table["lines"]}, table


def handed_in(tmp_path, submission, name="handed-in"):
    write_submission(submission, tmp_path / name, list(submission.outputs))
    return tmp_path / name


def test_a_stranger_who_copies_a_rows_series_and_seeds_takes_nobodys_place(store, view, opened):
    ours = here(make_submission(view, 0.9, "ours"), series="s", seed=1, sampling_seed=0, run_id="20260101-a")
    copied = {key: ours.about[key] for key in ("series", "seed", "sampling_seed", "name")}
    theirs = replace_about(make_submission(view, 0.1, "theirs"), **copied, run_id="20991231-z")
    put(store, opened, ours, theirs)
    found, table = lines(store)
    assert set(found) == {ours.id, theirs.id} and not table["refused"]
    assert found[ours.id]["trust"] == "trained" and found[theirs.id]["trust"] == "rescored"
    assert len(found[ours.id]["members"]) == 1  # nor is its line drawn down


def test_a_run_of_less_trust_does_not_replace_one_of_more(store, view, opened):
    facts = {"series": "s", "seed": 1}
    trained = here(make_submission(view, 0.9, "a"), **facts, run_id="20260101-a")
    given = here(make_submission(view, 0.5, "b"), **facts, run_id="20260202-b")
    given = replace(given, evidence={"trust": "reproduced", "reason": "run here with given weights"})
    put(store, opened, trained, given)
    _, table = lines(store)
    assert not table["refused"]


def test_a_submission_that_was_reproduced_is_not_taken_for_a_run_made_here(store, view, opened):
    facts = {"series": "s", "seed": 1}
    given = here(make_submission(view, 0.9, "a"), **facts, run_id="20260101-a")
    given = replace(given, evidence={"trust": "reproduced", "reason": "run here with given weights"})
    theirs = replace_about(make_submission(view, 0.1, "b"), **facts, run_id="20990101-z")
    theirs = replace(theirs, evidence={"trust": "reproduced", "reason": "again", "equal": 60, "rows": 60})
    put(store, opened, given, theirs)
    found, table = lines(store)
    assert not table["refused"] and len(found) == 2


def test_what_is_handed_in_together_shares_a_line_and_what_is_not_does_not(store, view, opened, tmp_path):
    made = [replace_about(make_submission(view, 0.7, f"m{k}"), name="m", series="s", seed=k) for k in (0, 1)]
    for k, submission in enumerate(made):
        add(store, handed_in(tmp_path, submission, f"s{k}"), opened, Foreign(), Keeping(batch="b1"))
    stranger = replace_about(make_submission(view, 0.1, "x"), name="m", series="s", seed=2)
    add(store, handed_in(tmp_path, stranger), opened, Foreign())
    found, _ = lines(store)
    assert sorted(len(line["members"]) for line in found.values()) == [1, 2]


def test_a_copy_of_a_trusted_row_does_not_write_over_it(store, view, opened):
    ours = here(make_submission(view, 0.9, "ours"), notes="as it was")
    put(store, opened, ours)
    copy = Submission(dict(ours.about) | {"notes": "bought here"}, ours.outputs)
    with pytest.raises(DataError, match=r"on the board already, as ours-.* trusted more"):
        hand_in(store, "test", copy, opened, "")
    (folder,) = store.row_folders()
    assert store.about(folder)["notes"] == "as it was"


def test_other_answers_under_the_id_of_a_row_are_refused(store, view, opened, monkeypatch):
    put(store, opened, make_submission(view, 0.9, "a"))
    (folder,) = store.row_folders()
    monkeypatch.setattr(Submission, "id", folder.name)
    with pytest.raises(DataError, match="another row is called"):
        hand_in(store, "test", make_submission(view, 0.1, "a"), opened, "")


def test_a_keeper_puts_a_submitters_later_row_in_the_place_of_the_earlier(store, view, opened, tmp_path):
    early, late = make_submission(view, 0.5, "early"), make_submission(view, 0.7, "late")
    add(store, handed_in(tmp_path, early, "e"), opened, Foreign())
    add(store, handed_in(tmp_path, late, "l"), opened, Foreign(), Keeping(replaces=early.id))
    found, table = lines(store)
    assert set(found) == {late.id}
    assert table["refused"] == [
        {"id": early.id, "reason": f"its submitter's later row replaces it: {late.id}"}
    ]


def test_a_row_that_is_trusted_more_is_not_replaced_by_one_that_is_trusted_less(
    store, view, opened, tmp_path
):
    ours = here(make_submission(view, 0.5, "ours"))
    put(store, opened, ours)
    path = handed_in(tmp_path, make_submission(view, 0.7, "late"))
    with pytest.raises(DataError, match="is trusted more than what should replace it"):
        add(store, path, opened, Foreign(), Keeping(replaces=ours.id))
    with pytest.raises(UsageError, match="no other row 'our'"):
        add(store, path, opened, Foreign(), Keeping(replaces="our"))


def test_a_withdrawn_row_leaves_the_table_with_its_reason_and_the_history_says_so(
    store, view, opened, tmp_path
):
    put(store, opened, make_submission(view, 0.9, "a"), make_submission(view, 0.5, "b"))
    chain = tmp_path / "history.jsonl"
    history.append(chain, build(store), "2026-01-01")
    (row,) = [folder.name for folder in store.row_folders() if folder.name.startswith("b-")]
    folder = withdraw(store, row, "its submitter asked for it")
    found, table = lines(store)
    assert list(found) != [row] and len(found) == 1 and (folder / "submission.json").is_file()
    assert table["refused"] == [{"id": row, "reason": "withdrawn: its submitter asked for it"}]
    entry = history.append(chain, [table], "2026-01-02")
    assert list(history.reasons(chain, entry)) == [(row, "withdrawn: its submitter asked for it")]
    with pytest.raises(UsageError, match="has no row 'c'"):
        withdraw(store, "c", "why")


def test_a_run_that_is_handed_in_is_trusted_no_more_than_any_submission(store, opened, view, run):
    say(run, *({"id": e.id, "raw": "x", "text": "x"} for e in view.examples))
    change(run, data_digest=view.digest)
    added = add(store, run, opened, Foreign())
    assert not store.evidence(added.folder)
    (again,) = add_runs(store, run.parents[2], opened, (), lambda text: None)
    assert store.evidence(again.folder)["trust"] == "trained"
