"""Rows and requests as ids: plain, in the release's conversation form, and with its quirks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness import Conversation, DataError, Document, Message, Request, TrainPair
from harness.plugins.scimind.records import RowEncoder, read_conversations
from harness.plugins.scimind.tokenizer import SciMindTokenizer, learn_tokenizer

PAIR = TrainPair("Describe CC=CC\nnow", "It is an alkene.", {"smiles": "CC=CC"})


@pytest.fixture(scope="module")
def tokenizer() -> SciMindTokenizer:
    texts = [" [INST]: Describe \\n now [/INST]: It is an alkene. \n", "Describe\nnow", "It is an alkene."]
    return learn_tokenizer(texts, 120)


def read(tokenizer: SciMindTokenizer, row: object, **settings: bool) -> tuple[str, str]:
    encoded = RowEncoder(tokenizer, **settings).row(row)
    ids, labels = list(encoded["input_ids"]), list(encoded["labels"])
    assert len(ids) == len(labels)
    learned = [token for token, label in zip(ids, labels, strict=True) if label != -100]
    assert all(label in (-100, token) for token, label in zip(ids, labels, strict=True))
    return tokenizer.decode(ids), tokenizer.decode(learned)


def test_only_the_answer_and_its_end_are_learned(tokenizer: SciMindTokenizer) -> None:
    encoded = RowEncoder(tokenizer).row(PAIR)
    assert encoded["input_ids"][0] == tokenizer.bos_token_id
    assert encoded["labels"][-1] == tokenizer.eos_token_id
    whole, learned = read(tokenizer, PAIR)
    assert "{|C|}{|C|}{|=|}{|C|}{|C|}" in whole
    assert learned == "It is an alkene.</s>"


def test_with_prompt_loss_all_but_the_first_token_is_learned(tokenizer: SciMindTokenizer) -> None:
    labels = RowEncoder(tokenizer, prompt_loss=True).row(PAIR)["labels"]
    assert [label == -100 for label in labels] == [True] + [False] * (len(labels) - 1)


def test_the_release_form_has_its_brackets(tokenizer: SciMindTokenizer) -> None:
    whole, learned = read(tokenizer, PAIR, inst=True)
    assert whole.startswith("<s> [INST]: Describe")
    assert "[/INST]: It is an alkene.</s>" in whole
    assert learned.strip() == "It is an alkene.</s>"


def test_a_request_is_the_row_up_to_the_answer(tokenizer: SciMindTokenizer) -> None:
    for settings in ({}, {"inst": True}):
        encoder = RowEncoder(tokenizer, **settings)
        asked = encoder.request(Request("1", PAIR.prompt, PAIR.inputs))["input_ids"]
        row = encoder.row(PAIR)
        assert list(row["input_ids"][: len(asked)]) == asked
        assert all(label == -100 for label in row["labels"][: len(asked)])
        assert row["labels"][len(asked)] != -100


def test_the_quirk_writes_newlines_in_training_and_reads_them_in_prompts(
    tokenizer: SciMindTokenizer,
) -> None:
    whole, _ = read(tokenizer, PAIR, quirks=True)
    assert "\\n" in whole and "\n" not in whole
    encoder = RowEncoder(tokenizer, quirks=True)
    asked = encoder.request(Request("1", "Describe CC=CC\\nnow"))["input_ids"]
    assert "\n" in tokenizer.decode(asked)


def test_every_answer_of_a_conversation_is_learned(tokenizer: SciMindTokenizer) -> None:
    said = (("user", "Describe"), ("assistant", "It is."), ("user", "now"), ("assistant", "an alkene."))
    _, learned = read(tokenizer, Conversation(tuple(Message(*turn) for turn in said)))
    assert learned.count("</s>") == 2
    assert "Describe" not in learned


def test_a_document_is_learned_whole(tokenizer: SciMindTokenizer) -> None:
    whole, learned = read(tokenizer, Document("It is an alkene."))
    assert whole == f"<s>{learned}" or whole == f"<s> {learned}"


def test_the_release_conversations_are_read(tmp_path: Path) -> None:
    turns = [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]
    for key in ("conversation", "conversations"):
        (tmp_path / "c.json").write_text(json.dumps([{"id": "0", key: turns}]), encoding="utf-8")
        assert list(read_conversations(tmp_path / "c.json")) == [
            Conversation((Message("user", "Q"), Message("assistant", "A")))
        ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "no JSON file"),
        ("{}", "holds a dict"),
        ('[{"id": 1}]', "record 0 has no turns"),
        ('[{"conversation": [{"from": "human"}]}]', "turn without text"),
        ('[{"conversation": [{"from": "dog", "value": "w"}]}]', "a turn by 'dog'"),
    ],
)
def test_a_bad_conversation_file_is_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "c.json").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        list(read_conversations(tmp_path / "c.json"))
