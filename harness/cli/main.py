"""Reads the command line, runs one verb, and turns each expected failure into a sentence and an exit code."""

from __future__ import annotations

import argparse
import atexit
import gc
import importlib
import os
import shlex
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, cast

from harness.api.errors import HarnessError, UsageError, of_system
from harness.engine import bundled

from .output import flush, say, take_any_text, write
from .parser import PROGRAM, Parser

if TYPE_CHECKING:
    from harness.engine.ranks import Ranks

# The program's own verbs and what they do; plugins bring the others. The module of a verb is imported
# only when it is chosen.
VERBS = {
    "run": "fine-tune, generate, score and record (what happens without a verb)",
    "train": "train a model on a task, any stage, and stop there",
    "generate": "generate answers and stop before scoring",
    "score": "score saved answers: no model, no GPU",
    "resume": "continue a run from its directory",
    "sweep": "carry out models × tasks × seeds × overrides, here, on Ray or on SLURM",
    "chat": "talk to a model in the terminal, or ask it once",
    "serve": "open models and answer over HTTP, as OpenAI's server does",
    "list": "list models, tasks, metrics, retrievers or stages",
    "show": "show the card of a model, task, metric, retriever, stage or finished run",
    "data": "say what data a task needs, check it, find overlaps",
    "show-prompt": "print exactly what a model is asked",
    "show-config": "print the resolved configuration and where each value comes from",
    "plugins": "list plugins, good and bad, and what they cost",
    "new-plugin": "write a working plugin package to start from",
    "doctor": "check Python, libraries, device and folders",
    "completion": "print what makes bash, zsh or fish complete names",
}
LONGEST = 500  # characters of a line of an error
CONTINUED = ("run", "train", "generate", "resume", "sweep")  # the verbs that keep what they have done


def verbs() -> dict[str, str]:
    """Return the verbs of the program and of bundled plugins; strangers' are found when asked for."""
    return VERBS | {entry.name: entry.summary for entry in bundled.verbs()}


def module_of(verb: str) -> str:
    """Return the name of a verb's module."""
    return verb.replace("-", "_")


class Program(Protocol):
    """A verb as the program runs it: a module of this package, or a plugin's verb."""

    def add_parser(self, subparsers: Any) -> None:
        """Describe the verb and what it takes."""
        ...

    def run(self, args: argparse.Namespace) -> int:
        """Do it and return the exit code."""
        ...


def load(verb: str, arguments: Sequence[str] = ()) -> Program:
    """Import a verb of the program, or find it among what plugins bring."""
    if verb in VERBS:
        return cast(Program, importlib.import_module(f"harness.cli.{module_of(verb)}"))
    from .hosted import find  # here, because a verb of the program's own loads no plugin for its name

    return find(verb, arguments, VERBS)


def parse(argv: Sequence[str]) -> tuple[Program, argparse.Namespace]:
    """Find the verb and parse its arguments; no leading verb means `run`."""
    rest = list(argv)
    verb = rest.pop(0) if rest and not rest[0].startswith("-") else "run"
    program = load(verb, rest)
    parser = Parser(prog=PROGRAM, add_help=False, allow_abbrev=False)
    program.add_parser(parser.add_subparsers(prog=PROGRAM))
    args = parser.parse_args([verb, *rest])
    args.command = (PROGRAM, *argv)
    return program, args


def overview() -> str:
    """Return the first page of help: the verbs and where to read on."""
    width = max(map(len, verbs()))
    lines = [f"  {verb:<{width}}  {text}" for verb, text in verbs().items()]
    return "\n".join(
        [
            f"usage: {PROGRAM} --model MODEL --task TASK [options]",
            f"       {PROGRAM} VERB [options]",
            "",
            "Fine-tune scientific language models, score them with the field's own metrics, publish tables.",
            "",
            "verbs:",
            *lines,
            "",
            f"{PROGRAM} VERB --help explains a verb; {PROGRAM} run --help has the options of the first line.",
            f"{PROGRAM} plugins shows what installed plugins add.",
            f"first steps:  {PROGRAM} --model toy --task toy    {PROGRAM} list models    {PROGRAM} doctor",
        ]
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    set_environment()
    collect_seldom()
    take_any_text()
    ranks = None
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminate)
        if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # as it was while the program was imported
            signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        if (text := short_answer(arguments)) is not None:
            write(text + "\n")
            flush()
            return 0 if arguments else UsageError.exit_code
        if (ranks := joined()) is not None and ranks.rank > 0:
            return follow(ranks)
        program, args = parse(arguments)
        args.ranks = ranks
        code = int(program.run(args))
        flush()
        return code
    except HarnessError as error:
        show_traceback(arguments)
        report(error)
        return error.exit_code
    except KeyboardInterrupt as stop:
        return stopped(stop, arguments)
    except BrokenPipeError:  # the reader of our output has left, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001  our own bug, or a full disk: still a sentence, not a stack
        show_traceback(arguments)
        found = unexpected(error)
        report(found)
        return found.exit_code
    finally:
        if ranks is not None and ranks.rank == 0:
            ranks.dismiss()


def short_answer(arguments: Sequence[str]) -> str | None:
    """Return what needs no verb: the first page of help, or the version."""
    if arguments == ["--version"]:
        from harness import __version__  # the face is not needed for anything else here

        return f"{PROGRAM} {__version__}"
    return overview() if list(arguments) in ([], ["--help"], ["-h"], ["help"]) else None


def joined() -> Ranks | None:
    """Meet the other ranks of a launcher, where one started this process."""
    if "RANK" not in os.environ:
        return None
    from harness.engine.ranks import join  # here, because hardly any command is one of several

    return join()


def follow(ranks: Ranks) -> int:
    """Take part in what rank 0 does, and leave all speaking to it."""
    from harness.engine.worker import work  # here, because only a rank of a launcher needs it

    try:
        ranks.follow(work)
    except KeyboardInterrupt:
        return 128 + signal.SIGTERM
    return 0


class Terminated(KeyboardInterrupt):
    """SIGTERM came, as a batch system sends it; it stops a run as Ctrl-C does."""


def _terminate(signum: int, frame: Any) -> NoReturn:
    raise Terminated


def stopped(stop: KeyboardInterrupt, arguments: Sequence[str]) -> int:
    """Say how to continue, and return the exit code of the signal."""
    text = "\nstopped" + "".join(f"; {note}" for note in getattr(stop, "__notes__", ()))
    if arguments[0].startswith("-") or arguments[0] in CONTINUED:
        again = shlex.join([PROGRAM, *(part for part in arguments if part != "--fresh")])
        text += f"; what is finished is kept, and the same command continues:\n  {again}"
    say(text)
    return 128 + (signal.SIGTERM if isinstance(stop, Terminated) else signal.SIGINT)


def show_traceback(arguments: Sequence[str]) -> None:
    """Print where an error happened, for who wants to know."""
    if "--debug" in arguments:
        import traceback  # here, because hardly any run needs it

        traceback.print_exc()


def unexpected(error: Exception) -> HarnessError:
    """Return an error that nobody has foreseen as one sentence."""
    if isinstance(error, OSError) and error.strerror:
        return of_system(error, hint="--debug shows where it happened")
    return HarnessError(
        f"unexpected {type(error).__name__}: {error}",
        hint="this is a fault of the program, not of yours; --debug shows where it happened",
    )


def set_environment() -> None:
    """Set what libraries read once, when they are imported; what the user has set stays."""
    quiet = {
        # Threads that spin for long make a step many times slower on a busy machine; threads that never
        # spin are woken a thousand times a step, which on a free machine costs more than they bring.
        "OMP_WAIT_POLICY": "PASSIVE",
        "GOMP_SPINCOUNT": "1000",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",  # we show progress ourselves
    }
    # oneDNN compiles a kernel for each shape and keeps 1024 of them, and torch as many again: with batches of
    # all lengths that doubled the memory of a training and made it no faster.
    quiet |= {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "64", "LRU_CACHE_CAPACITY": "64"}
    if not Path("/dev/nvidia0").exists():
        quiet["DS_ACCELERATOR"] = "cpu"  # DeepSpeed would say on stdout that it found nothing better
    for name, value in quiet.items():
        os.environ.setdefault(name, value)


def collect_seldom() -> None:
    """Look for cyclic garbage seldom, and not at all on leaving.

    What the libraries bring lives to the end: going through all of it took two seconds at exit and half a
    second of the imports.
    """
    gc.set_threshold(20_000)
    atexit.unregister(gc.freeze)  # once, however often a process calls main()
    atexit.register(gc.freeze)


def report(error: HarnessError) -> None:
    """Print an expected failure: what happened, and what to do."""
    say(f"error: {_short(error.message)}")
    if error.hint:
        say(f"hint: {_short(error.hint)}")


def _short(text: str) -> str:
    """Cut lines that repeat what a stranger has written without end."""
    return "\n".join(line if len(line) <= LONGEST else line[: LONGEST - 1] + "…" for line in text.split("\n"))
