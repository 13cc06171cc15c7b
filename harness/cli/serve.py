"""`serve`: models behind one server that OpenAI's clients speak to."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from harness.api.errors import MissingDependency, UsageError
from harness.api.notice import notice_of
from harness.api.retrieval import Retriever
from harness.papers.apart import read_file

from . import aimed_flags, paper
from .opening import add_model_arguments, context_of, opened, resolved_models
from .output import say
from .parser import add_verb

OWN = (
    "adapter",
    "host",
    "port",
    "token",
    "max_prompt",
    "max_output",
    "max_body",
    "max_seconds",
    "queue",
    "retriever",
    *aimed_flags.OWN,
)
TOKEN = "HARNESS_SERVE_TOKEN"  # the name of a variable, no token


def add_parser(subparsers: Any) -> None:
    """Describe the verb."""
    parser = add_verb(
        subparsers,
        "serve",
        "Open models and answer over HTTP: /v1/models, /v1/chat/completions, /v1/completions, "
        "/v1/decisions, Mozi's /paper_ground_dialog and /emotional_dialog, MedicalGPT's /chat, /health, "
        "/ready, /metrics. Only this machine can ask; another --host needs a token.",
        "run-bench serve --model ./my-model --port 8000",
    )
    group = parser.add_argument_group("server")
    group.add_argument("--host", default="127.0.0.1", help="where to listen (default: this machine alone)")
    group.add_argument("--port", type=int, default=8000, metavar="N", help="0: any that is free")
    group.add_argument("--token", metavar="TOKEN", help=f"what clients have to show; also ${TOKEN}")
    for flag, default, text in (
        ("--max-prompt", 32_768, "tokens of a prompt at most"),
        ("--max-output", 4096, "new tokens of a request at most"),
        ("--max-body", 2 * 2**20, "bytes of a request at most"),
        ("--max-seconds", 600, "seconds a request may take"),
        ("--queue", 256, "requests that may wait; a further one is told to come again"),
    ):
        group.add_argument(flag, type=int, default=default, metavar="N", help=f"{text} (default: {default})")
    group.add_argument(
        "--adapter", action="append", default=[], metavar="NAME=PATH",
        help="an adapter on the model, asked for as model MODEL:NAME; repeatable",
    )  # fmt: skip
    paper.add_retriever_argument(group)
    add_model_arguments(parser)
    aimed_flags.add_aimed_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Serve until a signal comes."""
    aimed_flags.take_aimed_arguments(args)
    token = args.token or os.environ.get(TOKEN, "")
    adapters = dict(map(named_adapter, args.adapter))
    return serve(
        resolved_models(args, OWN),
        args.host,
        args.port,
        token,
        limits_of(args),
        adapters=adapters,
        retriever=partial(paper.retriever_of, args),
    )


def named_adapter(text: str) -> tuple[str, Path]:
    """Read NAME=PATH."""
    name, equals, path = text.partition("=")
    if not equals or not name or not path:
        raise UsageError(f"--adapter {text} is no NAME=PATH", hint="--adapter chemistry=./adapter")
    return name, Path(path).expanduser()


def limits_of(args: argparse.Namespace) -> dict[str, int]:
    """Return the limits that the options set."""
    return {
        "body": args.max_body,
        "prompt": args.max_prompt,
        "output": args.max_output,
        "seconds": args.max_seconds,
        "waiting": args.queue,
    }


def serve(
    models: list[tuple[Any, Any]],
    host: str,
    port: int,
    token: str = "",
    limits: Mapping[str, int] | None = None,
    started: Callable[[str], object] = lambda address: None,
    adapters: Mapping[str, Path] | None = None,
    *,
    retriever: Callable[[], Retriever],
    about: Path | None = None,
) -> int:
    """Open models and listen; `started` is called with the page's address.

    `retriever` opens what finds passages of papers, and `about` is the paper that the page begins with.
    """
    if missing := [name for name in ("fastapi", "uvicorn", "prometheus_client") if not _there(name)]:
        raise MissingDependency(
            f"serving needs {', '.join(missing)}", hint="pip install 'assay-bench[serve]'"
        )
    # Here, because they need the extra that was just looked for.
    from harness.serving.app import application
    from harness.serving.asked import Limits
    from harness.serving.driver import Driver
    from harness.serving.papers import Papers
    from harness.serving.server import bound, is_loopback, server_of

    if not is_loopback(host) and not token:
        raise UsageError(
            f"{host} can be reached from other machines, which needs a token", hint=f"--token, or ${TOKEN}"
        )
    kept, papers = Limits(**(limits or {})), Papers(retriever)
    fragment = f"#paper={papers.add(read_file(about))}" if about else ""
    drivers = {}
    for model, resolved in models:
        name, spec = resolved.spec.title or resolved.spec.model, resolved.spec.generate
        opening = partial(opened, model, resolved)
        drivers[name] = Driver(name, opening, spec, context_of(resolved), kept.waiting, adapters)
        drivers[name].notice = notice_of(resolved.spec, model.entry)
    sock = bound(host, port)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(message)s")
    address, port = sock.getsockname()[:2]
    url = f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"
    page = f"{url}/?token={token}" if token else f"{url}/"
    say(f"serving {', '.join(drivers)} at {url}/v1, a page to chat at {url}/; Ctrl-C ends it")
    started(page + fragment)
    server_of(application(drivers, kept, token, papers), drivers.values(), kept).run(sockets=[sock])
    return _ended(drivers)


def _ended(drivers: dict[str, Any]) -> int:
    for driver in drivers.values():
        if driver.failed is not None:
            raise driver.failed
    return 0


def _there(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True
