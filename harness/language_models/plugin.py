"""The base of plugins of transformers models: a subclass says only what is its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from harness import decoding, training
from harness.api import (
    Checkpoint,
    Completion,
    GenerateSpec,
    ModelPlugin,
    ModelSession,
    Request,
    RunContext,
    TrainData,
    TrainRow,
    TrainSpec,
    UsageError,
)

from . import laid_out, loading
from .coding import CausalCoder, Coder, Seq2SeqCoder
from .facts import facts
from .loading import Loaded
from .session import LanguageModelSession
from .templates import Template, template_for

GROWN_FROM = "grown_from"  # in a tokenizer's settings: the first token that its model has yet to learn


@dataclass(frozen=True, slots=True)
class LanguageModelOptions:
    """Where weights come from."""

    weights: str = ""  # a path or a hub id; empty: from nothing


class LanguageModelPlugin(ModelPlugin):
    """A causal or an encoder-decoder model: trained whole or as an adapter, asked and scored.

    Without options and overrides it takes any transformers model that `model.weights` or a checkpoint
    names. A subclass brings a model from nothing (`fresh`), its way of loading (`load`,
    `load_tokenizer`) and of reading and writing (`coder`).
    """

    Options: type[Any] = LanguageModelOptions
    Session: type[LanguageModelSession] = LanguageModelSession
    targets: tuple[str, ...] = ()  # layers that an adapter adapts where the spec names none

    def fresh(self, data: TrainData, spec: TrainSpec) -> Loaded:
        """Return a model with random weights, and the tokenizer it learns with."""
        raise UsageError("this preset has no weights to start from", hint="--set model.weights=DIR")

    def load(
        self, path: str, dtype: torch.dtype, quantization: Any = None, rows: Iterable[TrainRow] = ()
    ) -> Loaded:
        """Return the model and the tokenizer of whole weights; `rows` are what is about to be learned."""
        return loading.load(path, dtype, quantization)

    def load_tokenizer(self, path: str) -> Any:
        """Return the tokenizer of whole weights."""
        return loading.load_tokenizer(path)

    def coder(self, model: Any, tokenizer: Any, spec: TrainSpec | None = None) -> Coder:
        """Return how the model reads and writes; `spec` is the training it is for, None when it is asked.

        `model` may be None where only prompts are encoded.
        """
        if model is not None and model.config.is_encoder_decoder:
            return Seq2SeqCoder(tokenizer, max_length=spec.max_length if spec else None)
        template = self.template(tokenizer)
        return CausalCoder(tokenizer, prompt_loss=bool(spec and spec.prompt_loss), template=template)

    def template(self, tokenizer: Any) -> Template:
        """Return how conversations are laid out; by default a prompt is all there is."""
        return template_for("none", tokenizer)

    def bits(self) -> Any:
        """Return how weights are quantised when they are loaded to be asked; None: not at all."""
        return None

    def new_tokens(self, tokenizer: Any) -> Sequence[int]:
        """Return the vocabulary rows that are learned and saved with an adapter: those it has grown by."""
        first = getattr(tokenizer, "init_kwargs", {}).get(GROWN_FROM)
        return range(first, len(tokenizer)) if first else ()

    def begin(self, loaded: Loaded, data: TrainData, spec: TrainSpec, run: RunContext) -> TrainSpec:
        """Do what is left to do before training begins, and return the spec that it begins with."""
        return spec

    def taught(self, loaded: Loaded, data: TrainData, spec: TrainSpec) -> TrainData:
        """Return the rows as the model is to learn them; by default as they are."""
        return data

    def train(self, data: TrainData, spec: TrainSpec, run: RunContext) -> Checkpoint:
        """Run a stage from an earlier one, from the preset's weights, or from nothing."""
        stage = training.check(data, spec, run)
        if not (stage.entry.begins or spec.base or self.options.weights):
            raise UsageError(
                f"stage '{spec.stage}' goes on from a model that can answer, and there is none",
                hint="--set model.weights=DIR or train.base=DIR, or a stage before it",
            )
        loaded = self.start(data, spec)
        spec = self.begin(loaded, data, spec, run)
        data = self.taught(loaded, data, spec)
        return training.learn(self.learner(loaded, spec, run), data, spec, run)

    def learner(self, loaded: Loaded, spec: TrainSpec, run: RunContext) -> training.Learner:
        """Return a loaded model with what a stage needs to teach it."""
        model, tokenizer = loaded
        coder = self.coder(model, tokenizer, spec)

        def generate(model: Any, requests: Sequence[Request]) -> Iterable[Completion]:
            asked = training.asked_together(run, spec.launch)
            return self.answers(Loaded(model, tokenizer), requests, asked, run)

        def reopen(checkpoint: Checkpoint) -> training.Learner:
            return self.learner(self.ready(str(checkpoint.path), spec.precision, run), spec, run)

        def sample(model: Any, requests: Sequence[Request], asking: GenerateSpec) -> Iterable[Any]:
            return self.samples(Loaded(model, tokenizer), requests, asking)

        save = partial(_save, tokenizer, laid_out.learned(coder, run.stage))
        return training.Learner(model, coder.row, save, coder.pad, generate, coder.request, reopen, sample)

    def open(self, checkpoint: Checkpoint | None, run: RunContext) -> ModelSession:
        """Open the checkpoint, or the weights of the preset."""
        return self.Session(self, self.path_of(checkpoint), run)

    def path_of(self, checkpoint: Checkpoint | None) -> str:
        """Name the folder that is asked: the checkpoint's, or the preset's own weights."""
        path = str(checkpoint.path) if checkpoint is not None else self.options.weights
        if not path:
            raise UsageError(
                "this preset has no weights before training",
                hint="--checkpoint DIR names trained ones; a run without --no-train trains them",
            )
        return path

    def answers(
        self, loaded: Loaded, requests: Sequence[Request], spec: GenerateSpec, run: RunContext
    ) -> Iterator[Completion]:
        """Answer requests with a model that is loaded."""
        coder = self.coder(*loaded)
        if isinstance(coder, CausalCoder):
            spec = coder.ending(spec)
        return decoding.generate(*loaded, requests, spec, run, encode=coder.request, decode=coder.text)

    def samples(self, loaded: Loaded, requests: Sequence[Request], spec: GenerateSpec) -> Iterable[Any]:
        """Sample answers with their tokens, as a model that learns from them needs them."""
        coder = self.coder(*loaded)
        if isinstance(coder, CausalCoder):
            spec = coder.ending(spec)
        return decoding.sample(*loaded, requests, spec, encode=coder.request, decode=coder.text)

    def settings(self, coder: Coder, request: Request, spec: GenerateSpec) -> GenerateSpec:
        """Return how one request of a server is decoded: as asked, until the template's turn ends."""
        return coder.ending(spec) if isinstance(coder, CausalCoder) else spec

    def choices(
        self, loaded: Loaded, requests: Sequence[Request], spec: GenerateSpec, run: RunContext
    ) -> Iterator[Completion]:
        """Score the choices of requests with a model that is loaded."""
        coder = self.coder(*loaded)
        encode = coder.choices(requests) if isinstance(coder, CausalCoder) else None
        return decoding.choose(*loaded, requests, spec, run, encode=encode)

    def start(self, data: TrainData, spec: TrainSpec) -> Loaded:
        """Load what training starts from: an earlier stage, the preset's weights, or nothing."""
        if not spec.base and not self.options.weights:
            if spec.method == "full":
                return self.fresh(data, spec)
            raise UsageError("an adapter needs weights under it", hint="--set model.weights=DIR")
        # AdamW in the weights' own fp16 would lose its updates.
        halves = spec.method != "full" and torch.cuda.is_available()
        dtype = training.load_dtype("auto" if halves else "fp32", "cuda" if halves else "cpu")
        rows = data.train if spec.method == "full" else ()  # what is fitted to rows, no adapter carries
        model, tokenizer = self.load(self.whole(spec.base), dtype, training.quantization(spec), rows)
        new = self.new_tokens(tokenizer)
        return Loaded(training.prepare_model(model, spec, targets=self.targets, new_tokens=new), tokenizer)

    def ready(self, path: str, precision: str, run: RunContext) -> Loaded:
        """Load what is asked, with its adapter where it has one, on the run's device."""
        device = training.device_of(run)
        dtype, bits = training.load_dtype(precision, device), self.bits()
        model, tokenizer = self.load(self.whole(path), dtype, bits)
        if training.is_adapter(path):
            model = training.load_adapter(model, Path(path))
        loaded = Loaded(model if bits else model.to(device), tokenizer)
        laid_out.check(Path(path), self.coder(*loaded), run)
        run.event("model", **facts(loaded, self.template(tokenizer)))
        return loaded

    def whole(self, path: str) -> str:
        """Name the folder of whole weights: `path`, what an adapter there stands on, or the preset's own."""
        weights: str = training.base_of(path) or self.options.weights
        if not weights and path:
            raise UsageError(
                f"{path} is an adapter, and its base is not named", hint="--set model.weights=DIR names it"
            )
        if not weights:
            raise UsageError(
                "this preset has no weights before training",
                hint="--checkpoint DIR names trained ones; a run without --no-train trains them",
            )
        if training.is_adapter(weights):
            raise UsageError(
                f"{weights} is an adapter, not whole weights",
                hint="name its base in model.weights, and it with --checkpoint or in train.base",
            )
        return weights


def _save(tokenizer: Any, template: Template | None, model: Any, folder: Path) -> None:
    # An adapter carries the rows of new tokens already.
    more: Mapping[str, Any] = {"save_embedding_layers": False} if hasattr(model, "peft_config") else {}
    model.save_pretrained(folder, **more)
    tokenizer.save_pretrained(folder)
    laid_out.keep(folder, template)
