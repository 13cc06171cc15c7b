"""An open language model: its tokenizer at once, its weights when it is first asked, and not again."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from harness import decoding, training
from harness.api import Completion, GenerateSpec, ModelSession, PromptTokens, Request, RunContext

from .coding import CausalCoder
from .loading import Loaded
from .templates import template_for, template_names

if TYPE_CHECKING:
    from .plugin import LanguageModelPlugin


class LanguageModelSession(ModelSession):
    """A plugin's model as it was saved under `path`, on the device and in the precision of a run."""

    def __init__(self, plugin: LanguageModelPlugin, path: str, run: RunContext) -> None:
        self.plugin = plugin
        self.path = path
        self._run = run
        self.tokenizer: Any = plugin.load_tokenizer(plugin.whole(path))

    @cached_property
    def loaded(self) -> Loaded:
        """The model and its tokenizer, loaded when they are first needed."""
        return self.plugin.ready(self.path, self._run.spec.generate.precision, self._run)

    def generate(
        self, requests: Sequence[Request], spec: GenerateSpec, run: RunContext
    ) -> Iterator[Completion]:
        """Answer requests."""
        return self.plugin.answers(self.loaded, requests, spec, run)

    def choose(
        self, requests: Sequence[Request], spec: GenerateSpec, run: RunContext
    ) -> Iterator[Completion]:
        """Score the choices of each request."""
        return self.plugin.choices(self.loaded, requests, spec, run)

    def perplexity(
        self, requests: Sequence[Request], spec: GenerateSpec, run: RunContext
    ) -> Iterator[Completion]:
        """Say how well each request's text is predicted."""
        return decoding.log_likelihoods(*self.loaded, requests, spec, run)

    def prompt_tokens(self, request: Request) -> PromptTokens:
        """Return the ids that generation feeds the model, from the tokenizer alone."""
        ids = self.plugin.coder(None, self.tokenizer).request(request)["input_ids"]
        bos = getattr(self.tokenizer, "bos_token_id", None)
        pieces = self.tokenizer.convert_ids_to_tokens(ids)
        return PromptTokens(tuple(ids), tuple(pieces), None if bos is None else ids.count(bos))

    @property
    def reasoning(self) -> tuple[str, ...]:
        """The tags that the model's template knows thoughts by."""
        return self.plugin.template(self.tokenizer).reasoning or ()

    def text_tokens(self, text: str) -> tuple[int, ...]:
        """Return a text's ids with nothing laid around it."""
        coder = self.plugin.coder(*self.loaded)
        if isinstance(coder, CausalCoder):
            return tuple(coder.plain(text))
        return tuple(coder.request(Request("", text))["input_ids"])

    def token_text(self, token: int) -> str:
        """Return the text of one token, special or not."""
        text: str = self.tokenizer.decode([token])
        return text

    @property
    def templates(self) -> tuple[str, ...]:
        """The templates that the tokenizer can be used with, by name."""
        causal = isinstance(self.plugin.coder(*self.loaded), CausalCoder)
        return template_names(self.tokenizer) if causal else ()

    def laid_out(
        self, request: Request, spec: GenerateSpec, template: str
    ) -> tuple[tuple[int, ...], GenerateSpec]:
        """Return a request's ids by another template, and the settings until the template's turn ends."""
        coder = self.plugin.coder(*self.loaded)
        if not isinstance(coder, CausalCoder):
            raise self._unsupported("templates")
        coder.template = template_for(template, self.tokenizer)
        return tuple(coder.request(request)["input_ids"]), coder.ending(spec)

    def add_adapter(self, name: str, path: Path) -> None:
        """Load an adapter beside the model's own."""
        model, tokenizer = self.loaded
        self.__dict__["loaded"] = Loaded(training.add_adapter(model, path, name), tokenizer)

    def engine(self, spec: GenerateSpec, most_waiting: int) -> decoding.Engine:
        """Return an engine on the model."""
        coder = self.plugin.coder(*self.loaded)
        return decoding.Engine(
            *self.loaded,
            spec,
            encode=coder.request,
            decode=coder.text,
            settings=partial(self.plugin.settings, coder),
            own_adapter="default" if training.is_adapter(self.path) else "",
            most_waiting=most_waiting,
        )

    def close(self) -> None:
        """Let go of the weights."""
        self.__dict__.pop("loaded", None)
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
