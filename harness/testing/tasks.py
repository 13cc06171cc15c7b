"""What must hold of a task: fixed rows, references that stay at home, prompts that are always the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.api.example import Example
from harness.api.spec import DataSpec
from harness.engine.data import TaskData, open_task

from .checking import Check, NotHere, want
from .loading import Item

LOOKED_AT = 50  # rows of a split
ODD = ("", "\0", "\ud800", "{}", "x" * 2000, "A", "药物")


def opened(item: Item, **options: object) -> TaskData:
    """Open a task on its built-in sample; a task without one cannot be looked at here."""
    if item.entry.members:
        raise NotHere("a group; its members are checked")
    registered = item.subject.registry.tasks.get(item.entry.name, near=item.subject.plugin)
    sources = item.load().sources
    if sources and "sample" not in sources:
        raise NotHere("it has no built-in sample")
    return open_task(item.subject.registry, registered, DataSpec(), "", options)


def rows(data: TaskData, split: str = "") -> list[Example]:
    """Return the first rows of a split, of the last one where none is named."""
    return data.examples(split or data.task.splits()[-1])[:LOOKED_AT]


def rows_are_fixed(item: Item, folder: Path) -> None:
    """Open the task twice and compare digests of every split."""
    one, other = opened(item), opened(item)
    for split in one.task.splits():
        want(one.digest(split) == other.digest(split), f"split '{split}' differs when it is opened again")


def counts_agree(item: Item, folder: Path) -> None:
    """Compare what the task's own check counts with the rows there are."""
    data = opened(item)
    report = data.task.check()
    for split in data.task.splits():
        found = len(data.examples(split))
        want(
            report.rows.get(split) == found,
            f"check() counts {report.rows.get(split)} of {found} in '{split}'",
        )
    want(not report.counts, f"its own sample has {dict(report.counts)}")


def splits_share_no_row(item: Item, folder: Path) -> None:
    """Look for a row that is learned from and scored too."""
    data = opened(item)
    seen: dict[str, str] = {}
    for split in data.task.splits():
        for example in data.examples(split):
            key = repr((sorted(example.inputs.items()), example.references, example.passages))
            where = seen.setdefault(key, split)
            want(where == split, f"row '{example.id}' of '{split}' is a row of '{where}' too")


def references_stay_home(item: Item, folder: Path) -> None:
    """Change the references; what a model is asked must not change with them."""
    data = opened(item)
    for example in rows(data):
        other = replace(example, references=("another answer",), annotations=())
        one, two = data.request(example), data.request(other)
        want(one == two, f"the request of row '{example.id}' changes with its references")


def prompts_are_the_same(item: Item, folder: Path) -> None:
    """Render the first rows in two openings."""
    one, other = opened(item), opened(item)
    for example, again in zip(rows(one), rows(other), strict=True):
        want(one.render(example) == other.render(again), f"the prompt of row '{example.id}' differs")
    want(one.prompt_digest == other.prompt_digest, "the digest of the prompt differs")


def a_limit_takes_the_first(item: Item, folder: Path) -> None:
    """Compare --limit 3 with the first three rows of the whole."""
    data = opened(item)
    split = data.task.splits()[-1]
    few, whole = opened(item).scored(split, 3), data.scored(split, None)
    want(few == whole[:3], f"{[e.id for e in few]}, not {[e.id for e in whole[:3]]}")


def shots_are_never_the_row(item: Item, folder: Path) -> None:
    """Draw shots from the very split that is asked, and look for the row among its own shots."""
    split = opened(item).task.splits()[-1]
    data = opened(item, shots=2, shots_split=split)
    if len(data.examples(split)) < 3:
        raise NotHere("fewer than three rows")
    bare = opened(item, shots=0)
    for example in rows(data, split):
        shown, own = data.render(example), bare.render(example)
        want(shown.endswith(own), f"the prompt of row '{example.id}' does not end with its question")
        want(own not in shown[: -len(own)], f"row '{example.id}' stands among its own shots")


def any_answer_can_be_read(item: Item, folder: Path) -> None:
    """Let the task read odd texts."""
    data = opened(item)
    example = rows(data)[0]
    for text in ODD:
        read = data.task.answer(text, data.request(example))
        want(isinstance(read, str), f"answer({text[:10]!r}) returned {read!r:.80}")


def its_own_answers_are_right(item: Item, folder: Path) -> None:
    """Let the task read what a model should learn to say."""
    data = opened(item)
    for example in rows(data):
        said = data.target(example)
        want(isinstance(said, str) and said.strip(), f"row '{example.id}' teaches {said!r:.80}")


def it_says_where_it_is_from(item: Item, folder: Path) -> None:
    """Look for licence, citation, version and metrics."""
    task = opened(item).task
    want(task.licence.strip(), "no licence")
    want(task.version.strip(), "no version")
    for name in task.metrics:
        item.subject.registry.metrics.get(name, near=item.subject.plugin)


CHECKS = tuple(
    Check(*facts)
    for facts in (
        (
            "fixed-rows",
            "the same rows in the same order whenever the task is opened",
            "seed what is drawn at random, and sort what comes from a set or a folder",
            rows_are_fixed,
        ),
        (
            "counts",
            "check() counts the rows that examples() yields",
            "let both read the same rows",
            counts_agree,
        ),
        (
            "splits-apart",
            "no row of one split in another",
            "remove the doubled rows, or derive splits from what a row is",
            splits_share_no_row,
        ),
        (
            "references-stay-home",
            "a request in which nothing depends on the references",
            "build prompts, inputs and choices without example.references",
            references_stay_home,
        ),
        (
            "prompt",
            "the same prompt for the same row",
            "build the prompt from the row alone",
            prompts_are_the_same,
        ),
        (
            "limit",
            "--limit 3 gives the first three rows",
            "yield rows in a fixed order",
            a_limit_takes_the_first,
        ),
        (
            "shots",
            "no row among its own shots",
            "give equal rows equal inputs, and every row an id of its own",
            shots_are_never_the_row,
        ),
        (
            "reads-anything",
            "answer() returns a text for any text",
            "return '' where there is none",
            any_answer_can_be_read,
        ),
        ("targets", "a text to learn in every row", "give each row a reference", its_own_answers_are_right),
        (
            "card",
            "licence, version, and metrics that exist",
            "set licence, version and metrics on the class",
            it_says_where_it_is_from,
        ),
    )
)
