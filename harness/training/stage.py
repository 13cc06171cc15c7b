"""A way of learning: how a row is encoded, what it is made of, and what is minimised."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from harness.api import (
    Checkpoint,
    Completion,
    DataError,
    GenerateSpec,
    Request,
    RunContext,
    StageEntry,
    TrainData,
    TrainRow,
    TrainSpec,
    UsageError,
    nearest,
)

from . import settings, stages
from .batching import Collator, Encode, EncodedRows, Shape
from .distributed import Group
from .objectives import Loss, is_causal, model_loss
from .replicated import Replicated
from .rows import check_rows
from .source import Source
from .stream import RowStream

Save = Callable[[nn.Module, Path], object]
Collate = Callable[[EncodedRows], Collator]
Generate = Callable[[nn.Module, Sequence[Request]], Iterable[Completion]]
Sample = Callable[[nn.Module, Sequence[Request], GenerateSpec], Iterable[Sequence[Any]]]


@dataclass(frozen=True, slots=True)
class Learner:
    """A model with what is needed to teach it.

    `encode(row)` gives `input_ids`, `labels` (-100 where nothing is learned) and further values a token;
    it must not depend on chance. `pad` names the padding value of each key where it is not 0.
    `save(model, folder)` writes what is to remain. `generate` lets the task's metrics choose the best step.
    `request` encodes a prompt up to where the answer begins. `open` loads another checkpoint of this model.
    `sample` yields the answers to each request with their tokens, as `harness.decoding.sample` does.
    """

    model: nn.Module
    encode: Encode
    save: Save
    pad: Mapping[str, int] = field(default_factory=dict)
    generate: Generate | None = None
    request: Callable[[Request], Mapping[str, list[int]]] | None = None
    open: Callable[[Checkpoint], Learner] | None = None
    sample: Sample | None = None


class Stage:
    """Base of a stage: as it stands, it learns the labels of rows that are one line each.

    `Options` are what `train.options` may hold. From `begin` on there are the `learner`, its `model` with
    what the stage puts on it, and the `shape` of rows.
    """

    Options: type[settings.FitOptions] = settings.FitOptions
    dropout: bool = True  # whether the model's own dropout is on while it learns
    validates: bool = True  # whether the loss on validation rows says something
    learner: Learner
    model: nn.Module
    shape: Shape

    def __init__(self, entry: StageEntry, spec: TrainSpec, run: RunContext) -> None:
        self.entry = entry
        self.spec = spec
        self.run = run
        self.options: Any = settings.check(spec, self.Options)

    def check(self, data: TrainData) -> None:
        """Refuse rows with which a training could not begin; no model is loaded yet."""
        check_rows(data.train, self.entry)
        if self.spec.eval_every is not None and data.evaluator is None and not data.validation:
            raise DataError(
                f"train.eval_every is {self.spec.eval_every}, and there are no validation rows to "
                "evaluate on",
                hint="give validation rows, or --set train.eval_every=none",
            )

    def begin(self, learner: Learner) -> None:
        """Take over the model that is taught."""
        self.learner = learner
        self.model = self.prepare(learner.model)
        self.shape = self.shape_of(causal=is_causal(self.model))

    def prepare(self, model: nn.Module) -> nn.Module:
        """Return the model with whatever this stage puts on it."""
        return model

    def shape_of(self, *, causal: bool) -> Shape:
        """Say what rows are made of."""
        return Shape(causal)

    def source(self, data: TrainData, group: Group) -> Source:
        """Return where steps come from: the rows of the data."""
        return RowStream(data, self, self.run, group)

    def encode(self, row: TrainRow) -> Mapping[str, Sequence[int]]:
        """Return a row as token ids."""
        return self.learner.encode(row)

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Loss:
        """Return what is minimised."""
        return model_loss(model, batch)

    def looks(self, data: TrainData, group: Group) -> Callable[[], dict[str, float]] | None:
        """Return what measures the model on rows that are held out, where a loss on them says nothing."""
        return None

    def settle(self, strategy: Replicated, rows: Sequence[EncodedRows], collate: Collate) -> None:
        """Do what has to be done once, with the weights that training begins with."""

    def other(self, name: str, device: torch.device) -> nn.Module | None:
        """Return the model of another stage that this one was given, which is asked and never taught."""
        if name not in self.run.inputs or self.learner.open is None:
            return None
        opened = self.learner.open(self.run.inputs[name])
        _require_same_words(self.learner.model, opened.model, name)
        return opened.model.to(device).eval().requires_grad_(False)

    def save(self, model: nn.Module, folder: Path) -> None:
        """Write what is to remain."""
        self.learner.save(model, folder)


def stage_of(spec: TrainSpec, run: RunContext) -> Stage:
    """Return the stage that a spec names, which the run brings along where it is a plugin's."""
    entry = run.stage or _built_in(spec.stage)
    module, _, name = entry.target.partition(":")
    stage: Stage = getattr(import_module(module), name)(entry, spec, run)
    return stage


def _require_same_words(one: Any, other: Any, name: str) -> None:
    sizes = [model.get_input_embeddings().weight.shape[0] for model in (one, other)]
    if sizes[0] != sizes[1]:
        raise UsageError(
            f"the {name} has a vocabulary of {sizes[1]} tokens, the model one of {sizes[0]}",
            hint=f"name a {name} that was trained from the same weights",
        )


def _built_in(name: str) -> StageEntry:
    known = {entry.name: entry for entry in stages.entries()}
    if name not in known:
        raise UsageError(f"no stage named '{name}'", hint=nearest(name, known))
    return known[name]
