"""The weights of `hf` asked through vLLM: prompts, templates and an answer's ends are ours, the rest its own.

vLLM is an extra, for machines with CUDA. What it has no way for is refused before weights are loaded.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import AutoConfig

from harness import (
    Completion,
    DataError,
    GenerateSpec,
    MissingDependency,
    ModelSession,
    PromptTokens,
    Request,
    RunContext,
    UsageError,
    training,
    until,
)
from harness.decoding.language_model import stop_ids
from harness.decoding.settings import check
from harness.language_models import CausalCoder, Source, laid_out, named_if_absent

if TYPE_CHECKING:
    from .model import HuggingFace

SLICE = 512  # requests handed over at once: what a kill may lose, and enough to fill a batch
RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # of the adapters that vLLM makes room for


def require() -> None:
    """Refuse what cannot be here before anything is loaded or trained."""
    if find_spec("vllm") is None:
        raise MissingDependency(
            "--backend vllm needs vllm, which is not installed",
            hint="pip install vllm, in an environment of its own: it brings a torch",
        )
    if not torch.cuda.is_available():
        raise UsageError(
            "--backend vllm needs a GPU with CUDA, and there is none",
            hint="without --backend the harness's own loop runs here",
        )


class VllmSession(ModelSession):
    """Weights, and an adapter on them where there is one, in an engine of vLLM."""

    def __init__(self, plugin: HuggingFace, path: str, run: RunContext) -> None:
        self.plugin, self.path, self._run = plugin, path, run
        self.source = plugin.source(plugin.whole(path))
        _check_weights(self.source, plugin.options.quantise, run.spec.device)
        self.tokenizer: Any = plugin.load_tokenizer(self.source.path)
        self.coder = CausalCoder(self.tokenizer, template=plugin.template(self.tokenizer))

    @cached_property
    def llm(self) -> Any:
        """The engine, started when it is first asked."""
        laid_out.check(Path(self.path), self.coder, self._run)
        # Here, because it is an extra.
        from vllm import LLM, __version__

        made = LLM(**self._arguments())
        self._run.event(
            "model",
            backend="vllm",
            version=__version__,
            template=self.coder.template.name,
            template_digest=self.coder.template.digest,
            context=made.model_config.max_model_len,
            precision=str(made.model_config.dtype).removeprefix("torch."),
        )
        return made

    def _arguments(self) -> Mapping[str, Any]:
        options, precision = self.plugin.options, self._run.spec.generate.precision
        adapted = {"enable_lora": True, "max_lora_rank": _room(Path(self.path))} if self._adapter else {}
        return {
            "model": self.source.place,
            "tokenizer": options.tokenizer or self.source.place,
            "revision": self.source.revision or None,
            "trust_remote_code": self.source.trusted,
            "dtype": str(training.load_dtype(precision, "cuda")).removeprefix("torch."),
            "seed": self._run.spec.generate.seed,
            **adapted,
            **options.vllm,
        }

    @property
    def _adapter(self) -> bool:
        return training.is_adapter(self.path)

    def generate(
        self, requests: Sequence[Request], spec: GenerateSpec, run: RunContext
    ) -> Iterator[Completion]:
        """Answer requests, longest prompts first."""
        _check(spec)
        spec = self.coder.ending(spec)
        ends = stop_ids(self.tokenizer, spec.options.get("stop_tokens", ()))
        asked = [self._prompt(request, spec) for request in requests]
        asked.sort(key=lambda row: -len(row[1]))

        def settings(request: Request) -> Any:
            return _sampling(request, spec, ends)

        for (request, prompt, notes), said in self._asked("generating", asked, settings, run):
            yield self._completion(request, prompt, notes, said, spec)

    def _prompt(self, request: Request, spec: GenerateSpec) -> tuple[Request, list[int], tuple[str, ...]]:
        """Return a request's ids as far as they leave room for its answer."""
        ids = self.coder.request(request)["input_ids"] or [self._first(request)]
        limit: int = self.llm.model_config.max_model_len
        room = limit - min(spec.max_new_tokens, limit // 2)
        return request, ids[-room:], ("prompt-truncated-left",) if len(ids) > room else ()

    def _first(self, request: Request) -> int:
        first = self.coder.bos if self.coder.bos is not None else self.coder.end
        if first is None:
            raise DataError(f"request '{request.id}' has an empty prompt, and no token starts a text")
        return first

    def _completion(
        self, request: Request, prompt: list[int], notes: tuple[str, ...], said: Any, spec: GenerateSpec
    ) -> Completion:
        tokens = list(said.outputs[0].token_ids)
        length = said.outputs[0].finish_reason == "length"
        by_string = isinstance(said.outputs[0].stop_reason, str)
        text, how = until(self.coder.text(tokens if length or by_string else tokens[:-1]), spec.stop)
        finish = how if how == "stop-string" or not length else "length"
        return Completion(request.id, text, finish, len(prompt), len(tokens), notes=notes)

    def choose(
        self, requests: Sequence[Request], spec: GenerateSpec, run: RunContext
    ) -> Iterator[Completion]:
        """Score choices: the log-likelihood of each one's tokens as a part of the prompt."""
        encode = self.coder.choices(requests)
        rows = [row for request in requests for row in self._choices(request, encode)]
        scores: dict[str, list[float]] = {}
        for (request, ids, shared), said in self._asked("scoring choices", rows, lambda _: _reading(), run):
            logs = [
                row[token].logprob
                for token, row in zip(ids[shared:], said.prompt_logprobs[shared:], strict=True)
            ]
            found = scores.setdefault(request.id, [])
            found.append(sum(logs))
            if len(found) == len(request.choices):
                best = request.choices[max(range(len(found)), key=found.__getitem__)]
                yield Completion(request.id, best, "choice", shared, choice_scores=tuple(found))

    def _choices(
        self, request: Request, encode: Callable[[Request], Mapping[str, list[int]]]
    ) -> Iterator[tuple[Request, list[int], int]]:
        """Yield each choice's ids behind its prompt, and how many of them all choices share with it."""
        if not request.choices:
            raise UsageError(f"request '{request.id}' has no choices to score")
        prompt = encode(request)["input_ids"]
        wholes = [
            encode(replace(request, prompt=request.prompt + choice))["input_ids"]
            for choice in request.choices
        ]
        if min(map(len, wholes)) == 0:
            raise DataError(f"a choice of request '{request.id}' has no tokens")
        shared = min(_shared([prompt, *wholes]), min(map(len, wholes)) - 1)
        begin = [] if shared else [self._first(request)]  # the first token of a text has no likelihood
        for whole in wholes:
            yield request, [*begin, *whole], max(shared, 1)

    def _asked(
        self,
        what: str,
        rows: Sequence[tuple[Request, list[int], Any]],
        settings: Callable[[Request], Any],
        run: RunContext,
    ) -> Iterator[tuple[tuple[Request, list[int], Any], Any]]:
        """Hand rows over in slices, and yield each with what came of it, in their order."""
        from vllm.lora.request import LoRARequest  # here, because it is an extra

        adapter = LoRARequest("adapter", 1, self.path) if self._adapter else None
        run.progress.start(what, total=len(rows), unit="requests")
        try:
            for start in range(0, len(rows), SLICE):
                part = rows[start : start + SLICE]
                prompts = [{"prompt_token_ids": ids} for _, ids, _ in part]
                asked = [settings(request) for request, _, _ in part]
                said = self.llm.generate(prompts, asked, use_tqdm=False, lora_request=adapter)
                run.progress.advance(len(part))
                yield from zip(part, said, strict=True)
        finally:
            run.progress.finish()

    def prompt_tokens(self, request: Request) -> PromptTokens:
        """Return the ids that generation feeds the model, from the tokenizer alone."""
        ids = self.coder.request(request)["input_ids"]
        bos = self.coder.bos
        pieces = self.tokenizer.convert_ids_to_tokens(ids)
        return PromptTokens(tuple(ids), tuple(pieces), None if bos is None else ids.count(bos))

    @property
    def reasoning(self) -> tuple[str, ...]:
        """The tags that the model's template knows thoughts by."""
        return self.coder.template.reasoning or ()

    def close(self) -> None:
        """Let go of the engine and its memory."""
        self.__dict__.pop("llm", None)
        gc.collect()
        torch.cuda.empty_cache()


def _check_weights(source: Source, quantise: str, device: str) -> None:
    if device == "cpu":
        raise UsageError("--backend vllm does not run on the CPU", hint="leave --device cpu out")
    if quantise or source.packed:
        what = f"model.quantise is {quantise}" if quantise else f"{source.path} is packed as GGUF"
        raise UsageError(f"{what}, which only the harness's own loop loads", hint="leave --backend out")
    with named_if_absent(source.path):
        config = AutoConfig.from_pretrained(source.place, **source.arguments)
    if config.is_encoder_decoder:
        raise UsageError(
            f"{source.path} has an encoder, which --backend vllm does not ask", hint="leave --backend out"
        )


def _check(spec: GenerateSpec) -> None:
    decoder = check(spec)
    if decoder not in ("greedy", "sampling") or spec.n_best > 1 or spec.constraint:
        raise UsageError(
            "--backend vllm generates greedily or by sampling, one text a request, without a constraint",
            hint="leave --backend out: the harness's own loop has the rest",
        )


def _sampling(request: Request, spec: GenerateSpec, ends: list[int]) -> Any:
    """Return how one request is answered, in vLLM's words."""
    from vllm import SamplingParams  # here, because it is an extra

    drawn: dict[str, Any] = {"temperature": 0.0}
    if spec.decoder == "sampling":
        drawn = {name: getattr(spec, name) for name in ("temperature", "top_p", "top_k", "min_p")}
        drawn["seed"] = spec.seed_of(request.id)
    return SamplingParams(
        max_tokens=spec.max_new_tokens,
        min_tokens=spec.min_new_tokens,
        repetition_penalty=spec.repetition_penalty,
        stop=list(spec.stop),
        stop_token_ids=ends,
        **drawn,
    )


def _reading() -> Any:
    """Return how a text is read: its tokens are told with their likelihoods, and one more is written."""
    from vllm import SamplingParams  # here, because it is an extra

    return SamplingParams(max_tokens=1, temperature=0.0, prompt_logprobs=0, detokenize=False)


def _shared(rows: Sequence[Sequence[int]]) -> int:
    """Return how many tokens all rows begin with."""
    places = enumerate(zip(*rows, strict=False))
    return next((place for place, tokens in places if len(set(tokens)) > 1), min(map(len, rows)))


def _room(adapter: Path) -> int:
    """Return the smallest room that holds an adapter."""
    rank = int(json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))["r"])
    return next((room for room in RANKS if room >= rank), rank)
