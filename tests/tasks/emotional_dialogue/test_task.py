"""Dialogues: turns and their speakers, what is held out, and how Mozi lays them out."""

from __future__ import annotations

import json

import pytest

from harness import Conversation, DataError, DataSpec, Message, Request
from harness.language_models.fresh import learn_tokenizer
from harness.plugins.mozi.coding import EvidenceCoder
from harness.tasks.emotional_dialogue.task import EmotionalDialogue

SAID = [
    "Human: My paper was refused.",
    "Bot: That hurts.",
    "Human: Yes.",
    "Bot: Rest first.",
    "Human: I will.",
]


def task(source):
    return EmotionalDialogue(DataSpec(source=str(source)))


def test_the_bots_last_reply_is_asked_and_all_of_its_replies_are_learned(tmp_path):
    (tmp_path / "train.json").write_text(json.dumps([SAID, SAID[:2]] * 20))
    opened = task(tmp_path)
    assert opened.splits() == ("train", "test")
    asked, learned = list(opened.examples("test")), list(opened.examples("train"))
    assert (len(asked), len(learned)) == (2, 38)
    assert asked[0].references == ("Rest first.",)
    assert [turn.role for turn in asked[0].messages] == ["user", "assistant", "user"]
    (row,) = opened.training_rows(learned[1], "")
    assert isinstance(row, Conversation) and row.messages[-1] == Message("assistant", "Rest first.")
    assert not {example.id for example in asked} & {example.id for example in learned}


def test_files_named_for_splits_are_those_splits(tmp_path):
    for split in ("train", "test"):
        (tmp_path / f"{split}.json").write_text(json.dumps([SAID] * 3))
    assert task(tmp_path).splits() == ("train", "test")
    assert len(list(task(tmp_path).examples("train"))) == len(list(task(tmp_path).examples("test"))) == 3


@pytest.mark.parametrize(
    ("dialogue", "message"),
    [
        (["Bot: Hello."], "dialogue 0 has no question of a person with a reply"),
        (["Human: Hello."], "dialogue 0 has no question of a person with a reply"),
        (["Human: a", "Cat: b"], "dialogue 0: a turn begins with 'Cat: b'"),
        ("Human: a", "dialogue 0 is no list of turns"),
    ],
)
def test_what_is_no_dialogue_is_named_with_its_place(tmp_path, dialogue, message):
    (tmp_path / "train.json").write_text(json.dumps([dialogue]))
    with pytest.raises(DataError, match=message):
        list(task(tmp_path).examples("test"))


def test_mozi_lays_turns_out_as_its_server_does_and_learns_the_bots():
    tokenizer = learn_tokenizer(SAID * 3, 300)
    end, coder = tokenizer.eos_token, EvidenceCoder(tokenizer)
    turns = tuple(
        Message("user" if text.startswith("Human") else "assistant", text.partition(": ")[2])
        for text in SAID[:4]
    )
    row = coder.row(Conversation(turns))
    whole = f"Human: My paper was refused.{end}Bot: That hurts.{end}Human: Yes.{end}Bot: Rest first.{end}"
    assert tokenizer.decode(row["input_ids"]) == whole
    learned = [token for token, label in zip(row["input_ids"], row["labels"], strict=True) if label != -100]
    assert tokenizer.decode(learned) == f" That hurts.{end} Rest first.{end}"
    asked = coder.request(Request("q", "", messages=turns[:3]))["input_ids"]
    assert asked == row["input_ids"][: len(asked)]
    assert (
        tokenizer.decode(asked)
        == f"Human: My paper was refused.{end}Bot: That hurts.{end}Human: Yes.{end}Bot:"
    )
