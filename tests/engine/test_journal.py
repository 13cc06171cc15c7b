"""Completions on disk: appended as they come, and found again by what was asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import Completion, Message, Passage, Request, StageError
from harness.engine.journal import Journal, count_oddities, finished, request_key

ASKED = [Request("1", "one?"), Request("2", "two?", {"a": "b"}, ("x", "y")), Request("3", "three?")]


def kept(folder: Path, *completions: Completion, requests: list[Request] = ASKED) -> None:
    with Journal(folder, requests) as journal:
        for completion in completions:
            journal.append(completion)


def test_what_is_appended_is_found_again_whole(tmp_path):
    said = [
        Completion("1", "a\nb", "length", 3, 4, (), ("odd",), ("c",), ("p1", "p2"), -1.5),
        Completion("2", "y", "choice", choice_scores=(-2.0, -1.0)),
        Completion("3", "unanswerable", evidence=(), log_likelihood=0.0),
    ]
    kept(tmp_path, *said)
    assert list(finished(tmp_path, ASKED).values()) == said


def test_a_request_that_changed_in_any_part_is_another(tmp_path):
    request = ASKED[1]
    changed = [
        replace(request, prompt="two"),
        replace(request, inputs={"a": "c"}),
        replace(request, choices=("y", "x")),
        replace(request, messages=(Message("user", "before"),)),
        replace(request, passages=(Passage("p", "shown"),)),
        replace(request, tools='[{"name": "search"}]'),
        replace(request, id="4"),
    ]
    assert len({request_key(one) for one in [request, *changed]}) == len(changed) + 1
    kept(tmp_path, Completion("2", "y"))
    assert finished(tmp_path, [replace(request, prompt="two")]) == {}


def test_rows_of_every_process_are_found_and_the_first_answer_counts(tmp_path):
    for rank, text in enumerate(("a", "b")):
        with Journal(tmp_path, ASKED, rank=rank, world_size=2) as journal:
            journal.append(Completion("1", text))
    assert [c.text for c in finished(tmp_path, ASKED).values()] == ["a"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["completions.0.jsonl", "completions.1.jsonl"]


@given(cut=st.integers(0, 400))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_a_journal_cut_anywhere_keeps_its_whole_rows_and_goes_on(tmp_path, cut):
    path = tmp_path / "completions.jsonl"
    path.unlink(missing_ok=True)
    kept(tmp_path, Completion("1", "first"), Completion("2", "second"))
    whole = path.read_bytes()
    path.write_bytes(whole[:cut])
    before = finished(tmp_path, ASKED)
    left = [request for request in ASKED if request.id not in before]
    with Journal(tmp_path, left) as journal:
        for request in left:
            journal.append(Completion(request.id, f"again {request.id}"))
    after = finished(tmp_path, ASKED)
    assert set(after) == {"1", "2", "3"}
    assert all(after[name] == completion for name, completion in before.items())


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        (Completion("9", "a"), "answered request '9', which nobody asked"),
        ("text", "yielded 'text', which is no Completion"),
        (Completion("1", None), "which is no Completion with a text"),  # type: ignore[arg-type]
        (Completion("2", "x", choice_scores=(1.0,)), "gave 1 scores for the 2 choices of request '2'"),
    ],
)
def test_an_answer_that_cannot_be_kept_ends_the_stage(tmp_path, said, fault):
    with Journal(tmp_path, ASKED) as journal, pytest.raises(StageError, match=fault):
        journal.append(said)
    assert finished(tmp_path, ASKED) == {}


def test_a_second_answer_is_refused_and_what_is_missing_is_known(tmp_path):
    with Journal(tmp_path, ASKED) as journal:
        journal.append(Completion("1", "a"))
        assert journal.missing() == ["2", "3"]
        with pytest.raises(StageError, match="answered request '1' twice"):
            journal.append(Completion("1", "b"))


def test_what_a_reader_must_know_is_counted():
    said = [
        Completion("1", "", "length"),
        Completion("2", "x", notes=("double-bos", "double-bos")),
        Completion("3", "y", "choice", choice_scores=(1.0,)),
        Completion("4", "<t>thinking"),
    ]
    assert count_oddities(said) == {"double-bos": 1, "empty": 1, "length": 1}
    assert count_oddities(said, ("<t>", "</t>"))["unclosed-reasoning"] == 1
