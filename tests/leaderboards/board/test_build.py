"""Tables are a pure function of what was handed in; what may not stand in them is kept out with a reason."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from harness import Completion, DataError, TaskOptions, UsageError
from harness.leaderboards.board.build import Foreign, add, build, hand_in
from harness.leaderboards.board.scored import score
from harness.leaderboards.board.store import Store
from harness.leaderboards.intake.submission import Submission, write_submission
from harness.leaderboards.pages.notes import notes, title
from harness.leaderboards.pages.render import FORMATS
from harness.leaderboards.pages.site import write_site
from harness.leaderboards.plain import canonical

from ..conftest import METRICS, make_submission, make_view


def put(store, opened, *submissions):
    for submission in submissions:
        hand_in(store, "test", submission, opened, "")


def files(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def render(store, opened):
    tables = build(store, opened)
    write_site(store, tables, store.root / "site")
    return {f"{t['id']}{ending}": form(t) for t in tables for ending, form in FORMATS.values()}


def test_the_same_store_gives_the_same_bytes_in_any_order_and_with_scores_thrown_away(tmp_path, view, opened):
    made = [make_submission(view, share, f"m{i}") for i, share in enumerate((0.9, 0.5, 0.52))]
    one, other = Store(tmp_path / "one"), Store(tmp_path / "other")
    put(one, opened, *made)
    put(other, opened, *reversed(made))
    first = render(one, opened)
    for path in (other.root / "rows").rglob("scored.json"):
        path.unlink()
        (path.parent / "draws.npy").unlink()
        (path.parent / "samples.json.gz").unlink()
    assert render(other, opened) == first
    assert files(one.root) == files(other.root)


def test_what_says_how_answers_are_is_shown_and_ranks_nothing(store):
    entry, metric = METRICS["exact"]
    beside = {**METRICS, "beside": (replace(entry, name="beside", ranked=False), metric)}
    view = make_view(metrics=beside)
    put(store, lambda *_, **__: view, make_submission(view, 0.9, "a"), make_submission(view, 0.2, "b"))
    (table,) = build(store)
    assert [m["name"] for m in table["metrics"] if not m["ranked"]] == ["beside"]
    assert not next(m for m in table["metrics"] if m["name"] == "beside")["overall"]
    assert "beside says what answers are like: shown, not ranked." in list(notes(table))


def test_a_table_can_be_built_without_the_task(store, view, opened):
    put(store, opened, make_submission(view, 0.9, "a"), make_submission(view, 0.2, "b"))
    assert canonical(build(store)[0]) == canonical(build(store, opened)[0])


def test_rows_are_ranked_by_metrics_placed_between_fixed_points(store, view, opened):
    put(store, opened, *(make_submission(view, share, f"m{share}") for share in (0.2, 0.9, 0.6)))
    (table,) = build(store, opened)
    assert [line["name"] for line in table["lines"]] == ["m0.9", "m0.6", "m0.2"]
    assert [line["overall"]["medal"] for line in table["lines"]] == ["gold", "silver", "bronze"]
    points = {metric["name"]: metric["reference"] for metric in table["metrics"]}
    mean_length = np.mean([len(e.references[0]) for e in view.examples])
    assert points == {"exact": [0.0, 1.0], "length-error": [pytest.approx(mean_length), 0.0]}
    for line in table["lines"]:
        parts = [
            100 * (line["scores"][name]["value"] - zero) / (one - zero)
            for name, (zero, one) in points.items()
        ]
        assert line["overall"]["value"] == pytest.approx(sum(parts) / 2)


def test_a_metric_that_cannot_be_resampled_stays_out_of_the_overall_score(store, view):
    from harness import Score

    def share(pairs):
        return Score("share", sum(p.text in e.references for e, p in pairs) / len(pairs), len(pairs))

    wider = replace(view, metrics=dict(view.metrics) | {"share": (view.metrics["exact"][0], share)})
    put(store, lambda *_, **__: wider, make_submission(wider, 0.9, "a"), make_submission(wider, 0.2, "b"))
    (table,) = build(store)
    assert [metric["overall"] for metric in table["metrics"]] == [True, True, False]
    assert table["lines"][0]["overall"]["interval"] and table["lines"][0]["scores"]["share"]["rank"] == 1
    assert "share cannot enter it: it cannot be resampled" in FORMATS["md"][1](table)


def test_another_entrant_moves_neither_the_ruler_nor_the_numbers_of_the_others(store, view, opened):
    put(store, opened, make_submission(view, 0.9, "a"), make_submission(view, 0.2, "b"))
    before = {line["name"]: line["overall"]["value"] for line in build(store, opened)[0]["lines"]}
    put(store, opened, make_submission(view, 0.0, "c"))
    after = {line["name"]: line["overall"]["value"] for line in build(store, opened)[0]["lines"]}
    assert {name: after[name] for name in before} == before


def test_seeds_of_a_series_share_a_line_and_their_spread_is_apart_from_the_interval(store, view, opened):
    for seed in (0, 1, 2):
        put(
            store,
            opened,
            here(make_submission(view, 0.7, f"m{seed}"), name="m", series="s", seed=seed),
        )
    (line,) = build(store, opened)[0]["lines"]
    values = [store.row(folder).facts["scores"]["exact"]["value"] for folder in store.row_folders()]
    cell = line["scores"]["exact"]
    assert cell["value"] == pytest.approx(np.mean(values))
    assert cell["training_sd"] == pytest.approx(np.std(values, ddof=1))
    half = (cell["interval"][1] - cell["interval"][0]) / 2
    assert half == pytest.approx(1.96 * np.sqrt(0.21 / 200 / 3), rel=0.25)  # three independent sets of errors
    assert len(line["members"]) == 3


def test_what_trainings_differ_by_is_apart_from_what_samplings_of_one_training_do(store, view, opened):
    members = {
        (training, sampling): here(
            make_submission(view, 0.3 + 0.3 * training, f"m{training}{sampling}"),
            name="m",
            series="s",
            seed=training,
            sampling_seed=sampling,
            model={"weights_digest": f"weights {training}"},
            run_id=f"2026-{training}{sampling}",
        )
        for training in (0, 1)
        for sampling in (0, 1, 2)
    }
    put(store, opened, *members.values())
    (table,) = build(store)
    (line,) = table["lines"]
    assert len(line["members"]) == 6 and not table["refused"]
    value = {key: score(made, view).facts["scores"]["exact"]["value"] for key, made in members.items()}
    groups = [[value[training, sampling] for sampling in (0, 1, 2)] for training in (0, 1)]
    cell = line["scores"]["exact"]
    assert cell["training_sd"] == pytest.approx(np.std([np.mean(group) for group in groups], ddof=1))
    assert cell["sampling_sd"] == pytest.approx(np.sqrt(np.mean([np.var(g, ddof=1) for g in groups])))
    assert cell["training_sd"] > 3 * cell["sampling_sd"] > 0
    assert any("between trainings" in note and "between samplings" in note for note in notes(table))


def test_one_training_sampled_twice_has_no_spread_of_trainings(store, view, opened):
    same = {"name": "m", "series": "s", "seed": 0, "model": {"weights_digest": "w"}}
    put(
        store,
        opened,
        *(here(make_submission(view, 0.7, f"m{k}"), **same, sampling_seed=k) for k in (0, 1)),
    )
    (table,) = build(store)
    cell = table["lines"][0]["scores"]["exact"]
    assert cell["training_sd"] is None and cell["sampling_sd"] > 0


def replace_about(submission, **facts):
    return Submission(dict(submission.about) | facts, submission.outputs, (), submission.evidence)


def here(submission, **facts):
    """Return a submission as a run that the board's keepers trained and ran themselves."""
    evidence = {"trust": "trained", "reason": "trained and run here"}
    return replace(replace_about(submission, **facts), evidence=evidence)


def test_a_later_run_of_the_same_seed_replaces_the_earlier_and_is_named(store, view, opened):
    early = here(make_submission(view, 0.5, "m"), series="s", seed=1, run_id="20260101-a")
    late = here(make_submission(view, 0.6, "n"), name="m", series="s", seed=1, run_id="20260202-b")
    put(store, opened, early, late)
    (table,) = build(store, opened)
    assert [member["id"] for member in table["lines"][0]["members"]] == [late.id]
    assert "a later run of the same series and seeds" in table["refused"][0]["reason"]


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"limit": 100}, "only the first 100 rows"),
        ({"split": "validation"}, "answers the split 'validation'"),
        ({"name": "a\u202eb"}, "reorder, hide or break"),
        ({"name": "a\x1b[2J"}, "reorder, hide or break"),
        ({"task_version": "2"}, "answers version 2 of words, this is version 1"),
    ],
)
def test_rows_that_cannot_be_compared_are_refused(store, view, opened, facts, said):
    with pytest.raises(DataError, match=said):
        put(store, opened, replace_about(make_submission(view, 0.5), **facts))


def test_answers_to_other_data_are_not_scored_on_this(store, view, opened):
    with pytest.raises(DataError, match="no data of words has the digest other"):
        put(store, opened, replace_about(make_submission(view, 0.5), data={"source": "x", "digest": "other"}))


def test_sample_rows_and_real_rows_never_meet_in_one_table(store):
    real, sample = make_view(50), make_view(50, seed=1, sample=True)
    for view in (real, sample):
        put(store, lambda *_, view=view, **__: view, make_submission(view, 0.5))
    tables = build(store)
    assert [(table["sample"], len(table["lines"])) for table in tables] == [(True, 1), (False, 1)]
    texts = [FORMATS["md"][1](table) for table in tables]
    assert "synthetic sample" in texts[0] and "synthetic" not in texts[1]


def test_a_metric_without_a_value_makes_a_row_unrankable_with_the_reason(store, view):
    from harness import Score

    def sometimes(pairs):
        if not any(p.text for _, p in pairs):
            return Score("exact", 0.0, len(pairs))
        right = sum(p.text in e.references for e, p in pairs)
        if right < 0.5 * len(pairs):
            return Score("exact", float("nan"), len(pairs), note="mode collapse")
        return view.metrics["exact"][1](pairs)

    odd = replace(view, metrics=dict(view.metrics) | {"exact": (view.metrics["exact"][0], sometimes)})
    put(store, lambda *_, **__: odd, make_submission(odd, 0.9, "good"), make_submission(odd, 0.1, "bad"))
    (table,) = build(store)
    bad = next(line for line in table["lines"] if line["name"] == "bad")
    assert bad["overall"]["rank"] is None and bad["unrankable"] == "mode collapse"
    assert table["lines"][-1] is bad
    assert "bad is not ranked: mode collapse" in FORMATS["md"][1](table)


def test_a_metric_that_cannot_be_computed_here_is_said_and_keeps_its_fixed_points(
    store, view, opened, tmp_path
):
    def without_vocabulary(pairs):
        raise UsageError("vocabulary not found")

    put(store, opened, make_submission(view, 0.9, "a"))
    points = [metric["reference"] for metric in store.cards()[0]["metrics"]]
    lacking = replace(view, metrics=dict(view.metrics) | {"exact": (METRICS["exact"][0], without_vocabulary)})
    made = make_submission(lacking, 0.5, "b")
    write_submission(made, tmp_path / "s", made.outputs)
    added = add(store, tmp_path / "s", lambda *_, **__: lacking, Foreign())
    assert list(added.notes) == ["no value of exact: vocabulary not found"]
    assert None not in points and [metric["reference"] for metric in store.cards()[0]["metrics"]] == points


def test_a_metric_of_another_version_is_not_mixed_in(store, view, opened):
    put(store, opened, make_submission(view, 0.9, "a"))
    card = json.loads(next((store.root / "tasks").glob("*.json")).read_text())
    card["metrics"][0]["version"] = "2"
    next((store.root / "tasks").glob("*.json")).write_text(json.dumps(card))
    (table,) = build(store)
    assert table["lines"][0]["scores"]["exact"]["value"] is None
    assert "scored with version 1 of exact, the table has version 2" in table["lines"][0]["unrankable"]


def test_a_duplicate_is_flagged_on_both_rows(store, view, opened):
    a = make_submission(view, 0.5, "MolT5-Small")
    put(store, opened, a, replace_about(a, name="PUF"), make_submission(view, 0.6, "other"))
    flags = {line["name"]: [flag["of"] for flag in line["flags"]] for line in build(store)[0]["lines"]}
    assert flags == {"MolT5-Small": ["PUF"], "PUF": ["MolT5-Small"], "other": []}


def test_reported_numbers_stand_unranked_below_and_never_under_a_sample(store, view, opened):
    put(store, opened, make_submission(view, 0.5))
    (store.root / "reported").mkdir()
    row = {
        "name": "Paper",
        "task": "words",
        "data": "",
        "scores": {"exact": 0.99},
        "source": "a paper, table 1",
        "note": "its first version says 0.98",
    }
    (store.root / "reported" / "words.json").write_text(json.dumps({"rows": [row]}))
    (table,) = build(store)
    assert table["reported"] == [row] and [line["name"] for line in table["lines"]] == ["model"]
    markdown = FORMATS["md"][1](table)
    assert "*Paper*" in markdown and "a paper, table 1 (its first version says 0.98)" in markdown
    assert build_sample_reported(store, row) == []


def build_sample_reported(store, row):
    from harness.leaderboards.board.build import _belongs

    return [row] if _belongs(row, {"task": "words", "split": "test", "sample": True, "digest": ""}) else []


def test_a_submission_a_zip_of_it_and_bare_answers_are_added(store, view, opened, tmp_path):
    made = make_submission(view, 0.9, "a")
    write_submission(made, tmp_path / "s", made.outputs)
    assert add(store, tmp_path / "s", opened, Foreign()).folder.name == made.id
    shutil.make_archive(str(tmp_path / "z"), "zip", tmp_path / "s")
    assert add(store, tmp_path / "z.zip", opened, Foreign()).folder.name == made.id
    (tmp_path / "submit.txt").write_text("".join(o.text + "\n" for o in made.outputs.values()))
    foreign = Foreign(task="words", name="b")
    assert add(store, tmp_path / "submit.txt", opened, foreign).submission.name == "b"
    flags = [flag["of"] for line in build(store)[0]["lines"] for flag in line["flags"]]
    assert flags == ["b", "a"]


def test_trust_rises_only_where_a_run_gave_the_same_answers(view):
    from harness.leaderboards.intake.rules import reproduction

    made = make_submission(view, 0.9, "a")
    assert reproduction(made, made)["trust"] == "reproduced"
    changed = dict(made.outputs) | {"row-3": Completion("row-3", "else")}
    found = reproduction(made, Submission(made.about, changed))
    assert found["trust"] == "rescored" and "1 of 200 answers differ" in found["reason"]
    few = {key: made.outputs[key] for key in list(made.outputs)[:49]}
    assert "50 are needed" in reproduction(made, Submission(made.about, few))["reason"]


def test_what_a_run_found_its_training_to_give_away_stands_where_the_training_data_is_not(
    store, view, opened
):
    found = {
        "counts": {"caption": 0, "smiles": 20},
        "rows": 200,
        "clean_rows": 180,
        "clean_scores": {"exact": 0.25},
    }
    put(store, opened, make_submission(view, 0.9, "a", overlap=found), make_submission(view, 0.2, "b"))
    (table,) = build(store, opened)
    said, silent = table["lines"]
    assert said["clean"]["rows"] == 180 and said["clean"]["scores"] == {"exact": 0.25}
    assert silent["clean"]["overlap"] == {}
    (note,) = [note for note in notes(table) if "give away" in note]
    assert note.startswith("a: its training pairs give away 20 of 200 rows (smiles 20)")


def test_what_is_found_here_goes_before_what_a_run_says(store, opened):
    leaks = {"smiles": frozenset({"row-1"})}
    view = make_view(leaks=leaks)
    said = {"counts": {"smiles": 0}, "rows": 200, "clean_rows": 200}
    put(store, lambda *_, **__: view, make_submission(view, 0.9, "a", overlap=said))
    (line,) = build(store)[0]["lines"]
    assert line["clean"]["overlap"] == {"smiles": 1} and line["clean"]["rows"] == 199


def test_a_sample_whose_rows_an_option_changed_has_a_table_of_its_own(store):
    plain = make_view(20, sample=True)
    changed = make_view(20, seed=1, sample=True)
    changed.task.options = TaskOptions(shots=1)  # which stands for any option

    def opened(task, split, wanted="", source="", reading=None):
        return changed if wanted == changed.digest else plain

    # What says the same whatever it is shown is still asked twice.
    same = {"reading": {"options": {"retriever": "bm25"}}}
    one, other = make_submission(plain, 0, "m"), make_submission(changed, 0, "m", **same)
    other = replace(other, outputs=one.outputs)
    put(store, opened, one, other)
    tables = build(store, opened)
    assert [table["id"] for table in tables] == ["words-sample", "words-sample-words-20-1"]
    assert [[line["id"] for line in table["lines"]] for table in tables] == [[one.id], [other.id]]
    assert [title(table) for table in tables] == [
        "words: 20 rows of test, synthetic sample",
        "words: 20 rows of test, synthetic sample, retriever=bm25",
    ]


def test_of_answers_that_say_nothing_the_evidence_tells_them_apart(view):
    silent = {example.id: Completion(example.id, "") for example in view.examples}
    ranked = {name: replace(said, evidence=("p1", "p0")) for name, said in silent.items()}
    first, second = (replace(make_submission(view, 0), outputs=outputs) for outputs in (silent, ranked))
    assert first.digest != second.digest
    again = {name: replace(said, evidence=()) for name, said in silent.items()}
    assert replace(first, outputs=again).digest == first.digest
