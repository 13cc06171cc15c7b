"""`learn`: the training loop of every stage, and `fit`, which is its shortest call."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import nn

from harness.api import Checkpoint, RunContext, StageError, TrainData, TrainSpec, UsageError
from harness.files import folders
from harness.files.json_files import read_sealed, write_sealed

from . import adapters, memory, settings, strategies, threads
from .apartness import line_of_two, loss_of, require_documents_apart
from .average import WeightAverage
from .batching import Collator, Encode, EncodedRows
from .distributed import Group, session
from .documents import Within, within
from .evaluation import Validation
from .heads import body_of
from .identity import identity_of
from .log import TrainLog, draw_curves, peak_memory_mib, tensorboard_writer
from .meter import Meter
from .modes import learning, without_dropout
from .objectives import Objective
from .schedule import Schedule
from .signals import StopRequest, noted
from .source import Source
from .stage import Generate, Learner, Save, Stage, stage_of
from .state import Position, StateFolder
from .step import StepFacts, Stepper
from .together import STATE, noted_splits

# Where the last step's weights go when validation chose those of an earlier one.
LAST = Path("last") / "checkpoint"

SHOWN = 4  # values of an evaluation that a line of progress holds; the log has all


def fit(
    model: nn.Module,
    data: TrainData,
    encode: Encode,
    spec: TrainSpec,
    run: RunContext,
    *,
    save: Save | None = None,
    pad: Mapping[str, int] | None = None,
    loss: Objective | None = None,
    generate: Generate | None = None,
) -> Checkpoint:
    """Train `model` on the rows of `data` and return the checkpoint under `run.directory`.

    `encode(row)` gives `input_ids`, `labels` (-100 where nothing is learned) and further values a
    token; it must not depend on chance. `pad` names the padding value of each key where it is not 0.
    `save(model, folder)` replaces `model.save_pretrained`. `loss` replaces the stage's own.
    `generate` lets the task's metrics choose the best step. The same call continues an interrupted
    training from its last state, and returns at once when it is finished.
    """
    learner = Learner(model, encode, save or _save_pretrained, pad or {}, generate)
    return learn(learner, data, spec, run, loss=loss)


def learn(
    learner: Learner, data: TrainData, spec: TrainSpec, run: RunContext, *, loss: Objective | None = None
) -> Checkpoint:
    """Teach a model the stage that the spec names, and return the checkpoint under `run.directory`."""
    stage = stage_of(spec, run)
    stage.check(data)
    _require_adapter(learner.model, spec)
    _require_padding(learner.pad)
    threads.use_cores()
    with session(run, group_of_one=settings.asked_strategy(spec.launch) != "ddp") as group:
        stage.begin(learner)
        _require_packable(stage)
        rows = stage.source(data, group)
        identity = identity_of(stage.model, data, rows.digest, spec, run)
        states = StateFolder(run.directory / STATE, identity, spec.keep)
        if (finished := _finished(states, run, spec)) is not None:
            return finished
        states.directory.mkdir(parents=True, exist_ok=True)
        memory.require_disk(run.directory, stage.model, spec.keep + 2, averaged=bool(spec.ema_decay))
        validation = Validation(stage, data, group) if spec.eval_every is not None else None
        training = Training(stage, rows, states, group, run, loss, validation)
        return training.run_to_end()


def _require_packable(stage: Stage) -> None:
    if stage.spec.packing == "packed" and not stage.shape.causal:
        raise UsageError(
            f"{type(stage.model).__name__} has an encoder and cannot keep packed rows apart",
            hint="--set train.packing=buckets",
        )


def _require_adapter(model: nn.Module, spec: TrainSpec) -> None:
    if spec.method != "full" and not hasattr(model, "peft_config"):
        raise UsageError(
            f"train.method is '{spec.method}', and this model trains whole: it came without an adapter",
            hint="--set train.method=full",
        )


def _require_padding(pad: Mapping[str, int | None]) -> None:
    if lacking := [key for key, value in pad.items() if value is None]:
        raise UsageError(
            f"{lacking[0]} cannot be padded: the tokenizer has no padding token",
            hint="give it one before training, such as its end of text",
        )


def _save_pretrained(model: nn.Module, folder: Path) -> None:
    if not hasattr(model, "save_pretrained"):
        raise UsageError(f"{type(model).__name__} has no save_pretrained", hint="give fit(save=...)")
    model.save_pretrained(folder)  # type: ignore[operator]


def _finished(states: StateFolder, run: RunContext, spec: TrainSpec) -> Checkpoint | None:
    done, checkpoint = states.directory / "done.json", run.directory / "checkpoint"
    if not done.exists() or not (checkpoint / folders.MANIFEST).exists():
        return None
    facts = read_sealed(done)
    states.refuse_others(facts["identity"], done)
    return _checkpoint(run, spec, facts)


def _checkpoint(run: RunContext, spec: TrainSpec, facts: Mapping[str, Any]) -> Checkpoint:
    """Return what the note of a finished training describes."""
    kind, chosen, steps = facts["format"], facts["step"], facts["steps"]
    base = adapters.base_of(spec.base)
    last = Checkpoint(run.directory / LAST, kind, base, steps) if chosen != steps else None
    return Checkpoint(run.directory / "checkpoint", kind, base, chosen, last)


class Training:
    """One training on its way."""

    def __init__(
        self,
        stage: Stage,
        rows: Source,
        states: StateFolder,
        group: Group,
        run: RunContext,
        objective: Objective | None,
        validation: Validation | None,
    ) -> None:
        self.stage = stage
        self.spec = spec = stage.spec
        self.rows = rows
        self.states = states
        self.group = group
        self.run = run
        self.objective = objective or stage.loss
        # Right padding is out of sight of a causal model, and a mask would cost the fast kernels.
        self.masked = not stage.shape.causal or objective is not None
        self.validation = validation
        body = body_of(stage.model)
        self.base = adapters.describe_base(body) if hasattr(body, "peft_config") else None
        torch.manual_seed(spec.seed + run.rank)
        self.strategy = strategies.choose(stage.model, spec, stage.options, group)
        self.apart: Within = self._keep_documents_apart() if spec.packing == "packed" else nullcontext
        self.total = rows.total_steps()
        self.schedule = Schedule(spec, self.total)
        self.position = Position()
        self.stepper = Stepper(self.strategy, self.objective, self.collator, states.directory)
        self.meter = Meter(self.strategy.module, group.device, group.world_size)
        self.average = WeightAverage(self.strategy.trainable, spec.ema_decay) if spec.ema_decay else None
        self.log_every = spec.log_every or max(1, self.total // 200)
        wanted = spec.tensorboard and run.is_main
        self.tensorboard = tensorboard_writer(run.directory / "tensorboard") if wanted else None

    def collator(self, rows: EncodedRows) -> Collator:
        """Return what builds the batches of some rows."""
        packed = self.spec.packing == "packed"
        return Collator(rows, self.stage.learner.pad, packed=packed, mask=self.masked)

    def _keep_documents_apart(self) -> Within:
        (rows,), module = self.rows.sets, self.strategy.module
        collate = self.collator(rows)

        def loss() -> float:
            line, _ = line_of_two(module, rows, collate)
            return loss_of(module, self.objective, line)

        with self.strategy.forward_context():
            apart = within(module, loss)
            with apart():
                require_documents_apart(module, rows, collate, self.objective)
        return apart

    def run_to_end(self) -> Checkpoint:
        """Go on from the newest state to the last step, then write the checkpoint."""
        with nullcontext() if self.stage.dropout else without_dropout(self.strategy.module):
            return self._run_to_end()

    def _run_to_end(self) -> Checkpoint:
        self.clocked = time.process_time()
        sets = [*self.rows.sets, *([self.validation.rows] if self.validation is not None else [])]
        self.stage.settle(self.strategy, [rows for rows in sets if len(rows)], self.collator)
        self._resume()
        log = self.run.directory / "train_log.jsonl" if self.run.is_main else None
        self.log = TrainLog(log, resume_step=self.position.step)
        self.examples = TrainLog(log and log.with_name("examples.jsonl"), resume_step=self.position.step)
        self.run.progress.start("training", self.total, "steps", self.position.step)
        try:
            with noted() as stop, learning(self.strategy.module, self.spec):
                self._train(stop)
        finally:
            self.rows.close()
            self.run.progress.finish()
            self.log.close()
            self.examples.close()
        return self._publish()

    def _resume(self) -> None:
        found = self.group.agree(self.states.newest() if self.run.is_main else None)
        if found is not None:
            path, self.position = found
            self.strategy.load(path)
            if self.average is not None:
                self.average.load(path)
            self.rows.load(path)
            self.run.event("training_resumed", step=self.position.step)
        noted = noted_splits(self.states.directory)
        self.stepper.splits = self.group.agree(max(self.position.splits, noted))

    def _train(self, stop: StopRequest) -> None:
        if self.validation is not None and not self.position.step:
            self._looked(self.validation.before)
        steps = self.rows.steps(self.position, self._report)
        while self.position.step < self.total and not self.position.stopped_early:
            if (step := next(steps, None)) is None:
                self.position.stopped_early = True
                break
            self.meter.start()
            factor = self.schedule.factor(self.position.step)
            with self.apart():
                facts = self.stepper(step, factor, self.position.step + 1, bool(stop.received))
            if self.average is not None:
                self.average.update()
            self.position.spend("learning", self.meter.stop(facts.tokens))
            self._advance(facts, factor)
            improved = self._evaluate()
            if improved or facts.stop or self.position.step % self.spec.save_every == 0:
                self._save()
            if facts.stop and self.position.step < self.total:
                self._stop(stop)
        if self.group.total([float(bool(stop.received))])[0]:  # since the last step, such as while evaluating
            self._save()

    def _advance(self, facts: StepFacts, factor: float) -> None:
        self.position.step += 1
        self.position.tokens += facts.tokens
        self._clock()
        self.position.splits = self.stepper.splits
        rate = self.spec.learning_rate * factor
        step = self.position.step
        self.log.write(
            step=step,
            epoch=self.position.epoch,
            loss=facts.loss,
            learning_rate=rate,
            gradient_norm=facts.gradient_norm,
            tokens=self.position.tokens,
            tokens_per_second=round(self.meter.tokens_per_second, 1),
            **facts.facts,
        )
        shown: dict[str, float | str] = {
            "loss": round(facts.loss, 4),
            "tokens/s": round(self.meter.tokens_per_second),
            "MiB": round(peak_memory_mib(self.group.device)),
        }
        if (utilisation := self.meter.utilisation) is not None:
            shown["MFU"] = f"{utilisation:.0%}"
        self.run.progress.advance(1, **shown)
        if step % self.log_every == 0 or step in (1, self.total):
            self._event("train_step", step=step, learning_rate=rate, loss=facts.loss, **facts.facts)

    def _clock(self) -> None:
        """Note what this process has worked since it last did, on all its cores together."""
        now = time.process_time()
        self.position.spend("cpu", now - self.clocked)
        self.clocked = now

    def _report(self, step: int, facts: Mapping[str, float], examples: Sequence[Mapping[str, Any]]) -> None:
        """Tell what a batch of answers was like that is about to be learned from."""
        self.log.write(step=step, rollout=facts)
        for example in examples:
            self.examples.write(step=step, **example)
        self._event("rollout", step=step, **facts)
        shown = {name: round(facts[name], 4) for name in ("reward", "distinct") if name in facts}
        self.run.progress.advance(0, **shown)

    def _event(self, kind: str, *, step: int, **facts: Any) -> None:
        self.run.event(kind, step=step, **facts)
        if self.tensorboard is not None:
            for name, value in facts.items():
                if isinstance(value, float):
                    self.tensorboard.add_scalar(f"{kind}/{name}", value, step)

    def _evaluate(self) -> bool:
        """Evaluate where it is due; return whether this step is the best so far."""
        if self.validation is None or self.spec.eval_every is None:
            return False
        if self.position.step % self.spec.eval_every and self.position.step != self.total:
            return False
        self.rows.wait()
        values = self._looked(self.validation)
        if self.validation.better(values[self.validation.selects], self.position.best):
            self.position.best = values[self.validation.selects]
            self.position.best_step = self.position.step
            self.position.evaluations_since_best = 0
            return True
        self.position.evaluations_since_best += 1
        if self.spec.patience is not None and self.position.evaluations_since_best >= self.spec.patience:
            self.position.stopped_early = True
        return False

    def _looked(self, evaluate: Callable[..., dict[str, float]]) -> Mapping[str, float]:
        """Evaluate, and tell what was found."""
        with self.average.in_place() if self.average is not None else nullcontext():
            values = evaluate(self.strategy, self.objective, self.collator)
        if not values:
            return values
        self.log.write(step=self.position.step, validation=values)
        self._event("validation", step=self.position.step, **values)
        few = {f"validation {name}": value for name, value in islice(values.items(), SHOWN)}
        self.run.progress.advance(0, **few)
        return values

    def _save(self) -> None:
        path = self.states.path(self.position.step)
        if self.run.is_main:
            self.log.sync()
            self.examples.sync()
            folders.prepare(path)
        self.group.wait()
        partial = folders.partial_of(path)
        try:
            self.strategy.save(partial)
            if self.run.is_main:
                if self.average is not None:
                    self.average.save(partial)
                self.rows.save(partial)
                self.states.write_progress(partial, self.position)
            self.group.wait()
            if self.run.is_main:
                folders.publish(partial, path)
                self.states.rotate(self.position.best_step)
        except (OSError, RuntimeError) as failure:
            raise folders.failed_write(failure, path) from failure
        self.group.wait()

    def _stop(self, stop: StopRequest) -> None:
        if stop.received == signal.SIGINT:
            raise KeyboardInterrupt
        raise StageError(
            f"training was asked to stop after step {self.position.step} of {self.total}; the state is saved",
            hint="the same command continues from there",
        )

    def _publish(self) -> Checkpoint:
        """Write the checkpoint, then the note that it is done, then drop the states."""
        chosen = self.position.best_step or self.position.step
        if chosen != self.position.step:
            self._write(self.run.directory / LAST)
            self.strategy.load_weights(self.states.path(chosen))
            if self.average is not None:
                self.average.load(self.states.path(chosen))
        self._write(self.run.directory / "checkpoint")
        facts = self._summary(chosen)
        kind = "full" if self.base is None else "adapter"
        done = {"identity": self.states.identity, "step": chosen, "format": kind, **facts}
        if self.run.is_main:
            draw_curves(self.run.directory / "train_log.jsonl", self.run.directory / "curves")
            write_sealed(self.states.directory / "done.json", done)
            self.states.clear()
        self.group.wait()
        self.run.event("training_finished", **facts)
        if self.tensorboard is not None:
            self.tensorboard.close()
        return _checkpoint(self.run, self.spec, done)

    def _write(self, path: Path) -> None:
        if self.average is not None:
            self.average.take()
        with self.strategy.whole_model() as model:
            if self.run.is_main:
                with folders.whole_folder(path) as partial:
                    self.stage.save(model, partial)
                    if self.base is not None:
                        adapters.save_base(partial, self.base, self.spec)

    def _summary(self, chosen: int) -> dict[str, Any]:
        return {
            "steps": self.position.step,
            "chosen_step": chosen,
            "best": self.position.best,
            "selected_by": self.validation.selects if self.validation is not None else "last step",
            "tokens": self.position.tokens,
            "tokens_per_second": round(self.meter.tokens_per_second, 1),
            "utilisation": self.meter.utilisation,
            "peak_memory_mib": round(peak_memory_mib(self.group.device), 1),
            "micro_batch_splits": self.stepper.splits,
            "rows_too_long": self.rows.left.too_long,
            "rows_without_labels": self.rows.left.nothing_to_learn,
            "precision": self.strategy.precision,
            "strategy": self.strategy.name if self.group.world_size > 1 else "single process",
            "processes": self.group.world_size,
            **{f"{what}_seconds": round(spent, 1) for what, spent in self.position.seconds.items()},
        }
