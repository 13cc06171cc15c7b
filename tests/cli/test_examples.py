"""Every example that a help ends with is run as it stands, beside files of the names that it uses."""

from __future__ import annotations

import argparse
import io
import json
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from harness.cli.main import parse, verbs
from harness.cli.reference import parser_of
from harness.files.rows import read_rows, write_rows

ROOT = Path(__file__).resolve().parents[2]
NOT_RUN = {
    "run-bench serve --model ./my-model --port 8000": "answers until it is stopped; tests/serving starts it",
    "run-bench generate prompts.jsonl --model ./my-model --processes 2": "starts processes; "
    "tests/cli/test_generate.py runs it in one",
    "run-bench weights convert ./chatglm3-6b ./glm": "needs a ChatGLM; tests/language_models makes one",
    "run-bench convert scimind.ckpt folder --like llama-2-7b": "needs the settings of Llama 2 from the hub; "
    "tests/plugins/scimind names a folder that has them",
    "run-bench lm-eval run --model assay --model_args model=hf,checkpoint=./my --tasks arc_easy": "fetches "
    "the rows of a task; tests/bridges asks one of a folder",
    "run-bench lm-eval ls tasks": "needs lm-eval, whose own words follow; tests/bridges runs it where it is",
    "run-bench claims check --originals DIR": "needs answers that papers released; "
    "tests/leaderboards makes some",
}


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yield a parser and those of the actions below it."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from parsers(below)


def examples(parser: argparse.ArgumentParser) -> list[str]:
    """Return the command lines that a help ends with."""
    return [line.strip() for line in (parser.epilog or "").splitlines()[1:]]


def words(example: str) -> list[str]:
    """Return what the program gets of a line, without what the shell does around it."""
    (inner,) = re.findall(r"^(?:eval \"\$\()?run-bench ([^>)]*)", example)
    return shlex.split(inner)


EVERY = list(
    dict.fromkeys(line for verb in verbs() for one in parsers(parser_of(verb)) for line in examples(one))
)


@pytest.mark.parametrize("verb", verbs())
def test_every_help_ends_with_examples(verb: str) -> None:
    assert not [one.prog for one in parsers(parser_of(verb)) if not examples(one)]


@pytest.mark.parametrize("example", EVERY)
def test_every_example_is_understood(example: str) -> None:
    parse(words(example))


@pytest.mark.parametrize("example", [line for line in EVERY if line not in NOT_RUN])
def test_every_example_runs(
    example: str, main: Callable[..., Any], place: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for word, prepare in BEFORE.items():
        if word in example:
            prepare(main)
    monkeypatch.setattr("sys.stdin", io.StringIO("Hello\n"))
    done = main(*words(example))
    assert done.code == 0, done.err


def test_what_is_not_run_is_an_example_still() -> None:
    assert set(NOT_RUN) <= set(EVERY)


def toy_run(main: Callable[..., Any]) -> None:
    """Leave a run of the toy under the names that examples give it."""
    assert main("--model", "toy", "--task", "toy", "--quiet").code == 0
    (made,) = Path("runs/toy/toy").glob("2*")
    for name in ("RUN", "A", "B"):
        shutil.copytree(made, made.parent / name)


def board(main: Callable[..., Any]) -> None:
    """Leave a submission of a run, and a board that it is on."""
    toy_run(main)
    (made,) = Path("runs/toy/toy").glob("2*")
    assert main("leaderboard", "pack", made, "--output", "packed").code == 0
    shutil.make_archive("answers", "zip", "packed")
    assert main("leaderboard", "add", "packed", "--board", "mine").code == 0
    shutil.copytree("mine", "boards")


def several_answers(main: Callable[..., Any]) -> None:
    """Leave a run on training rows with two answers to each request."""
    asked = ("--model", "baseline/random", "--task", "lpm24/text2smiles", "--limit", "2")
    assert main("generate", *asked, "--split", "train", "--quiet").code == 0
    (made,) = Path("runs/lpm24/text2smiles").glob("*/2*")
    rows = list(read_rows(made / "completions.jsonl"))
    write_rows(made / "completions.jsonl", [row | {"alternatives": ["no molecule"]} for row in rows])
    made.rename("RUN")


def adapter(main: Callable[..., Any]) -> None:
    """Leave an adapter where a training does."""
    import peft
    from transformers import AutoModelForCausalLM

    config = peft.LoraConfig(target_modules=["q_proj"], r=2)
    model = AutoModelForCausalLM.from_pretrained("llama")
    peft.get_peft_model(model, config).save_pretrained("runs/trained/aimed/KEY")
    shutil.rmtree("merged", ignore_errors=True)


def linked(name: str, main: Callable[..., Any]) -> None:
    """Lay a tiny model under another name."""
    Path(name).symlink_to(Path("llama").resolve())


BEFORE: dict[str, Callable[[Callable[..., Any]], None]] = {
    "runs/toy/toy": toy_run,
    "leaderboard": board,
    "preferences RUN": several_answers,
    "trained/aimed": adapter,
    "./my-model": partial(linked, "my-model"),
    "quantise ./merged": partial(linked, "merged"),
    "convert folder": partial(linked, "folder"),
}

CAPITALS = "question,answer,split\nCapital of France?,Paris,train\nCapital of Italy?,Rome,test\n"
PAIRS = "CID\tSMILES\tdescription\n1\tCCO\tAn alcohol.\n2\tc1ccccc1\tAn arene.\n"
PREFERENCE = {"prompt": "Name an alcohol.", "chosen": "Ethanol.", "rejected": "Benzene."}


@pytest.fixture
def place(tmp_path: Path, tiny_llama: Path) -> None:
    """Fill the folder of a test with the files that examples name."""
    texts = {
        "my-task.toml": '[task]\nname = "capitals"\nfile = "capitals.csv"\nprompt = "{question}"\n'
        'answer = "answer"\nmetrics = ["exact-match"]\n',
        "sweep.toml": '[run]\nmodel = ["toy"]\ntask = ["toy"]\nseeds = [0, 1]\n',
        "capitals.csv": CAPITALS,
        "train.csv": CAPITALS,
        "test.csv": CAPITALS,
        "train.tsv": PAIRS,
        "test.tsv": PAIRS,
        "FOLDER/train.txt": PAIRS,
        "FOLDER/validation.txt": PAIRS,
        "FOLDER/test.txt": PAIRS,
        "answers.txt": "Paris\nRome\n",
        "references.txt": "Paris\nMilan\n",
        "prompts.txt": "CCO\n",
        "molecules.smi": "CCO\nCCC\n",
        "held-out.txt": "A short text.\n",
        "corpus.txt": "A short text about medicine.\n" * 20,
        "pairs.jsonl": json.dumps(PREFERENCE) + "\n",
        "alpaca.json": json.dumps([{"instruction": "Name it.", "input": "", "output": "Ethanol."}]),
        "talk.jsonl": json.dumps({"messages": [{"role": "user", "content": "Hi"}]}) + "\n",
        "my_plugin.py": (ROOT / "examples/iupac.py").read_text(encoding="utf-8"),
        "my_plugin.csv": (ROOT / "examples/iupac.csv").read_text(encoding="utf-8"),
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    shutil.copy(ROOT / "examples/paper.pdf", tmp_path)
    (tmp_path / "llama").symlink_to(tiny_llama)
