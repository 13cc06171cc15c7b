"""What verbs share that open models and ask them without a task: their options, and the opening."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from harness.api.run import Checkpoint, RunContext
from harness.api.session import ModelSession
from harness.api.spec import PRECISIONS
from harness.engine.config import Resolved
from harness.engine.environment import refuse_absent_device
from harness.engine.matrix import models_alone
from harness.engine.registry import Registered
from harness.engine.stage import checkpoint_at, go_offline, make_model

from .run_arguments import (
    add_plugin_arguments,
    add_settings,
    asked_for,
    named,
    open_registry,
    setting,
)

# what a run has beside, which a model that is only asked has not
NOT_ASKED: dict[str, Any] = {"processes": None, "no_train": False, "stage": None, "output": None}


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which model is opened, and how it is asked."""
    group = parser.add_argument_group("model")
    setting(
        group, "--model", "model", "a model, a folder of weights, or a hub id; several separated by commas"
    )
    setting(group, "--preset", "preset", "size and recipe of the model; the default is its first preset")
    text = "weights: a training directory, a folder, or a hub id"
    setting(group, "--checkpoint", "checkpoint", text, metavar="PATH")
    setting(group, "--device", "device", "auto, cpu, cuda, cuda:1, …")
    text = "tokens in the cache at once (default: auto)"
    setting(group, "--batch-tokens", "generate.batch_tokens", text, metavar="N")
    group.add_argument("--dtype", choices=PRECISIONS, help="precision of the weights")
    group.add_argument("--config", type=named, metavar="FILE", help="a TOML file of settings")
    add_settings(group, "any setting, such as generate.decoder=contrastive or model.template=vicuna")
    group.add_argument("--offline", action="store_true", help="refuse every connection to another machine")
    add_plugin_arguments(parser)


def resolved_models(
    args: argparse.Namespace, own: tuple[str, ...] = ()
) -> list[tuple[Registered[Any], Resolved]]:
    """Resolve what the options name; `own` are options of the verb itself, which set nothing."""
    given = {key: value for key, value in vars(args).items() if key not in own}
    asked_args = argparse.Namespace(**NOT_ASKED | given)
    asked = asked_for(asked_args)
    if asked_args.offline:
        go_offline()
    return models_alone(open_registry(args, asked.plugins), asked)


def context_of(resolved: Resolved) -> RunContext:
    """Return the context of a model that is asked outside a run."""
    return RunContext(Path(), resolved.spec)


def opened(model: Registered[Any], resolved: Resolved) -> ModelSession:
    """Open a model."""
    spec = resolved.spec
    refuse_absent_device(spec.device)
    checkpoint: Checkpoint | None = checkpoint_at(Path(spec.checkpoint)) if spec.checkpoint else None
    return make_model(model, spec.model_options).open(checkpoint, context_of(resolved))
