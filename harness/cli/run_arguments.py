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
    _add_what_runs(parser.add_argument_group("what runs"))
    _add_data(parser.add_argument_group("data"))
    _add_training(parser.add_argument_group("training"))
    _add_machine(parser.add_argument_group("machine"))
    _add_configuration(parser.add_argument_group("configuration and output"))
    add_plugin_arguments(parser)


def setting(group: Any, flag: str, key: str, text: str, kind: Any = str, metavar: str = "") -> None:
    """Add a flag that sets a setting where it is given."""
    name = metavar or flag.strip("-").replace("-", "_").upper()
    group.add_argument(flag, dest=key, type=kind, default=argparse.SUPPRESS, help=text, metavar=name)


def switch(group: Any, flag: str, key: str, text: str) -> None:
    """Add a flag that turns a setting on."""
    group.add_argument(flag, dest=key, action="store_true", default=argparse.SUPPRESS, help=text)


def _add_what_runs(group: Any) -> None:
    setting(group, "--model", "model", "one or several models, separated by commas")
    setting(group, "--task", "task", "one or several tasks or task groups, separated by commas")
    setting(group, "--preset", "preset", "size and recipe of the model; the default is its first preset")
    setting(group, "--seed", "seed", "seed of training and sampling", int)
    setting(group, "--seeds", "seeds", "run once for each seed and report mean and spread", metavar="A,B,C")
    text = "draw K answers to each row: pass@k, maj@k and the mean of each metric"
    setting(group, "--repeats", "repeats", text, int, "K")
    setting(group, "--metrics", "metrics", "score with these instead of the task's own", metavar="A,B")
    add_vocabulary(group)


def _add_data(group: Any) -> None:
    setting(group, "--data", "data.source", "sample, hub, or a folder or file", metavar="SOURCE")
    setting(group, "--split", "data.split", "the split that is scored (default: test)")
    text = "score only the first N rows; such a run enters no leaderboard"
    setting(group, "--limit", "data.limit", text, int, "N")
    setting(group, "--train-limit", "data.train_limit", "learn only from the first N rows", int, "N")
    switch(group, "--skip-bad-rows", "data.skip_bad_rows", "count and skip them")


def _add_training(group: Any) -> None:
    length = group.add_mutually_exclusive_group()
    setting(length, "--epochs", "train.epochs", "pass over the training rows N times", float, "N")
    setting(length, "--max-steps", "train.max_steps", "train for N steps", int, "N")
    stages = group.add_mutually_exclusive_group()
    stages.add_argument(
        "--stage", metavar="STAGE", help="run only this stage of the recipe (pretrain, sft, …)"
    )
    stages.add_argument(
        "--no-train", action="store_true", help="use the model's own weights, or --checkpoint"
    )
    text = "use these weights: a training directory, a folder, or for --model hf a hub id"
    setting(group, "--checkpoint", "checkpoint", text, metavar="PATH")
    text = "run code that lies beside the weights"
    switch(group, "--trust-remote-code", "model.trust_remote_code", text)
    text = "look at the validation loss every N training steps"
    setting(group, "--eval-every", "train.eval_every", text, int, "N")
    setting(
        group, "--eval-limit", "train.eval_limit", "and run the task's metrics on the first N rows", int, "N"
    )


def _add_machine(group: Any) -> None:
    setting(group, "--device", "device", "auto, cpu, cuda, cuda:1, …")
    from harness.api.spec import PRECISIONS  # here, because a listing runs nothing

    group.add_argument("--dtype", choices=PRECISIONS, help="precision of training and generation")
    text = "tokens in a generation batch (default: auto)"
    text = "with --model hf: own, the harness's own loop, or vllm on CUDA (default: own)"
    setting(group, "--backend", "model.backend", text, metavar="NAME")
    setting(group, "--batch-tokens", "generate.batch_tokens", text, metavar="N")
    group.add_argument(
        "--processes", type=int, metavar="N", help="share training and generation among N processes"
    )
    text = "generate each answer alone, so that no batch can matter"
    switch(group, "--deterministic", "generate.deterministic", text)


def _add_configuration(group: Any) -> None:
    group.add_argument("--config", type=named, metavar="FILE", help="a TOML file of settings")
    add_settings(group, "any setting, such as train.learning_rate=1e-3")
    group.add_argument("--output", type=named, metavar="DIR", help="where runs are kept (default: runs)")
    group.add_argument("--offline", action="store_true", help="refuse every connection to another machine")
    group.add_argument(
        "--other-prompt", action="store_true", help="allow a prompt that the checkpoint was not trained with"
    )
    group.add_argument("--quiet", action="store_true", help="no progress")
    group.add_argument("--json", action="store_true", help="print the result as JSON")


def add_settings(group: Any, text: str) -> None:
    """Add `--set`, which may be given again and again."""
    group.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help=text)


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
