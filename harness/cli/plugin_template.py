"""The files of a new plugin package: small, working and without dependencies, to be changed part by part."""

from __future__ import annotations

PYPROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "$name"
version = "0.1.0"
description = "$what for Assay"
requires-python = ">=3.11"
dependencies = ["assay-bench>=$release"]

[project.optional-dependencies]
test = ["pytest"]

[project.entry-points.harness]
$name = "$module"
"""

README = """\
# $name

$what for Assay.

    pip install -e '.[test]'
    pytest
    run-bench plugins check $name
    run-bench --model $model --task $task

`$module/__init__.py` says what there is; it imports nothing heavy, because every command reads it.
The modules that it names are imported only when they are chosen.
"""

INIT = '''\
"""$what for Assay."""

from harness import $entries, hookimpl

HARNESS_API_VERSION = $api  # another one is refused in a sentence
$hooks'''

MODEL_HOOK = '''

@hookimpl
def harness_models() -> list[ModelEntry]:
    """Offer the model; "stages=()" would say that it needs no training."""
    return [ModelEntry("$name", "learns which letter stands for which", f"{__name__}.model:Model")]
'''

TASK_HOOK = '''

@hookimpl
def harness_tasks() -> list[TaskEntry]:
    """Offer the task."""
    return [TaskEntry("$name", "write a word in capitals", f"{__name__}.task:Rows")]
'''

METRIC_HOOK = '''

@hookimpl
def harness_metrics() -> list[MetricEntry]:
    """Offer the metric; "scale" is for tables, which show shares as percent."""
    return [MetricEntry("$name-match", "share of right answers", f"{__name__}.metric:match", scale=100.0)]
'''

RETRIEVER_HOOK = '''

@hookimpl
def harness_retrievers() -> list[RetrieverEntry]:
    """Offer the retriever."""
    return [RetrieverEntry("$name", "the share of words in common", f"{__name__}.retriever:CommonWords")]
'''

VERB_HOOK = '''

@hookimpl
def harness_verbs() -> list[VerbEntry]:
    """Offer the verb; the examples end its help."""
    example = "run-bench $name toy --rows 3"
    return [VerbEntry("$name", "show a task's longest rows", f"{__name__}.verb:Longest", examples=(example,))]
'''

MODEL = '''\
"""A model: what it learns from pairs, where it keeps that, and how it answers a prompt."""

from __future__ import annotations

import json

from harness import (
    Answers,
    Checkpoint,
    ModelPlugin,
    ModelSession,
    RunContext,
    TrainData,
    TrainPair,
    TrainSpec,
    UsageError,
)


class Model(ModelPlugin):
    """Remembers, letter by letter, what the last word of a prompt was turned into."""

    def train(self, data: TrainData, spec: TrainSpec, run: RunContext) -> Checkpoint:
        """Learn from the training pairs and leave a checkpoint in the run's directory."""
        letters: dict[str, str] = {}
        for row in data.train:
            if isinstance(row, TrainPair):
                letters.update(zip(_last_word(row.prompt), row.target, strict=False))
        folder = run.directory / "checkpoint"
        if run.is_main:  # with several processes, one of them writes
            folder.mkdir(exist_ok=True)
            (folder / "letters.json").write_text(json.dumps(letters), encoding="utf-8")
        return Checkpoint(folder)

    def open(self, checkpoint: Checkpoint | None, run: RunContext) -> ModelSession:
        """Load what was learned, ready to be asked as often as there is something to ask."""
        if checkpoint is None:
            raise UsageError("this model needs a checkpoint", hint="leave --no-train out")
        letters = json.loads((checkpoint.path / "letters.json").read_text(encoding="utf-8"))
        return Answers(lambda request: _written(_last_word(request.prompt), letters))


def _last_word(prompt: str) -> str:
    return (prompt.split() or [""])[-1]


def _written(word: str, letters: dict[str, str]) -> str:
    return "".join(letters.get(letter, letter) for letter in word)
'''

TASK = '''\
"""A task: its rows, the prompt, and the metrics that score it. Keep it light: `run-bench show` imports it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness import Example, PromptFormat, Task
from harness.data.csv_rows import read_csv


class Rows(Task):
    """Words and their capitals, out of the CSV beside this file or of another with the same columns."""

    version = "1"  # a new one says that scores no longer compare with the old
    licence = "CC0-1.0 (the rows of the sample)"
    metrics = ("$metric",)
    prompt_format = PromptFormat("$name", "Write in capitals: {word}")
    sources = {"sample": "the six rows in rows.csv", "dir": "a CSV file with the same columns"}

    def examples(self, split: str) -> Iterator[Example]:
        """Yield the rows of a split."""
        sample = self.data.source == "sample"
        path = Path(__file__).with_name("rows.csv") if sample else Path(self.data.source)
        for _, row in read_csv(path, ("id", "split", "word", "answer")):
            if row["split"] == split:
                yield Example(row["id"], {"word": row["word"]}, (row["answer"],))
'''

ROWS = """\
id,split,word,answer
1,train,nickel,NICKEL
2,train,cobalt,COBALT
3,validation,tin,TIN
4,test,neon,NEON
5,test,titanic,TITANIC
6,test,tonic,TONIC
"""

METRIC = '''\
"""A metric: one number for all rows together, and one a row, from which its interval is computed."""

from __future__ import annotations

from harness import Pairs, Score


def match(pairs: Pairs) -> Score:
    """Return the share of answers that are one of the row's references; undefined without rows."""
    hits = tuple(float(prediction.text in example.references) for example, prediction in pairs)
    return Score("$name-match", sum(hits) / len(hits) if hits else None, len(hits), hits)
'''

RETRIEVER = '''\
"""A retriever: it makes texts searchable once, and finds the nearest to each question."""

from __future__ import annotations

from collections.abc import Sequence

from harness import Hit, Index, Retriever


class CommonWords(Retriever):
    """Finds the texts that share most words with the question."""

    def index(self, texts: Sequence[str]) -> Index:
        """Take the words of each text apart."""
        return _Words([set(text.lower().split()) for text in texts])


class _Words(Index):
    """The words of each text."""

    def __init__(self, texts: list[set[str]]) -> None:
        self._texts = texts

    def search(self, query: str, k: int) -> Sequence[Hit]:
        """Return the nearest texts, nearest first and the first of equals first."""
        asked = set(query.lower().split())
        hits = [Hit(place, _likeness(asked, text)) for place, text in enumerate(self._texts)]
        return sorted(hits, key=lambda hit: -hit.score)[:k]


def _likeness(one: set[str], other: set[str]) -> float:
    return len(one & other) / max(len(one | other), 1)
'''

VERB = '''\
"""A verb of the command line: its docstring is the help, and the workbench opens tasks and models for it."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from harness import DataSpec, UsageError, Verb, Workbench


class Longest(Verb):
    """Show the rows of a task's sample with the longest references."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Say what the verb takes."""
        parser.add_argument("task", help="a task")
        parser.add_argument("--rows", type=int, default=3, metavar="N", help="how many (default: 3)")

    def run(self, args: Namespace, bench: Workbench) -> int:
        """Find and show them; what cannot be done is said in one sentence."""
        if args.rows < 1:
            raise UsageError(f"--rows must be at least 1, not {args.rows}")
        view = bench.open_task(args.task, DataSpec(source="sample"))
        rows = sorted(view.examples, key=lambda row: (-len(row.references[0]), row.id))[: args.rows]
        bench.show("longest", ["row", "reference"], [[row.id, row.references[0]] for row in rows], words=True)
        return 0
'''

TEST = '''\
"""The plugin does its work in the real program."""

import json
import subprocess
import sys


def run_bench(*arguments, folder):
    command = [sys.executable, "-m", "harness", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_plugin_is_found(tmp_path):
    rows = run_bench("plugins", "--json", folder=tmp_path)
    (found,) = (row for row in rows if row["name"] == "$name")
    assert found["ok"], found["reason"]


def test_a_run_ends_with_a_score(tmp_path):
    command = ["--model", "$model", "--task", "$task", "--metrics", "$metric", "--json"]
    (run,) = run_bench(*command, folder=tmp_path)["runs"]
    assert run["scores"]["$metric"]["value"] == $value
'''
