"""Health columns count what scores hide, and find rows with the same answers."""

import random
from dataclasses import replace

from harness import Completion, Example, Pairs, Prediction
from harness.chem.smiles import canonical
from harness.leaderboards.board.health import cost, duplicates, health, signature
from harness.leaderboards.board.scored import read_answers, score
from harness.leaderboards.intake.submission import Submission

from ..conftest import WORDS, Words, make_submission, make_view


def answered(view, texts, finish="stop"):
    made = make_submission(view, 1.0)
    outputs = {e.id: Completion(e.id, t, finish) for e, t in zip(view.examples, texts, strict=True)}
    return Submission(made.about, outputs)


def health_of(view, submission):
    return health(read_answers(submission, view), submission.outputs, view)


def test_empty_cut_unread_repeated_and_copied_answers_are_counted():
    view = make_view(5, training=["acid", "base"])
    facts = health_of(view, answered(view, ["acid", "acid", "", "??", "salt"], "length"))
    assert facts["empty"] == 2 and facts["unread"] == 1 and facts["truncated"] == 5
    assert facts["distinct"] == 3 and facts["copied"] == 2
    assert facts["commonest"]["times"] == 2
    assert "valid" not in facts


def test_an_answer_that_names_none_of_the_choices_is_unread():
    rows = [Example(str(i), {"word": "w"}, ("yes",), choices=("yes", "no")) for i in range(4)]
    view = make_view(4, examples=rows)
    facts = health_of(view, answered(view, ["yes", "The answer is B.", "None of the above", ""]))
    assert facts["unread"] == 1 and facts["empty"] == 1


def test_a_ranking_says_its_passages():
    """It has no text: two retrievers that find other passages are no duplicates, and neither is empty."""
    one, other, nothing = (
        Pairs([(Example(str(i), {}, ("x",)), Prediction(str(i), "", evidence=found)) for i in range(30)])
        for found in (("p1", "p2"), ("p2", "p1"), ())
    )
    view = make_view(1)
    assert [health(pairs, {}, view)["empty"] for pairs in (one, other, nothing)] == [0, 0, 30]
    rows = [(name, name, signature(pairs)) for name, pairs in (("a", one), ("b", other), ("c", one))]
    assert [(first, second) for first, second, _ in duplicates(rows)] == [(0, 2)]


def test_unknown_finish_is_unknown_and_not_zero():
    view = make_view(2)
    assert health_of(view, answered(view, ["a", "b"], ""))["truncated"] is None


class Molecules(Words):
    def canonical(self, text):
        return canonical(text)


def test_answers_are_counted_by_the_task_s_own_spelling_and_an_empty_one_is_none():
    view = make_view(4, training=["C(C)O"])
    view = replace(view, task=Molecules(view.examples, ["C(C)O"]))
    facts = health_of(view, answered(view, ["OCC", "CCO", "", "not a molecule"]))
    assert facts["valid"] == 2 and facts["distinct"] == 4 and facts["distinct_molecules"] == 1
    assert facts["copied"] == 2


def rows_for(*submissions, view):
    return [(s.name, s.digest, signature(read_answers(s, view))) for s in submissions]


def test_the_same_answers_are_found_whatever_their_name():
    view = make_view(50)
    a, other = make_submission(view, 0.5, "a"), make_submission(view, 0.5, "b")
    twin = Submission(dict(a.about) | {"name": "PUF"}, a.outputs)
    assert duplicates(rows_for(a, other, twin, view=view)) == [(0, 2, "the same answers, byte for byte")]


def test_nearly_the_same_wrong_answers_are_found():
    view = make_view(300)
    a = make_submission(view, 0.5, "a")
    changed = dict(a.outputs)
    for example in view.examples[:3]:
        changed[example.id] = Completion(example.id, "something else")
    found = duplicates(rows_for(a, Submission(dict(a.about) | {"name": "b"}, changed), view=view))
    assert [(i, j) for i, j, _ in found] == [(0, 1)] and "the same" in found[0][2]


def test_two_good_systems_that_agree_because_they_are_right_are_no_duplicates():
    view = make_view(600)
    assert duplicates(rows_for(*(make_submission(view, 0.97, n) for n in "ab"), view=view)) == []


def test_two_bad_systems_with_their_own_mistakes_are_no_duplicates():
    view = make_view(300)
    assert duplicates(rows_for(*(make_submission(view, 0.1, n) for n in "ab"), view=view)) == []


def test_the_signature_depends_on_ids_and_not_on_their_order():
    view = make_view(700)
    made = make_submission(view, 0.5)
    turned = make_view(700, examples=list(reversed(view.examples)))
    assert signature(read_answers(made, view)) == signature(read_answers(made, turned))
    assert len(signature(read_answers(made, view))) == 512


def test_energy_is_estimated_only_where_the_power_is_known():
    about = {"seconds": {"train": 3600.0, "generate": 0.0}, "hardware": {"device": "NVIDIA H200"}}
    assert cost(about)["energy_wh"] == 700 and "board power" in cost(about)["energy_basis"]
    stated = about | {"hardware": {"device": "cpu", "watts": 65}}
    assert cost(stated)["energy_wh"] == 65 and "stated" in cost(stated)["energy_basis"]
    assert cost(about | {"hardware": {"device": "cpu"}})["energy_wh"] is None
    assert cost({})["seconds"] is None


def test_every_stage_of_training_and_the_generation_are_what_a_row_cost():
    spans = {"load": 9.0, "train (pretrain)": 100.0, "train (sft)": 20.0, "generate": 3.0, "score": 5.0}
    assert cost({"seconds": spans})["seconds"] == 123.0
    assert cost({"seconds": {"train": 7.0}})["seconds"] == 7.0


def test_rows_that_training_gives_away_are_left_out_of_the_clean_score():
    rng = random.Random(0)
    examples = [Example(f"r{i}", {"word": "x"}, (rng.choice(WORDS),)) for i in range(40)]
    leaked = frozenset(f"r{i}" for i in range(10))
    view = make_view(examples=examples, leaks={"same words": leaked})
    made = Submission(
        make_submission(view, 1.0).about,
        {e.id: Completion(e.id, e.references[0] if e.id in leaked else "wrong") for e in examples},
    )
    facts = score(made, view).facts
    assert facts["scores"]["exact"]["value"] == 0.25
    assert facts["clean"]["rows"] == 30 and facts["clean"]["overlap"] == {"same words": 10}
    assert facts["clean"]["scores"]["exact"] == 0.0
