"""Any model here as lm-eval knows models: opened once, asked for likelihoods and texts.

lm-eval 0.4.13 is told of it by `run-bench lm-eval`, later versions find it by an entry point.
"""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from lm_eval.api.model import LM
from lm_eval.api.registry import model_registry

import harness
from harness.api import Completion, ModelSession, ReadyModel, Request, RunContext, UsageError

from .chat import as_text, turns_of
from .generation import settings_of

logger = logging.getLogger("lm_eval.assay")
NAME = "assay"
ANYWHERE = "cuda:0"  # what lm-eval's command line says where nobody chose a device


class AssayModel(LM):  # type: ignore[misc]  # its library has no types
    """A model that `--model_args model=NAME,checkpoint=DIR` names, with settings as `--set` takes them.

    How many requests are asked together follows from the memory there is: `--batch_size` counts for nothing.
    """

    def __init__(
        self,
        model: str = "",
        checkpoint: str = "",
        preset: str = "",
        plugin: str = "",
        device: str | None = None,
        batch_size: Any = None,
        max_batch_size: Any = None,
        **settings: Any,
    ) -> None:
        super().__init__()
        if not model:
            raise UsageError("no model is named", hint="--model_args model=hf,checkpoint=DIR")
        asked = settings if device in (None, ANYWHERE) else {**settings, "device": device}
        plugins = (plugin,) if plugin else ()
        self.ready: ReadyModel = harness.open_model(
            model, checkpoint=checkpoint, preset=preset, settings=asked, plugins=plugins
        )
        self._called = model if not checkpoint else f"{model}:{checkpoint}"
        self._laid_out: set[str] = set()  # contexts that are conversations

    @property
    def session(self) -> ModelSession:
        """The open model."""
        return self.ready.session

    @property
    def run(self) -> RunContext:
        """The run that it is asked in."""
        return self.ready.run

    def loglikelihood(self, requests: list[Any]) -> list[tuple[float, bool]]:
        """Return each continuation's log-likelihood; those of one context are asked for together."""
        asked: dict[str, list[str]] = defaultdict(list)
        for context, continuation in (request.args for request in requests):
            if continuation not in asked[context]:
                asked[context].append(continuation)
        together = [self._request(n, context, choices) for n, (context, choices) in enumerate(asked.items())]
        said = _by_id(self.session.choose(together, self.run.spec.generate, self.run))
        if not all(completion.greedy for completion in said.values()):
            logger.warning("this model does not say what is greedy: metrics that ask for it count that as no")
        found = {
            (context, choice): answer
            for n, (context, choices) in enumerate(asked.items())
            for choice, answer in zip(choices, _answers(said[str(n)]), strict=True)
        }
        return [self._kept("loglikelihood", request, found[request.args]) for request in requests]

    def loglikelihood_rolling(self, requests: list[Any]) -> list[float]:
        """Return each text's log-likelihood."""
        asked = [Request(str(n), request.args[0], exact=True) for n, request in enumerate(requests)]
        said = _by_id(self.session.perplexity(asked, self.run.spec.generate, self.run))
        found = [said[request.id].log_likelihood for request in asked]
        return [
            self._kept("loglikelihood_rolling", request, value)
            for request, value in zip(requests, found, strict=True)
        ]

    def generate_until(self, requests: list[Any]) -> list[str]:
        """Return what is said to each context; those that are answered in one way are asked together."""
        ways: dict[str, list[int]] = defaultdict(list)
        for place, request in enumerate(requests):
            ways[json.dumps(request.args[1], sort_keys=True)].append(place)
        texts: dict[int, str] = {}
        for way, places in ways.items():
            asked = [self._request(place, requests[place].args[0]) for place in places]
            spec = replace(self.run.spec.generate, **settings_of(json.loads(way)))
            said = _by_id(self.session.generate(asked, spec, self.run))
            texts |= {place: said[str(place)].text for place in places}
        return [self._kept("generate_until", request, texts[place]) for place, request in enumerate(requests)]

    def _request(self, name: int, context: str, choices: Sequence[str] = ()) -> Request:
        if context in self._laid_out:
            return Request(str(name), "", choices=tuple(choices), messages=turns_of(context))
        return Request(str(name), context, choices=tuple(choices), exact=True)

    def _kept(self, how: str, request: Any, answer: Any) -> Any:
        """Tell lm-eval's cache of an answer, and return it."""
        self.cache_hook.add_partial(how, request.args, answer)
        return answer

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> str:
        """Return a conversation as a text that stands for it; the model lays it out when it is asked."""
        text = as_text(chat_history)
        self._laid_out.add(text)
        return text

    @property
    def tokenizer_name(self) -> str:
        """What lm-eval's cache of requests tells models apart by."""
        return self._called

    def get_model_info(self) -> dict[str, Any]:
        """Return what lm-eval's results say of the model."""
        return {"assay": harness.__version__, "assay_model": self._called}


def register() -> None:
    """Tell lm-eval of it, as versions that know entry points find out by themselves."""
    import lm_eval.models  # noqa: F401  which puts lm-eval's own on the shelf, and would not do so afterwards

    if NAME not in model_registry:
        model_registry.register(NAME, target=AssayModel)


def _by_id(said: Iterable[Completion]) -> dict[str, Completion]:
    return {completion.request_id: completion for completion in said}


def _answers(said: Completion) -> list[tuple[float, bool]]:
    greedy = said.greedy or [False] * len(said.choice_scores)
    return list(zip(said.choice_scores, greedy, strict=True))
