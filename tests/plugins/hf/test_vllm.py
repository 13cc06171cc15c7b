"""`--backend vllm` tells what the own loop tells: in vLLM where it is, in what takes its place on CPUs.

The stand-in takes vLLM's arguments and gives its outputs, from the same weights, one request after the other.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import pytest
import torch

from harness import Checkpoint, Completion, Message, MissingDependency, Request, UsageError
from harness.plugins.hf.model import HuggingFace, HuggingFaceOptions

MISSING = next(
    (
        reason
        for reason, there in {
            "vllm is not installed": find_spec("vllm") is not None,
            "there is no CUDA": torch.cuda.is_available(),
        }.items()
        if not there
    ),
    "",
)
ASKED = [
    Request("1", "What is water?"),
    Request("2", "Name a salt, and then another one that is not like it."),
    Request("3", "Go on:", messages=(Message("system", "Be brief."),)),
]
CHOSEN = [
    Request("1", "Is water wet?", choices=(" yes", " no", " nobody knows")),
    Request("2", "Is salt", choices=(" a", " sweet")),
]


@dataclass
class Params:
    """The settings that the adapter gives, under vLLM's names."""

    max_tokens: int = 16
    min_tokens: int = 0
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    seed: int | None = None
    stop: list[str] = field(default_factory=list)
    stop_token_ids: list[int] = field(default_factory=list)
    prompt_logprobs: int | None = None
    detokenize: bool = True


class Stand:
    """What takes `vllm.LLM`'s place: greedy, and with the likelihoods of a prompt's tokens."""

    made: ClassVar[list[Stand]] = []

    def __init__(
        self, model: str, tokenizer: str, dtype: str, enable_lora: bool = False, **more: Any
    ) -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self.arguments = {"dtype": dtype, "enable_lora": enable_lora, **more}
        self.plain = AutoModelForCausalLM.from_pretrained(model, dtype=getattr(torch, dtype)).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(tokenizer)
        self.model_config = SimpleNamespace(max_model_len=256, dtype=self.plain.dtype)
        self.params: list[Params] = []
        self.adapters: list[Any] = []
        Stand.made.append(self)

    def generate(self, prompts: Any, params: list[Params], *, use_tqdm: bool, lora_request: Any) -> list[Any]:
        assert len(prompts) == len(params)
        self.params += params
        self.adapters.append(lora_request)
        model = self.plain
        if lora_request is not None:
            from peft import PeftModel

            model = PeftModel.from_pretrained(self.plain, lora_request.path).eval()
        return [
            self._one(model, row["prompt_token_ids"], how) for row, how in zip(prompts, params, strict=True)
        ]

    def _one(self, model: Any, prompt: list[int], how: Params) -> Any:
        ids, ends = list(prompt), {self.tokenizer.eos_token_id, *how.stop_token_ids}
        told, finish, reason = None, "length", None
        new: list[int] = []
        with torch.no_grad():
            if how.prompt_logprobs is not None:
                logs = model(input_ids=torch.tensor([ids])).logits[0].log_softmax(-1)
                rest = [
                    {ids[n]: SimpleNamespace(logprob=float(logs[n - 1, ids[n]]))} for n in range(1, len(ids))
                ]
                told = [None, *rest]
            while len(new) < how.max_tokens:
                new.append(int(model(input_ids=torch.tensor([ids + new])).logits[0, -1].argmax()))
                text = self.tokenizer.decode(new)
                if new[-1] in ends:
                    finish, reason = "stop", None if new[-1] == self.tokenizer.eos_token_id else new[-1]
                    break
                if found := [stop for stop in how.stop if stop in text]:
                    finish, reason = "stop", found[0]
                    break
        output = SimpleNamespace(token_ids=new, finish_reason=finish, stop_reason=reason)
        return SimpleNamespace(outputs=[output], prompt_logprobs=told)


@pytest.fixture
def stand(monkeypatch: pytest.MonkeyPatch) -> type[Stand]:
    """Put the stand-in where vLLM would be."""
    vllm: Any = ModuleType("vllm")
    lora: Any = ModuleType("vllm.lora")
    request: Any = ModuleType("vllm.lora.request")
    vllm.__spec__ = ModuleSpec("vllm", None)
    vllm.LLM, vllm.SamplingParams, vllm.__version__ = Stand, Params, "0"
    request.LoRARequest = lambda name, number, path: SimpleNamespace(name=name, number=number, path=path)
    for module in (vllm, lora, request):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr("harness.plugins.hf.vllm_session.require", lambda: None)
    monkeypatch.setattr(Stand, "made", [])
    return Stand


Asked = Callable[..., list[Completion]]


@pytest.fixture
def ask(run: Any) -> Asked:
    """Return a function that asks weights in a backend, in fp32."""

    def said(
        what: str, requests: Any, backend: str, checkpoint: Any = None, options: Any = None, **spec: Any
    ) -> Any:
        context = run(backend, precision="fp32", **spec)
        model = HuggingFace(HuggingFaceOptions(backend=backend, **options))
        with model.open(checkpoint, context) as session:
            found = list(getattr(session, what)(requests, context.spec.generate, context))
        return sorted(found, key=lambda completion: completion.request_id)

    return said


def alike(found: list[Completion], wanted: list[Completion]) -> None:
    for one, other in zip(found, wanted, strict=True):
        assert (one.text, one.finish, one.prompt_tokens) == (other.text, other.finish, other.prompt_tokens)
        assert one.new_tokens == other.new_tokens
        assert one.choice_scores == pytest.approx(other.choice_scores, abs=1e-4)


@pytest.mark.parametrize("template", ["none", "chatml"])
def test_answers_and_choices_are_those_of_the_own_loop(template, ask, folder, stand):
    options = {"weights": str(folder()), "template": template}
    for what, requests in (("generate", ASKED), ("choose", CHOSEN)):
        found = ask(what, requests, "vllm", options=options)
        alike(found, ask(what, requests, "own", options=options))


def test_an_answer_ends_at_a_stop_string_and_a_long_prompt_is_cut(ask, folder, stand):
    options = {"weights": str(folder())}
    (whole, *_) = ask("generate", ASKED[:1], "vllm", options=options)
    stop = whole.text[3:5]
    (found,) = ask("generate", ASKED[:1], "vllm", options=options, stop=(stop,))
    assert (found.text, found.finish) == (whole.text[: whole.text.index(stop)], "stop-string")
    (cut,) = ask("generate", [Request("1", "long " * 90)], "vllm", options=options)
    assert cut.prompt_tokens == 256 - 12 and cut.notes == ("prompt-truncated-left",)


def test_every_sample_has_its_own_seed(ask, folder, stand):
    sampling = {"decoder": "sampling", "temperature": 0.7, "top_k": 9, "seed": 3}
    ask(
        "generate",
        [Request("1", "?"), Request("1#2", "?")],
        "vllm",
        options={"weights": str(folder())},
        **sampling,
    )
    one, other = stand.made[0].params
    assert (one.temperature, one.top_k) == (0.7, 9) and one.seed != other.seed


def test_an_adapter_is_handed_over_with_room_for_it(ask, folder, stand, run, data, training):
    weights = str(folder())
    trained = HuggingFace(HuggingFaceOptions(weights=weights)).train(
        data, training(method="lora", lora_r=12), run("train")
    )
    options = {"weights": weights}
    found = ask("generate", ASKED, "vllm", Checkpoint(trained.path), options)
    made = stand.made[0]
    assert made.arguments["enable_lora"] and made.arguments["max_lora_rank"] == 16
    assert made.adapters[0].path == str(trained.path)
    alike(found, ask("generate", ASKED, "own", Checkpoint(trained.path), options))


def test_what_it_has_no_way_for_is_refused_before_weights_are_loaded(ask, folder, stand):
    options = {"weights": str(folder())}
    with pytest.raises(UsageError, match="greedily or by sampling"):
        ask("generate", ASKED, "vllm", options=options, num_beams=3)
    with pytest.raises(UsageError, match="quantise is 4bit"):
        ask("generate", ASKED, "vllm", options=options | {"quantise": "4bit"})
    with pytest.raises(UsageError, match="has an encoder"):
        ask("generate", ASKED, "vllm", options={"weights": str(folder("t5"))})
    assert stand.made == []


@pytest.mark.skipif(not MISSING, reason="vLLM is here")
def test_without_vllm_or_cuda_it_is_said_what_is_missing(main):
    done = main(
        "--model", "hf", "--backend", "vllm", "--task", "toy", "--checkpoint", "some/model", "--offline"
    )
    assert done.code in (2, 3) and "--backend vllm needs" in done.err and "hint:" in done.err
    with pytest.raises((MissingDependency, UsageError), match="--backend vllm needs"):
        HuggingFace(HuggingFaceOptions(backend="vllm"))


@pytest.mark.gpu
@pytest.mark.skipif(bool(MISSING), reason=MISSING)
def test_vllm_itself_says_what_the_own_loop_says(folder, run):
    weights = str(folder())
    told = {}
    for backend in ("own", "vllm"):
        context = run(backend, precision="fp32")
        options = HuggingFaceOptions(
            weights=weights,
            backend=backend,
            vllm={"gpu_memory_utilization": 0.3} if backend == "vllm" else {},
        )
        with HuggingFace(options).open(None, context) as session:
            said = list(session.generate(ASKED, context.spec.generate, context))
            said += session.choose(CHOSEN, context.spec.generate, context)
        told[backend] = sorted(
            said, key=lambda completion: (completion.finish == "choice", completion.request_id)
        )
    alike(told["vllm"], told["own"])
