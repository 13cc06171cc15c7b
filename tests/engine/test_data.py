"""From a task's rows to what is scored, asked and learned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import pytest

from harness import (
    Annotation,
    Completion,
    DataError,
    DataSpec,
    Example,
    MetricEntry,
    Passage,
    PluginError,
    PromptFormat,
    Score,
    StageEntry,
    Task,
    TaskEntry,
    TaskOptions,
    TrainPair,
    UsageError,
)
from harness.engine.data import TaskData, ValidationScorer, open_task
from harness.engine.learned import training_data, training_digest
from harness.engine.plugin_manager import LoadedPlugin, Plugins
from harness.engine.registry import Registered, Registry

SFT = StageEntry("sft", "", "")
ROWS = {
    "train": [Example("1", {"word": "a"}, ("b",)), Example("2", {"word": "c"}, ("d",))],
    "validation": [Example("3", {"word": "e"}, ("f",))],
    "test": [Example("4", {"word": "g"}, ("h",))],
}


class Words(Task):
    metrics = ("right",)
    prompt_format = PromptFormat("word", "after {word} comes")
    rows: Mapping[str, list[Example]] = ROWS

    def examples(self, split: str) -> Iterator[Example]:
        yield from self.rows[split]

    def splits(self) -> tuple[str, ...]:
        return tuple(self.rows)


class Given(Registered[TaskEntry]):
    """An entry whose class is at hand."""

    kind: type[Task] = Words

    def load(self) -> Any:
        return self.kind


def opened(task: type[Task] = Words, name: str = "words", **entry: Any) -> TaskData:
    plugin = LoadedPlugin("p", "installed", "p", module=ModuleType("p"))
    registered = Given(TaskEntry(name, "", "p:T", **entry), plugin)
    registered.kind = task
    plugin.entries = [registered.entry]
    plugins = Plugins()
    plugins.loaded = [plugin]
    return open_task(Registry(plugins), registered, DataSpec(), "")


def made(**rows: list[Example]) -> type[Task]:
    return type("Made", (Words,), {"rows": rows})


def test_rows_are_asked_and_learned_by_one_format():
    data = opened()
    (row,) = data.examples("test")
    assert data.request(row).prompt == "after g comes"
    assert list(data.rows("train", None)) == [
        TrainPair("after a comes", "b", {"word": "a"}),
        TrainPair("after c comes", "d", {"word": "c"}),
    ]
    assert list(data.rows("train", 1)) == [TrainPair("after a comes", "b", {"word": "a"})]


@pytest.mark.parametrize(
    ("rows", "kind", "said"),
    [
        ([], DataError, "task 'words', split 'test' is empty"),
        ([7], PluginError, "yields 7, which is no Example"),
        ([Example(7, {}, ())], PluginError, "which is no Example"),  # type: ignore[arg-type]
        ([ROWS["test"][0]] * 2, DataError, "two rows have the id '4'"),
    ],
)
def test_rows_that_cannot_be_are_refused_by_name(rows, kind, said):
    with pytest.raises(kind) as refused:
        opened(made(test=rows)).examples("test")
    assert said in refused.value.message


def test_a_split_that_is_not_there_gets_the_nearest():
    with pytest.raises(UsageError, match="task 'words' has no split 'tset'") as refused:
        opened().examples("tset")
    assert refused.value.hint == "did you mean test?"


def test_a_digest_changes_with_all_that_a_row_holds_and_with_nothing_else():
    plain = Example("1", {"a": "b"}, ("c",))
    others = [
        Example("1", {"a": "b"}, ("d",)),
        Example("1", {"a": "b"}, ("c",), choices=("c", "d")),
        Example("1", {"a": "b"}, ("c",), passages=(Passage("p", "text"),)),
        Example("1", {"a": "b"}, ("c",), annotations=(Annotation("boolean", ("p",)),)),
    ]
    digests = [opened(made(test=[row])).digest("test") for row in [plain, *others]]
    assert len(set(digests)) == len(digests)
    same = Example("1", {"a": "b"}, ("c",), meta={"source": "elsewhere"})
    assert opened(made(test=[same])).digest("test") == digests[0]


def test_shots_make_another_prompt_and_are_learned_with():
    class Shown(Words):
        def __init__(self, data: DataSpec | None = None, options: Any = None) -> None:
            super().__init__(data, TaskOptions(shots=1))

    plain, shown = opened(), opened(Shown)
    assert plain.prompt_digest != shown.prompt_digest
    assert all("\n\n" in row.prompt for row in shown.rows("train", None))  # type: ignore[attr-defined]


def test_several_tasks_are_mixed_so_that_none_comes_last():
    many = made(train=[Example(str(n), {"word": "x"}, ("y",)) for n in range(6)], test=ROWS["test"])
    data = training_data([opened(many, "many"), opened(name="few")], DataSpec(), SFT)
    words = [row.inputs["word"] for row in data.train]  # type: ignore[attr-defined]
    assert len(words) == 8
    assert "x" in words[:2] and "x" in words[-2:]
    assert words.index("a") < 4 <= words.index("c")
    assert data.validation == list(opened().rows("validation", None))


def test_what_is_learned_is_known_by_rows_and_prompts():
    spec = DataSpec()
    other = type("Other", (Words,), {"prompt_format": PromptFormat("word", "{word} then")})
    digests = {training_digest([opened(kind)], spec, SFT) for kind in (Words, other)}
    assert len(digests) == 2
    assert training_digest([opened()], DataSpec(train_limit=1), SFT) not in digests


def right(pairs: Any) -> Score:
    values = tuple(float(p.text in e.references) for e, p in pairs)
    return Score("right", sum(values) / len(values), len(values), values)


def test_validation_reads_answers_as_a_run_does_and_means_over_tasks():
    one, two = opened(name="one"), opened(made(validation=[Example("3", {"word": "x"}, ("y",))]), "two")
    parts = [(one, one.examples("validation")), (two, two.examples("validation"))]
    scorer = ValidationScorer(parts, {"right": (MetricEntry("right", "", "x:y"), right)}, "right")
    assert [request.id for request in scorer.requests] == ["one:3", "two:3"]
    said = [Completion("one:3", " f "), Completion("two:3", "no")]
    assert scorer(said) == {"right": 0.5}
    thinking = ValidationScorer(
        parts, {"right": (MetricEntry("right", "", "x:y"), right)}, "", ("<t>", "</t>")
    )
    assert thinking([Completion("one:3", "<t>e</t>f"), Completion("two:3", "<t>y")]) == {"right": 0.5}
    earned = {name: (MetricEntry(name, "", "x:y"), right) for name in ("right", "earned", "neither")}
    assert ValidationScorer(parts, earned, "earned")(said) == {"right": 0.5, "earned": 0.5}


def test_choices_are_learned_as_the_letters_they_are_asked_by():
    listed = PromptFormat("listed", "{word}?\n{choices}\nAnswer:")
    row = Example("1", {"word": "snow"}, ("white",), choices=("red", "white"))
    kind = type("Choice", (Words,), {"rows": {"train": [row], "test": [row]}, "prompt_format": listed})
    data = opened(kind, kind="choose")
    assert (data.way, data.kind) == ("letters", "choose")
    (pair,) = data.rows("train", None)
    assert (pair.prompt, pair.target) == ("snow?\nA. red\nB. white\nAnswer:", "B")  # type: ignore[attr-defined]
