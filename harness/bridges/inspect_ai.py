"""A task as inspect_ai reads it: a Python file beside the rows, in which nothing of ours is needed."""

from __future__ import annotations

from pathlib import Path
from string import Template

from harness.api.errors import UsageError
from harness.files.writing import write

from .names import identifier
from .rows import Facts, Split, check_answered

HEAD = '''\
"""$title, version $version, as a task of inspect_ai: inspect eval $file --model PROVIDER/NAME

The rows are those of $rows, whose SHA-256 is
$sha256.
"""

from pathlib import Path

from inspect_ai import Task, task
from inspect_ai.dataset import Sample, json_dataset
from inspect_ai.model import ChatMessageAssistant, ChatMessageSystem, ChatMessageUser
'''
RECORD = """
ROWS = Path(__file__).with_name("$rows")
ROLES = {"user": ChatMessageUser, "assistant": ChatMessageAssistant, "system": ChatMessageSystem}


def asked(row):
    turns = [ROLES[turn["role"]](content=turn["content"]) for turn in row["messages"]]
    return [*turns, ChatMessageUser(content=row["prompt"])] if turns else row["prompt"]
"""
GENERATE = '''\
from inspect_ai.scorer import CORRECT, INCORRECT, Score, accuracy, scorer, stderr
from inspect_ai.solver import generate
$record

def sample(row):
    return Sample(id=row["id"], input=asked(row), target=row["references"])


@scorer(metrics=[accuracy(), stderr()])
def exact_match():
    """Whether the answer, without white space around it, is one of the references."""

    async def score(state, target):
        said = state.output.completion.strip()
        return Score(value=CORRECT if said in list(target) else INCORRECT, answer=said)

    return score


@task
def $name():
    return Task(dataset=json_dataset(str(ROWS), sample), solver=generate(), scorer=exact_match())
'''
CHOOSE = """\
from inspect_ai.scorer import choice
from inspect_ai.solver import multiple_choice
$record

def sample(row):
    letter = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[row["answer"]]
    return Sample(id=row["id"], input=asked(row), choices=row["choices"], target=letter)


@task
def $name():
    return Task(dataset=json_dataset(str(ROWS), sample), solver=multiple_choice(), scorer=choice())
"""
KINDS = {"generate": GENERATE, "choose": CHOOSE}


def write_task(facts: Facts, split: Split, folder: Path) -> Path:
    """Write the task beside the rows of a split."""
    if facts.kind not in KINDS:
        raise UsageError(f"inspect asks no model how likely a text is, as {facts.name} does")
    check_answered(facts, split)
    name = f"assay_{identifier(facts.title)}"
    path = folder / f"{name}.py"
    values = {"rows": split.path.name, "name": name, "file": path.name, "sha256": split.sha256}
    values |= {"title": facts.title, "version": facts.version}
    record = Template(RECORD).substitute(values)
    write(path, Template(HEAD + KINDS[facts.kind]).substitute(values, record=record))
    return path
