"""A task opened for a verb: what scores its rows, how answers are read, and what scorings share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest

from harness import Completion, Example, MetricEntry, Pairs, Prediction, Request, Score, Task, TaskView


class Capitals(Task):
    """Two rows to learn from and two to score."""

    def examples(self, split: str) -> Iterator[Example]:
        for name, country, capital in (("fr", "France", "Paris"), ("jp", "Japan", "Tokyo")):
            yield Example(f"{split}-{name}", {"country": country}, (capital,))

    def target(self, example: Example) -> str:
        return example.references[0].lower()


def right(pairs: Pairs) -> Score:
    """Count the answers that are a reference."""
    values = tuple(float(p.text in e.references) for e, p in pairs)
    return Score("right", sum(values) / len(values), len(values), values)


TASK = Capitals()
METRICS = {"right": (MetricEntry("right", "share of right answers", "m:right"), right)}


def read(example: Example, completion: Completion) -> Prediction:
    return Prediction(example.id, completion.text.strip("."), completion.text)


VIEW = TaskView(
    name="capitals",
    split="test",
    task=TASK,
    digest="d",
    examples=list(TASK.examples("test")),
    metrics=METRICS,
    request=lambda example: TASK.request(example, TASK.prompt(example)),
    read=read,
)
SAID = {"test-fr": Completion("test-fr", "Paris."), "test-jp": Completion("test-jp", "Kyoto.")}


def scored(view: TaskView, said: Mapping[str, Completion]) -> float | None:
    _, metric = view.metrics["right"]
    return metric(view.answered(said)).value


def test_answers_are_read_by_the_task_in_the_order_of_its_rows():
    backwards = dict(reversed(SAID.items()))
    pairs = VIEW.answered(backwards)
    assert [(e.id, p.text, p.raw) for e, p in pairs] == [
        ("test-fr", "Paris", "Paris."),
        ("test-jp", "Kyoto", "Kyoto."),
    ]
    assert scored(VIEW, SAID) == 0.5


def test_a_row_without_an_answer_is_never_passed_over():
    with pytest.raises(KeyError, match="test-jp"):
        VIEW.answered({"test-fr": SAID["test-fr"]})


def test_what_is_asked_of_a_row_is_the_task_s():
    assert VIEW.request(VIEW.examples[0]) == Request("test-fr", "France", {"country": "France"})


def test_a_source_without_a_training_split_has_no_training_targets():
    assert VIEW.training is None
    assert VIEW.pairs([]).training_targets is None


def test_training_targets_are_what_is_learned_and_are_read_when_asked_for():
    read_so_far: list[str] = []

    def training() -> list[Example]:
        read_so_far.append("train")
        return list(TASK.examples("train"))

    pairs = replace(VIEW, training=training).answered(SAID)
    assert read_so_far == []
    assert pairs.training_targets is not None
    assert list(pairs.training_targets()) == ["paris", "tokyo"]
    assert read_so_far == ["train"]


def test_scorings_of_one_view_share_what_is_parsed_and_nothing_else():
    one, other = VIEW.answered(SAID), VIEW.answered(SAID)
    one.cache["own"] = 1
    one.cache["shared"]["parsed"] = "molecule"
    assert "own" not in other.cache
    assert other.cache["shared"] == {"parsed": "molecule"}
    VIEW.cache.clear()


def test_views_share_nothing_unless_they_are_given_the_same():
    kept: dict[str, str] = {}
    first, second = replace(VIEW, cache=kept), replace(VIEW, cache=kept)
    first.answered(SAID).cache["shared"]["a"] = "b"
    assert second.pairs([]).cache["shared"] == {"a": "b"}
    assert VIEW.pairs([]).cache["shared"] == {}


def test_rows_of_a_vocabulary_that_is_not_ours_name_its_folder(tmp_path):
    assert replace(VIEW, vocab=tmp_path).pairs([]).vocab == tmp_path
    assert VIEW.pairs([]).vocab is None


def test_two_views_are_the_same_whatever_was_parsed():
    assert replace(VIEW, cache={"a": "b"}) == VIEW
    assert "cache" not in repr(VIEW)
