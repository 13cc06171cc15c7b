"""The built-in rows: facts of the test are stated, asked nowhere in training, and not given away."""

import csv
import random
import re
from collections import Counter

from harness.tasks.medical_qa import sample, task
from harness.tasks.medical_qa.base import MedicalOptions
from harness.tasks.medical_qa.wording import WORDINGS
from tests.conftest import ROOT


def by_fact(split):
    return {asked.id.rsplit("-", 2)[0] for asked in sample.questions(split)}


def test_splits_share_no_fact_in_either_language():
    train, validation, test, judged = map(by_fact, ("train", "validation", "test", "judged"))
    assert len(train | validation | test | judged) == sum(map(len, (train, validation, test, judged)))
    assert {name: len(facts) // 2 for name, facts in sample.facts().items()} == {
        "train": len(train),
        "validation": len(validation),
        "test": len(test),
        "judged": len(judged),
    }


def test_every_fact_is_stated_in_both_languages():
    stated = Counter(id.rsplit("-", 1)[0] for id, _ in sample.statements())
    facts = [fact.id for split in sample.facts().values() for fact in split]
    assert sorted(stated) == sorted(facts) and set(stated.values()) == {5}


def test_no_statement_or_training_question_is_a_question_of_the_test():
    asked = {asked.question for asked in sample.questions("test")}
    assert not asked & {text for _, text in sample.statements()}
    assert not asked & {asked.question for asked in sample.questions("train")}


def test_the_table_names_each_thing_once_in_each_relation_and_translates_answers_alike():
    with (ROOT / "tasks/medical_qa/facts.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    for subject in ("subject", "主语"):
        named = Counter((row["relation"], row[subject]) for row in rows)
        assert named.most_common(1)[0][1] == 1
    for one, other in (("answer", "答案"), ("答案", "answer")):
        pairs = {(row["relation"], row[one], row[other]) for row in rows}
        assert len(pairs) == len({pair[:2] for pair in pairs})
    assert {row["relation"] for row in rows} == {relation for relation, _ in WORDINGS}


def test_choices_hold_the_answer_once_and_its_place_says_nothing():
    asked = list(sample.questions("test"))
    assert all(len(set(a.choices)) == 4 and a.answer in a.choices for a in asked)
    places = Counter(a.choices.index(a.answer) for a in asked)
    assert max(places.values()) / len(asked) < 0.33


def test_words_shared_with_the_question_do_not_give_the_answer_away():
    def words(text, language):
        return set(text) if language == "zh" else set(re.findall(r"\w+", text.lower()))

    for language in ("en", "zh"):
        asked = [a for a in sample.questions("test") if a.language == language]
        dice, right = random.Random(0), 0
        for a in asked:
            known = words(a.question, language)
            best = max(a.choices, key=lambda c: (len(words(c, language) & known), dice.random()))
            right += best == a.answer
        assert right / len(asked) < 0.36


def test_orders_ask_each_question_with_its_choices_moved_on():
    one = task.Choice(options=MedicalOptions(orders=4))
    first = list(one.examples("test"))[:4]
    assert len({example.choices for example in first}) == 4
    assert len({example.references for example in first}) == 1
    assert {example.meta["question"] for example in first} == {first[0].id}


def test_prompts_are_in_the_language_of_the_question_and_may_ask_to_think():
    made = task.Choice(options=MedicalOptions(think=True))
    prompts = {e.meta["groups"]["language"]: made.prompt(e) for e in made.examples("test")}
    assert prompts["en"].startswith("Question: ") and "step by step" in prompts["en"]
    assert prompts["zh"].startswith("问题：") and "一步一步" in prompts["zh"]


def test_the_corpus_reads_all_facts_and_measures_on_wordings_it_did_not_read():
    corpus = task.Corpus()
    read, looked, tested = (list(corpus.examples(split)) for split in corpus.splits())
    held_out = [*looked, *tested]
    assert len({example.id for example in (*read, *held_out)}) == len(read) + len(held_out)
    assert abs(len(looked) - len(tested)) <= 1
    assert not {e.inputs["text"] for e in read} & {e.inputs["text"] for e in held_out}
    assert {e.id.rsplit("-", 1)[0] for e in held_out} <= {e.id.rsplit("-", 1)[0] for e in read}


def test_preferences_hold_a_wrong_answer_of_the_same_kind():
    rows = [
        row for e in task.Preferences().examples("train") for row in task.Preferences().training_rows(e, "?")
    ]
    compared = list(task.compared("train"))
    assert len(rows) == 3 * len(compared) and all(row.chosen != row.rejected for row in rows)
    assert {asked.id.rsplit("-", 2)[0] for asked in compared} == by_fact("train") | by_fact("judged")


def test_comparing_is_measured_in_a_wording_and_on_facts_that_it_is_not_learned_of():
    kind = task.Preferences
    splits = {split: {e.id for e in kind().examples(split)} for split in kind().splits()}
    assert not splits["train"] & splits["validation"] and len(splits["validation"]) * 2 == len(
        splits["train"]
    )
    facts = {split: {id.rsplit("-", 2)[0] for id in ids} for split, ids in splits.items()}
    assert facts["train"] == facts["validation"] and not facts["train"] & facts["test"]


def test_a_notice_goes_with_every_result_unless_it_is_taken_away():
    told, silent = task.Choice(), task.Choice(options=MedicalOptions(notice=""))
    for made in (told, silent):
        list(made.examples("test"))
    assert any("no medical advice" in note for note in told.notes) and not silent.notes


def test_prompts_are_of_facts_that_are_compared_and_never_shown_and_held_out_in_another_wording():
    train, held_out = ({e.id for e in task.Prompts().examples(split)} for split in ("train", "validation"))
    assert train | held_out == {asked.id for asked in sample.questions("judged")}
    assert {id[-1] for id in train} == {"0", "1"} and {id[-1] for id in held_out} == {"2"}
    learned = {e.id for e in task.Choice().examples("train")}
    assert not (train | held_out) & learned
