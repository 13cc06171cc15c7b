"""The options of `run` and of the verbs that resolve as it does (train, generate, show-config, …)."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.api.errors import PluginError
from harness.engine.plugin_manager import Plugins, load_plugins
from harness.engine.registry import Registry
from harness.scoring.arguments import add_vocabulary

from .output import say

if TYPE_CHECKING:
    from harness.engine.config import Asked

NOT_SETTINGS = {
    *(
        "set",
        "config",
        "plugin",
        "no_plugin",
        "output",
        "quiet",
        "json",
        "debug",
        "dry_run",
        "fresh",
        "resume",
        "all",
    ),
    *(
        "offline",
        "other_prompt",
        "no_compare",
        "stage",
        "no_train",
        "dtype",
        "vocab",
        "processes",
        "verb",
        "command",
        "ranks",
    ),
}


def add_plugin_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what every verb that loads plugins takes."""
    group = parser.add_argument_group("plugins")
    group.add_argument(
        "--plugin",
        action="append",
        default=[],
        metavar="FILE",
        help="also load a plugin: a .py file or a module",
    )
    group.add_argument(
        "--no-plugin",
        action="append",
        default=[],
        metavar="NAME",
        help="leave a bundled or installed plugin out",
    )
    group.add_argument("--debug", action="store_true", help="show the traceback of an error")


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of a run; what is not given leaves no trace, so weaker layers can decide."""
    absent = argparse.SUPPRESS

    def setting(flag: str, key: str, kind: Any = str, text: str = "", metavar: str | None = None) -> None:
        name = metavar or flag.strip("-").replace("-", "_").upper()
        group.add_argument(flag, dest=key, type=kind, default=absent, help=text, metavar=name)

    group = parser.add_argument_group("what runs")
    setting("--model", "model", text="one or several models, separated by commas")
    setting("--task", "task", text="one or several tasks or task groups, separated by commas")
    setting("--preset", "preset", text="size and recipe of the model; the default is its first preset")
    setting("--seed", "seed", int, "seed of training and sampling")
    setting("--seeds", "seeds", text="run once for each seed and report mean and spread", metavar="A,B,C")
    setting("--metrics", "metrics", text="score with these instead of the task's own", metavar="A,B")
    add_vocabulary(group)
    group = parser.add_argument_group("data")
    setting("--data", "data.source", text="sample, hub, or a folder or file", metavar="SOURCE")
    setting("--split", "data.split", text="the split that is scored (default: test)")
    setting(
        "--limit", "data.limit", int, "score only the first N rows; such a run enters no leaderboard", "N"
    )
    setting("--train-limit", "data.train_limit", int, "learn only from the first N rows", "N")
    group.add_argument(
        "--skip-bad-rows",
        dest="data.skip_bad_rows",
        action="store_true",
        default=absent,
        help="count and skip them",
    )
    group = parser.add_argument_group("training")
    length = group.add_mutually_exclusive_group()
    length.add_argument(
        "--epochs",
        dest="train.epochs",
        type=float,
        default=absent,
        metavar="N",
        help="pass over the training rows N times",
    )
    length.add_argument(
        "--max-steps",
        dest="train.max_steps",
        type=int,
        default=absent,
        metavar="N",
        help="train for N steps",
    )
    stages = group.add_mutually_exclusive_group()
    stages.add_argument(
        "--stage", metavar="STAGE", help="run only this stage of the recipe (pretrain, sft, …)"
    )
    stages.add_argument(
        "--no-train", action="store_true", help="use the model's own weights, or --checkpoint"
    )
    setting(
        "--checkpoint",
        "checkpoint",
        text="use these weights: a training directory, a folder, or for --model hf a hub id",
        metavar="PATH",
    )
    group.add_argument(
        "--trust-remote-code",
        dest="model.trust_remote_code",
        action="store_true",
        default=absent,
        help="run code that lies beside the weights",
    )
    setting(
        "--eval-every", "train.eval_every", int, "look at the validation loss every N training steps", "N"
    )
    setting("--eval-limit", "train.eval_limit", int, "and run the task's metrics on the first N rows", "N")
    group = parser.add_argument_group("machine")
    setting("--device", "device", text="auto, cpu, cuda, cuda:1, …")
    group.add_argument(
        "--dtype", choices=["auto", "fp32", "bf16", "fp16"], help="precision of training and generation"
    )
    setting(
        "--batch-tokens",
        "generate.batch_tokens",
        text="tokens in a generation batch (default: auto)",
        metavar="N",
    )
    group.add_argument(
        "--processes", type=int, metavar="N", help="share training and generation among N processes"
    )
    group.add_argument(
        "--deterministic", dest="generate.deterministic", action="store_true", default=absent,
        help="generate each answer alone, so that no batch can matter",
    )  # fmt: skip
    group = parser.add_argument_group("configuration and output")
    group.add_argument("--config", type=named, metavar="FILE", help="a TOML file of settings")
    group.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="any setting, such as train.learning_rate=1e-3",
    )
    group.add_argument("--output", type=named, metavar="DIR", help="where runs are kept (default: runs)")
    group.add_argument("--offline", action="store_true", help="refuse every connection to another machine")
    group.add_argument(
        "--other-prompt", action="store_true", help="allow a prompt that the checkpoint was not trained with"
    )
    group.add_argument("--quiet", action="store_true", help="no progress")
    group.add_argument("--json", action="store_true", help="print the result as JSON")
    add_plugin_arguments(parser)


def named(text: str) -> Path:
    """Read a path; nothing is no name for the current folder."""
    if not text.strip():
        raise argparse.ArgumentTypeError("a path is expected, found nothing")
    return Path(text)


def asked_for(args: argparse.Namespace) -> Asked:
    """Turn parsed arguments, environment and config file into what was asked."""
    # Here, because listing and showing resolve nothing and should not pay for it.
    from harness.engine.config import ask, with_stages

    flags = {key: value for key, value in vars(args).items() if key not in NOT_SETTINGS and value is not None}
    if args.dtype:
        flags |= {"train.precision": args.dtype, "generate.precision": args.dtype}
    if args.processes is not None:
        flags |= {"train.launch.processes": args.processes, "generate.processes": args.processes}
    asked = ask(flags, args.set, args.config, os.environ)
    args.offline = args.offline or os.environ.get("HARNESS_OFFLINE") == "1"
    if args.no_train:
        with_stages(asked, (), "flag")
    elif args.stage:
        with_stages(asked, (args.stage,), "flag")
    if args.output is not None:
        asked = replace(asked, output=args.output)
    return replace(asked, plugins=(*asked.plugins, *args.plugin))


def open_registry(args: argparse.Namespace, plugins: tuple[str, ...] = ()) -> Registry:
    """Load plugins and say, in one line each, which installed ones could not be used."""
    loaded = load_plugins(plugins or local_plugins(args), exclude=args.no_plugin)
    warn_of_broken(loaded)
    return Registry(loaded)


def local_plugins(args: argparse.Namespace) -> list[str]:
    """Return the plugins that the environment and the command line name."""
    return [*filter(None, os.environ.get("HARNESS_PLUGINS", "").split(",")), *args.plugin]


def warn_of_broken(plugins: Plugins) -> None:
    """Say once for each broken plugin why it is not in use."""
    strict = os.environ.get("HARNESS_STRICT") == "1"
    for plugin in plugins.broken:
        text = f"plugin '{plugin.name}' ({plugin.distribution or plugin.source}) is not used: {plugin.reason}"
        if strict:
            raise PluginError(text, hint="HARNESS_STRICT=1 makes a broken plugin fatal")
        say(f"warning: {text}")
