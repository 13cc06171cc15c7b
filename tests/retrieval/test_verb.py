"""`retrieve`: a table over retrievers, tests against the first, rankings kept and fed to a run."""

from __future__ import annotations

import json


def test_retrievers_stand_side_by_side_with_tests_against_the_first(main):
    done = main("retrieve", "--task", "qasper", "--retriever", "tfidf,first", "--quiet")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0].startswith("qasper/evidence (480 questions; built-in sample")
    assert lines[1].split() == ["retriever", "tfidf", "first"]
    (mrr,) = (line.split() for line in lines if line.startswith("mrr "))
    assert "*" not in mrr[1] and "*" in mrr[3]
    rows = json.loads(
        main("retrieve", "--task", "qasper/evidence", "--retriever", "tfidf,first", "--json").out
    )
    assert rows["tfidf"]["recall@5"]["value"] > rows["first"]["recall@5"]["value"]
    assert rows["first"]["mrr"]["p_against_first"] < 0.01 and rows["tfidf"]["mrr"]["p_against_first"] is None
    low, high = rows["tfidf"]["mrr"]["interval"]
    assert low < rows["tfidf"]["mrr"]["value"] < high


def test_kept_rankings_are_found_again_and_feed_a_run(main, tmp_path):
    command = ("retrieve", "--task", "qasper", "--quiet", "--json")
    first = main(*command, "--retriever", "bm25", "--output", tmp_path)
    kept = tmp_path / "bm25.jsonl"
    assert len(kept.read_text().splitlines()) == 480
    again = main(*command, "--retriever", f"kept:{kept}")
    (one,), (two,) = json.loads(first.out).values(), json.loads(again.out).values()
    assert one["recall@5"]["value"] == two["recall@5"]["value"]
    shown = main(
        "show-prompt", "--model", "toy", "--task", "qasper/recalled", "--set", f"task.retriever=kept:{kept}"
    )
    assert shown.code == 0, shown.err


def test_a_kept_ranking_is_scored_and_handed_in_like_answers(main, tmp_path):
    kept = tmp_path / "tfidf.jsonl"
    command = ("retrieve", "--task", "qasper", "--retriever", "tfidf", "--output", tmp_path)
    (found,) = json.loads(main(*command, "--quiet", "--json").out).values()
    scored = main("score", kept, "--task", "qasper/evidence", "--json")
    assert scored.code == 0, scored.err
    assert json.loads(scored.out)["scores"]["mrr"]["value"] == found["mrr"]["value"]
    board = ("--board", tmp_path / "board", "--format", "none")
    added = main("leaderboard", "add", kept, "--task", "qasper/evidence", "--name", "TF-IDF", *board)
    assert added.code == 0, added.err
    (table,) = json.loads(main("leaderboard", *board, "--json").out)
    (line,) = table["lines"]
    assert line["scores"]["recall@5"]["value"] == found["recall@5"]["value"]


def test_a_task_without_passages_and_an_unknown_retriever_are_refused(main, tmp_path):
    done = main("retrieve", "--task", "toy", "--retriever", "tfidf")
    assert done.code == 2 and "hint: there are: qasper/evidence" in done.err
    done = main("retrieve", "--task", "qasper", "--retriever", "bm52")
    assert done.code == 2 and "did you mean bm25?" in done.err
    (tmp_path / "odd.jsonl").write_text('{"question": "x"}\n')
    done = main("retrieve", "--task", "qasper", "--retriever", f"kept:{tmp_path / 'odd.jsonl'}")
    assert done.code == 4 and "odd.jsonl line 1 is no kept ranking" in done.err
