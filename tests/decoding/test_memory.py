"""Running out of memory costs a smaller batch and nothing else."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from typing import Any

import pytest
import torch
from transformers import LlamaForCausalLM

from harness import GenerateSpec, RunContext, StageError, decoding
from harness.decoding.budget import FIRST_ROWS, STEPS_A_TRY, Budget
from harness.decoding.rows import _collected

from .conftest import Answer, requests_of


class SmallMachine:
    """Makes a model's forward run out of memory as soon as more than `room` tokens are in its cache."""

    def __init__(self, model: Any, room: int, error: Exception) -> None:
        self.model, self.room, self.error, self.failures = model, room, error, 0

    def __enter__(self) -> SmallMachine:
        def check(module: Any, args: Any, kwargs: dict[str, Any]) -> None:
            ids = kwargs.get("decoder_input_ids", kwargs.get("input_ids"))
            cache = kwargs.get("cache", kwargs.get("past_key_values"))
            held = cache.get_seq_length() if cache is not None else 0
            if ids.shape[0] * (held + ids.shape[1]) > self.room:
                self.failures += 1
                raise self.error

        self.hook = self.model.register_forward_pre_hook(check, with_kwargs=True)
        return self

    def __exit__(self, *_: object) -> None:
        self.hook.remove()


OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
    RuntimeError("CUDA error: out of memory\nCompile with `TORCH_USE_CUDA_DSA`"),
]


def test_where_others_take_the_same_steps_smaller_batches_are_no_way_out(model: Any, tokenizer: Any) -> None:
    from harness.decoding.engine import Engine

    engine = Engine(model, tokenizer, interactive=False)
    engine.lm.sharded = True
    engine.submit_all(requests_of(4), engine.manner(GenerateSpec(max_new_tokens=4)))
    with SmallMachine(model, 2, OUT_OF_MEMORY[0]), pytest.raises(torch.OutOfMemoryError):
        engine.step()


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=["cuda", "cpu", "driver"])
@pytest.mark.parametrize(
    "settings", [{}, {"num_beams": 2}, {"decoder": "sampling"}, {"decoder": "contrastive", "top_k": 2}]
)
def test_answers_are_the_same_after_memory_ran_out(
    model: Any,
    answer: Answer,
    events: list[tuple[str, dict[str, Any]]],
    error: Exception,
    settings: dict[str, Any],
) -> None:
    requests, settings = requests_of(20), settings | {"min_new_tokens": 8}
    whole = answer(model, requests, **settings)
    with SmallMachine(model, 150, error) as machine:
        cramped = answer(model, requests, **settings)
    assert machine.failures > 0
    assert cramped == whole
    assert events[-1][1]["out_of_memory"] == machine.failures
    assert events[-1][1]["token_limit"] < events[0][1]["token_limit"]


def test_texts_so_far_are_kept(llama: Any, answer: Answer, events: list[tuple[str, dict[str, Any]]]) -> None:
    requests = requests_of(12)
    settings = {"min_new_tokens": 24, "batch_tokens": "5000"}
    answer(llama, requests, **settings)
    with SmallMachine(llama, 12 * 60, OUT_OF_MEMORY[0]):
        answer(llama, requests, **settings)
    free, cramped = events[0][1], events[1][1]
    assert cramped["out_of_memory"] > 0
    # a failed step is repeated, but no token is chosen a second time
    assert free["new_tokens"] == 12 * 24
    assert cramped["new_tokens"] <= 12 * 24 + 12 * cramped["out_of_memory"]


def test_a_single_request_that_does_not_fit_says_so(llama: Any, answer: Answer) -> None:
    with (
        SmallMachine(llama, 5, OUT_OF_MEMORY[0]),
        pytest.raises(StageError, match=r"request 'r\d+' \(\d+ prompt tokens\) decoded alone"),
    ):
        answer(llama, requests_of(3))


def test_other_errors_are_not_taken_for_memory(llama: Any, answer: Answer) -> None:
    with SmallMachine(llama, 100, RuntimeError("shape mismatch")), pytest.raises(RuntimeError, match="shape"):
        answer(llama, requests_of(12))


def test_choices_survive_running_out(llama: Any, tokenizer: Any, run: RunContext) -> None:
    from .test_choices import questions

    asked = questions(16)
    whole = {c.request_id: c for c in decoding.choose(llama, tokenizer, asked, GenerateSpec(), run)}
    with SmallMachine(llama, 260, OUT_OF_MEMORY[1]) as machine:
        cramped = {c.request_id: c for c in decoding.choose(llama, tokenizer, asked, GenerateSpec(), run)}
    assert machine.failures > 0
    for name, completion in cramped.items():
        assert completion.choice_scores == pytest.approx(whole[name].choice_scores, abs=1e-4)


@pytest.mark.slow
def test_the_allocators_own_error_is_recognised() -> None:
    """Under a real address-space limit, a batch too large is halved until it fits."""
    program = """
        import resource, torch
        from transformers import ByT5Tokenizer, LlamaConfig, LlamaForCausalLM
        from harness import GenerateSpec, Request, RunContext, decoding

        config = LlamaConfig(vocab_size=384, hidden_size=256, intermediate_size=256, num_hidden_layers=4,
                             num_attention_heads=4, max_position_embeddings=4096, eos_token_id=None)
        torch.manual_seed(0)
        model, tokenizer = LlamaForCausalLM(config).eval(), ByT5Tokenizer()
        requests = [Request(str(n), "C" * 250) for n in range(64)]
        facts = {}
        run = RunContext(None, None, event=lambda kind, **found: facts.update(found))
        next(decoding.generate(model, tokenizer, requests[:2], GenerateSpec(max_new_tokens=2), run))
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + 60 * 2**20,) * 2)
        spec = GenerateSpec(max_new_tokens=2, batch_tokens="20000")
        print(len(list(decoding.generate(model, tokenizer, requests, spec, run))), facts["out_of_memory"])
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]
    count, halvings = done.stdout.split()
    assert count == "64" and int(halvings) >= 1


def test_rows_that_take_little_memory_begin_together(
    llama: Any, answer: Answer, events: list[tuple[str, dict[str, Any]]]
) -> None:
    answer(llama, requests_of(60), min_new_tokens=24)
    [(_, facts)] = events
    assert facts["peak_rows"] == 60 and facts["steps"] == 24


def test_rows_that_take_much_memory_begin_as_a_few() -> None:
    budget = Budget(GenerateSpec(), torch.device("cpu"))
    budget.weigh(bytes_a_token=2**20, length=100)
    assert budget.room(100) == FIRST_ROWS


def test_twice_the_rows_stay_where_they_pay_and_go_where_they_do_not() -> None:
    budget = Budget(GenerateSpec(), torch.device("cpu"))
    for rows, tokens_per_second in ((32, 1000), (64, 1900), (128, 1950)):
        for _ in range(STEPS_A_TRY):
            budget.stepped(rows / tokens_per_second, rows)
    assert budget.room(1) == 128  # no slower than 64, and already in memory
    assert [tried["rows"] for tried in budget.facts()["tried"]] == [32, 64, 128]
    slower = Budget(GenerateSpec(), torch.device("cpu"))
    for rows, tokens_per_second in ((32, 1000), (64, 900)):
        for _ in range(STEPS_A_TRY):
            slower.stepped(rows / tokens_per_second, rows)
    assert slower.room(1) == 32


def test_a_model_may_be_a_subclass(answer: Answer, llama: Any) -> None:
    class Renamed(LlamaForCausalLM):
        pass

    torch.manual_seed(0)
    model = Renamed(llama.config).eval()
    model.load_state_dict(llama.state_dict())
    assert answer(model, requests_of(4)) == answer(llama, requests_of(4))


@pytest.mark.parametrize("wide", [{"num_beams": 4}, {"decoder": "contrastive", "top_k": 4}])
def test_a_step_of_a_wide_decoder_copies_no_whole_cache(
    model: Any,
    answer: Answer,
    events: list[tuple[str, dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
    wide: dict[str, Any],
) -> None:
    whole = []

    def counted(parts: Any) -> Any:
        whole.append(parts)
        return _collected(parts)

    monkeypatch.setattr("harness.decoding.rows._collected", counted)
    found = answer(model, requests_of(8), min_new_tokens=24, **wide)
    [(_, facts)] = events
    assert facts["steps"] >= 24 and facts["peak_rows"] == 8 * 4
    assert len(whole) <= 2  # when one row becomes four, and at most once more when requests end
    if "top_k" in wide:
        assert facts["new_tokens"] == sum(completion.new_tokens for completion in found.values())
