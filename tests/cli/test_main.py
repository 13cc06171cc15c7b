"""How the program is entered and left: which verb, which exit code, what a signal and a fault leave."""

from __future__ import annotations

import importlib
import io
import os
import signal
import sys
from argparse import Namespace

import pytest

from harness import DataError, HarnessError, UsageError, __version__
from harness.cli.main import Terminated, overview, parse, set_environment, short_answer, stopped, unexpected

TOY = ("--model", "toy", "--task", "toy")
program = importlib.import_module("harness.cli.main")  # the package's `main` is the function


class Verb:
    """A verb that does what a test wants."""

    def __init__(self, does) -> None:
        self.does = does

    def add_parser(self, subparsers) -> None:
        parser = subparsers.add_parser("list")
        parser.add_argument("--debug", action="store_true")

    def run(self, args: Namespace) -> int:
        return self.does(args)


@pytest.fixture
def doing(main, monkeypatch):
    """Return a function that runs the program with a verb that does something."""

    def run(does, *arguments: str):
        monkeypatch.setattr(program, "load", lambda verb, rest=(): Verb(does))
        return main("list", *arguments)

    return run


def failing(error: BaseException):
    def fail(args: Namespace) -> int:
        raise error

    return fail


@pytest.mark.parametrize(("wanted", "code"), [(0, 0), (1, 1), (3, 3), (True, 1)])
def test_the_exit_code_is_the_verbs(doing, wanted, code):
    assert doing(lambda args: wanted).code == code


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (HarnessError("it is so"), 1, "error: it is so\n"),
        (UsageError("no", hint="do this"), 2, "error: no\nhint: do this\n"),
        (DataError("bad"), 4, "error: bad\n"),
        (OSError(28, "No space left on device", "runs/x"), 1, "error: runs/x: No space left on device\n"),
        (OSError(5, "Input/output error"), 1, "error: Input/output error\n"),
        (KeyError("smiles"), 1, "error: unexpected KeyError: 'smiles'\n"),
    ],
)
def test_a_fault_is_a_sentence_and_an_exit_code(doing, error, code, said):
    done = doing(failing(error))
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith(said)
    assert "Traceback" not in done.err


def test_debug_shows_where_a_fault_happened_before_the_sentence(doing):
    for error in (UsageError("no"), KeyError("x")):
        done = doing(failing(error), "--debug")
        assert done.err.startswith("Traceback") and "in fail" in done.err
        assert done.err.splitlines()[-1 if isinstance(error, UsageError) else -2].startswith("error: ")


def test_a_fault_of_the_program_says_whose_it_is():
    assert unexpected(KeyError("x")).hint.startswith("this is a fault of the program, not of yours")
    assert unexpected(OSError(28, "No space left")).hint == "--debug shows where it happened"


def test_ctrl_c_says_how_a_run_continues(doing):
    done = doing(failing(KeyboardInterrupt()))
    assert (done.code, done.err) == (130, "\nstopped\n")


@pytest.mark.parametrize(
    ("arguments", "again"),
    [
        (["--model", "toy", "--task", "my task.toml"], "run-bench --model toy --task 'my task.toml'"),
        (["run", "--fresh", "--model", "toy"], "run-bench run --model toy"),
        (["train", "--model", "toy"], "run-bench train --model toy"),
        (["resume", "runs/x"], "run-bench resume runs/x"),
        (["leaderboard", "build"], ""),
    ],
)
def test_a_stopped_run_names_the_command_that_continues_it(capsys, arguments, again):
    assert stopped(KeyboardInterrupt(), arguments) == 128 + signal.SIGINT
    err = capsys.readouterr().err
    assert err == (
        f"\nstopped; what is finished is kept, and the same command continues:\n  {again}\n"
        if again
        else "\nstopped\n"
    )


def test_what_a_stop_has_seen_is_said_and_a_batch_systems_signal_is_told_apart(capsys):
    stop = Terminated()
    stop.add_note("step 40 is kept")
    assert stopped(stop, ["train", "--model", "toy"]) == 128 + signal.SIGTERM
    assert capsys.readouterr().err.startswith("\nstopped; step 40 is kept; what is finished is kept")


def test_sigterm_stops_a_verb_as_ctrl_c_does(doing):
    def waits(args: Namespace) -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()
        return 0

    before = signal.getsignal(signal.SIGTERM)
    try:
        assert doing(waits).code == 143
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("words", [["--version"]])
def test_the_version_is_one_line(main, words):
    done = main(*words)
    assert (done.code, done.out, done.err) == (0, f"run-bench {__version__}\n", "")


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["help"]])
def test_help_in_any_form_is_the_first_page(main, words):
    assert main(*words).out == overview() + "\n"


def test_only_what_needs_no_verb_is_answered_at_once():
    assert short_answer(["--help", "run"]) is None
    assert short_answer(["run", "--help"]) is None
    assert short_answer([]) == overview()


def test_the_first_page_fits_a_terminal_and_names_every_verb_once():
    lines = overview().splitlines()
    assert max(map(len, lines)) <= 120
    for verb in program.VERBS:
        assert sum(line.split()[:1] == [verb] for line in lines) == 1


def test_without_a_verb_it_runs():
    module, args = parse(TOY)
    assert module is importlib.import_module("harness.cli.run")
    assert args.command == ("run-bench", *TOY)
    assert vars(parse(["run", *TOY])[1]) | {"command": 0} == vars(args) | {"command": 0}


def test_a_verb_of_several_words_is_a_module_of_that_name():
    assert parse(["show-config", *TOY])[0] is importlib.import_module("harness.cli.show_config")


def test_a_second_verb_is_no_argument(main):
    done = main("list", "models", "tasks")
    assert done.code == 2 and "unknown argument tasks" in done.err


def test_what_the_user_has_set_stays_and_the_rest_is_set(monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    monkeypatch.delenv("TOKENIZERS_PARALLELISM", raising=False)
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    set_environment()
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"
    assert os.environ["TOKENIZERS_PARALLELISM"] == "false"
    assert os.environ["GOMP_SPINCOUNT"] == "1000"


def test_a_stream_of_few_letters_takes_any_text(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    program.take_any_text()
    program.write("Fréchet\n")
    sys.stdout.flush()
    assert raw.getvalue() == b"Fr\\xe9chet\n"


def test_the_rank_that_is_not_the_first_only_follows(main, monkeypatch):
    followed = []

    class Ranks:
        rank = 1

        def follow(self, work) -> None:
            followed.append(work.__name__)

    monkeypatch.setattr(program, "joined", Ranks)
    done = main(*TOY)
    assert (done.code, done.out, done.err) == (0, "", "")
    assert followed == ["work"]


def test_the_first_rank_dismisses_the_others_also_after_a_fault(doing, monkeypatch):
    dismissed = []

    class Ranks:
        rank = 0

        def dismiss(self) -> None:
            dismissed.append(True)

    monkeypatch.setattr(program, "joined", Ranks)
    assert doing(failing(UsageError("no"))).code == 2
    assert doing(lambda args: 0).code == 0
    assert len(dismissed) == 2
