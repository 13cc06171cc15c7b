"""`chat`: talk to a model in the terminal, or ask it once."""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any, TextIO, get_type_hints

from harness.api.bounds import refuse_out_of_bounds
from harness.api.errors import HarnessError, MissingDependency, UsageError, nearest
from harness.api.notice import notice_of
from harness.api.spec import GenerateSpec
from harness.engine.config import read_flag
from harness.engine.values import convert
from harness.serving.conversation import Conversation
from harness.serving.plain import PlainEngine

from . import aimed_flags, paper
from .main import report
from .opening import add_model_arguments, context_of, opened, resolved_models
from .output import flush, say, write
from .parser import add_verb
from .serve import serve

OWN = ("ask", "system", "web", "port", *paper.OWN, *aimed_flags.OWN)
PORT = 8082
HELP = """\
/clear            forget what was said
/system TEXT      set the system prompt; without TEXT none
/set NAME=VALUE   how answers are decoded, as temperature=0.7; alone, show all
/undo             take the last question and its answer back
/retry            ask the last question again
/save FILE        write the conversation as a line of JSON
/evidence         show the paper's passages for the last question again
/edit             write the next question in $EDITOR
/exit             leave, as Ctrl-D does
Alt-Enter begins a new line, Enter sends. Ctrl-C stops an answer.
"""
# What is settled when the model is opened, or chosen of several texts that nobody sees in a chat.
OF_RUNS = ("options", "batch_tokens", "deterministic", "precision", "processes", "window", "stride", "n_best")
WORDS = {"exit": "/exit", "clear": "/clear", "vim": "/edit"}  # AiMed's own


def add_parser(subparsers: Any) -> None:
    """Describe the verb."""
    parser = add_verb(
        subparsers,
        "chat",
        "Talk to a model in the terminal, or with --web in the browser. With --ask, or where the "
        "question is piped in, it answers once and leaves.",
        "run-bench chat --model ./my-model",
        "run-bench chat --model ./my-model --ask 'What burns?'",
    )
    parser.add_argument("--ask", metavar="TEXT", help="ask this, print the answer, and leave")
    parser.add_argument("--system", metavar="TEXT", default="", help="the system prompt")
    parser.add_argument("--web", action="store_true", help="talk in the browser instead")
    parser.add_argument(
        "--port", type=int, default=PORT, metavar="N", help=f"of --web (default: {PORT}; 0: any that is free)"
    )
    paper.add_paper_arguments(parser)
    add_model_arguments(parser)
    aimed_flags.add_aimed_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Open the model and talk."""
    aimed_flags.take_aimed_arguments(args)
    models = resolved_models(args, OWN)
    if args.web:
        return serve(
            models,
            "127.0.0.1",
            args.port,
            started=webbrowser.open,
            retriever=partial(paper.retriever_of, args),
            about=args.paper,
        )
    [(model, resolved), *more] = models
    if more:
        raise UsageError("chat talks to one model", hint="name one --model")
    about = paper.paper_of(args)
    once = question_of(args.ask)
    prompt = None if once is not None else line_editor()
    spec = resolved.spec.generate
    notice = "\n".join(notice_of(resolved.spec, model.entry).values())
    with opened(model, resolved) as session:
        engine = session.engine(spec, 1) or PlainEngine(session, context_of(resolved), 1)
        conversation = Conversation(engine, spec, args.system, about)
        if once is not None:
            answer(conversation, once, sys.stderr)  # standard output holds the answer alone
            if notice:
                say(notice)
            return 0
        subject = f", about {about.paper.title or args.paper}" if about else ""
        write(f"{resolved.spec.title or resolved.spec.model}{subject}; /help says what can be done\n")
        write(f"{notice}\n" if notice else "")
        assert prompt is not None
        talk(conversation, prompt)
    return 0


def question_of(ask: str | None) -> str | None:
    """Return what is asked once: --ask, what is piped in, or both; None where somebody sits there."""
    piped = "" if sys.stdin is None or sys.stdin.isatty() else sys.stdin.read().strip()
    if ask is None and not piped:
        if sys.stdin is None or not sys.stdin.isatty():
            raise UsageError("there is nothing to ask", hint="--ask TEXT, or a question piped in")
        return None
    return "\n\n".join(filter(None, [ask, piped]))


def line_editor() -> Callable[[str], str]:
    """Return what reads a question: editable, of several lines where they are pasted, with a history."""
    try:
        toolkit = importlib.import_module("prompt_toolkit")
        bindings = importlib.import_module("prompt_toolkit.key_binding").KeyBindings()
    except ImportError as error:
        raise MissingDependency(
            "chat needs prompt_toolkit in a terminal", hint="pip install 'assay-bench[serve]'"
        ) from error
    session = toolkit.PromptSession(
        multiline=True, key_bindings=bindings, prompt_continuation="  ", enable_open_in_editor=True
    )

    def send(event: Any) -> None:
        event.current_buffer.validate_and_handle()

    def new_line(event: Any) -> None:
        event.current_buffer.insert_text("\n")

    bindings.add("enter")(send)
    bindings.add("escape", "enter")(new_line)

    def read(default: str) -> str:
        in_editor = default == EDIT
        text: str = session.prompt(
            "> ",
            default="" if in_editor else default,
            pre_run=(lambda: session.default_buffer.open_in_editor()) if in_editor else None,
        )
        return text

    return read


EDIT = "\0edit"  # what asks for the editor in place of a default


def talk(conversation: Conversation, read: Callable[[str], str]) -> None:
    """Ask and answer until the user leaves."""
    default = ""
    while True:
        try:
            text = read(default).strip()
        except KeyboardInterrupt:  # at the prompt it takes the line back
            default = ""
            continue
        except EOFError:
            return
        default = ""
        text = WORDS.get(text, text)
        if text == "/exit":
            return
        try:
            if text.startswith("/"):
                default = command(conversation, text)
            elif text:
                answer(conversation, text)
        except HarnessError as error:
            report(error)


def command(conversation: Conversation, text: str) -> str:
    """Carry out a command, and return what the next question begins with."""
    name, _, rest = text.partition(" ")
    rest = rest.strip()
    if name == "/clear":
        conversation.clear()
        say("(the conversation begins anew)")
    elif name == "/system":
        conversation.system = rest
        say("(a system prompt from now on)" if rest else "(no system prompt from now on)")
    elif name == "/set":
        change(conversation, rest)
    elif name == "/undo":
        return conversation.undo()
    elif name == "/retry":
        answer(conversation, conversation.undo())
    elif name == "/save" and rest:
        conversation.save(Path(rest).expanduser())
        say(f"({len(conversation.turns)} messages are in {rest})")
    elif name == "/evidence":
        show_again(conversation)
    elif name == "/edit":
        return EDIT
    elif name == "/help":
        write(HELP)
    else:
        known = [line.split()[0] for line in HELP.splitlines() if line.startswith("/")]
        hint = "/save FILE" if name == "/save" else nearest(name, [*known, "/help"])
        raise UsageError(f"{name} is no command" if name != "/save" else "/save needs a name", hint=hint)
    return ""


def change(conversation: Conversation, text: str) -> None:
    """Change how answers are decoded, or show how they are."""
    spec = conversation.spec
    names = [field.name for field in fields(GenerateSpec) if field.name not in OF_RUNS]
    if not text:
        write("".join(f"{name}={getattr(spec, name)}\n" for name in names))
        return
    key, value = read_flag(text)
    name = key.removeprefix("generate.")
    if name not in names:
        raise UsageError(f"there is no setting '{name}'", hint=nearest(name, names))
    changed = replace(spec, **{name: convert(value, get_type_hints(GenerateSpec)[name], name, "/set")})
    if name in ("temperature", "top_p", "top_k", "min_p") and changed.decoder == "greedy":
        changed = replace(changed, decoder="sampling")  # else it would change nothing
    refuse_out_of_bounds(changed, "generate")
    conversation.spec = changed
    drawn = ", drawn by sampling" if changed.decoder != spec.decoder == "greedy" and name != "decoder" else ""
    say(f"({name}={getattr(changed, name)}{drawn})")


def show_again(conversation: Conversation) -> None:
    """Show the evidence of the last question again."""
    if conversation.paper is None:
        raise UsageError("there is no paper", hint="run-bench chat --paper FILE.pdf")
    if not conversation.turns:
        raise UsageError("nothing was asked yet")
    paper.show(conversation.evidence, conversation.turns[-2].text)


def answer(conversation: Conversation, text: str, beside: TextIO | None = None) -> None:
    """Print an answer as it comes, after its evidence where there is a paper; Ctrl-C stops it alone."""
    if conversation.paper is not None:
        paper.show(conversation.find(text), text, beside)
    with stoppable() as stopped:
        for piece in conversation.ask(text, stopped):
            write(piece)
            flush()
        interrupted = stopped()
    write("\n")
    if interrupted:
        say("(stopped)")
    elif conversation.last is not None and conversation.last.finish == "length":
        say(f"(cut at {conversation.last.new_tokens} tokens)")


@contextmanager
def stoppable() -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C be asked for between two steps, where nothing is left half done."""
    pressed: list[int] = []

    def press(number: int, frame: Any) -> None:
        pressed.append(number)

    before = signal.signal(signal.SIGINT, press)
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, before)
