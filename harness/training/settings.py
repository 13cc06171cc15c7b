"""What `fit` accepts: a `TrainSpec` checked, and the finer options typed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from importlib.util import find_spec

from harness.api import LaunchSpec, MissingDependency, TrainSpec, UsageError, nearest
from harness.api.bounds import refuse_out_of_bounds


@dataclass(frozen=True, slots=True)
class FitOptions:
    """What `TrainSpec.options` may hold.

    `adam_epsilon`: Adam's epsilon. `momentum`: Muon's. `rest_learning_rate`: the AdamW rate for what
    Muon leaves (embeddings, head, vectors); None: the same rate. `no_decay`: weight decay skips
    parameters with one of these in their name; None: it skips everything that is not a matrix.
    `window`: rows of a streamed corpus that are held and shuffled together.
    """

    adam_epsilon: float = 1e-8
    momentum: float = 0.95
    rest_learning_rate: float | None = None
    no_decay: Sequence[str] | None = None
    window: int = 8192


def check(spec: TrainSpec, kind: type[FitOptions] = FitOptions) -> FitOptions:
    """Refuse impossible numbers, each with one sentence, and return the typed options of a stage."""
    refuse_out_of_bounds(spec, "train")
    _launch(spec)
    known = [field.name for field in fields(kind)]
    for name in spec.options:
        if name not in known:
            raise UsageError(f"stage '{spec.stage}' has no option '{name}'", hint=nearest(name, known))
    options = kind(**dict(spec.options))
    refuse_out_of_bounds(options, "train.options")
    _libraries(spec)
    return options


def asked_strategy(launch: LaunchSpec) -> str:
    """Return the strategy of a launch; `auto` is ZeRO-2 where DeepSpeed was asked for, else ddp."""
    if launch.strategy != "auto":
        return launch.strategy
    return "zero2" if launch.kind == "deepspeed" or launch.ds_config else "ddp"


def _launch(spec: TrainSpec) -> None:
    strategy = asked_strategy(spec.launch)
    if strategy == "ddp" and spec.launch.offload:
        raise UsageError(
            "strategy 'ddp' offloads nothing",
            hint="strategies zero2, zero3 and fsdp do, or leave offload out",
        )
    if strategy != "ddp" and (spec.optimizer == "muon" or spec.ema_decay):
        what = "optimizer 'muon'" if spec.optimizer == "muon" else "an average of the weights (ema_decay)"
        instead = "train.optimizer=adamw" if spec.optimizer == "muon" else "train.ema_decay=0"
        raise UsageError(
            f"{what} works on whole weights, strategy '{strategy}' shards them",
            hint=f"use strategy ddp, or --set {instead}",
        )


def _libraries(spec: TrainSpec) -> None:
    """Refuse what needs a library that is not installed."""
    strategy = asked_strategy(spec.launch)
    needs = [
        (spec.method != "full", f"method '{spec.method}'", "peft"),
        (spec.method == "qlora", "method 'qlora'", "bitsandbytes"),
        (spec.optimizer == "adamw8bit", "optimizer 'adamw8bit'", "bitsandbytes"),
        (strategy.startswith("zero"), f"strategy '{strategy}'", "deepspeed"),
        (spec.tensorboard, "train.tensorboard", "tensorboard"),
    ]
    for asked, what, library in needs:
        if asked:
            require(library, what)


def require(library: str, what: str) -> None:
    """Raise where a library that something needs is not installed."""
    if find_spec(library) is None:
        raise MissingDependency(
            f"{what} needs {library}, which is not installed", hint=f"pip install {library}"
        )
