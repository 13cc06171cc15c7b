"""The model as transformers, peft and generation see it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import peft
import pytest
import torch
from transformers import AutoModelForCausalLM

from harness import TrainSpec
from harness.plugins.scimind.configuration import ROUTINGS
from harness.plugins.scimind.modeling import CACHE, RoutedFeedForward, SciMindForCausalLM
from harness.training.modes import learning

from .conftest import config

Make = Callable[..., SciMindForCausalLM]


@pytest.mark.parametrize("routing", ROUTINGS)
def test_a_saved_model_comes_back_the_same(
    scimind: Make, mixed_ids: torch.Tensor, tmp_path: Path, routing: str
) -> None:
    model = scimind(routing=routing)
    model.save_pretrained(tmp_path)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    assert type(loaded) is SciMindForCausalLM
    assert loaded.state_dict().keys() == model.state_dict().keys()
    assert all(torch.equal(loaded.state_dict()[name], value) for name, value in model.state_dict().items())
    assert torch.allclose(loaded(input_ids=mixed_ids).logits, model(input_ids=mixed_ids).logits, atol=1e-6)


@pytest.mark.parametrize("routing", ROUTINGS)
def test_the_cache_changes_no_logits(scimind: Make, mixed_ids: torch.Tensor, routing: str) -> None:
    model = scimind(routing=routing)
    whole = model(input_ids=mixed_ids).logits
    cache = model(input_ids=mixed_ids[:, :5], use_cache=True)
    rest = model(input_ids=mixed_ids[:, 5:], past_key_values=getattr(cache, CACHE))
    assert torch.allclose(rest.logits, whole[:, 5:], atol=1e-5)


@pytest.mark.parametrize("routing", ["as_described", "routed"])
def test_generation_finds_the_modality_of_each_new_token(
    scimind: Make, mixed_ids: torch.Tensor, routing: str
) -> None:
    model = scimind(routing=routing)
    cached = model.generate(mixed_ids, max_new_tokens=12, min_new_tokens=12, do_sample=False)
    again = model.generate(mixed_ids, max_new_tokens=12, min_new_tokens=12, do_sample=False, use_cache=False)
    assert torch.equal(cached, again)
    given = model.generate(
        mixed_ids,
        max_new_tokens=12,
        min_new_tokens=12,
        do_sample=False,
        modality_ids=torch.zeros_like(mixed_ids),
    )
    assert torch.equal(cached, given)


def test_modalities_follow_from_ids_and_change_the_result(scimind: Make, mixed_ids: torch.Tensor) -> None:
    model = scimind(routing="as_described")
    as_text = model(input_ids=mixed_ids, modality_ids=torch.zeros_like(mixed_ids)).logits
    assert not torch.allclose(model(input_ids=mixed_ids).logits, as_text)


def test_a_modality_prior_gives_each_modality_an_expert_of_its_own_and_is_added_once(
    scimind: Make, tmp_path: Path
) -> None:
    model = scimind(routing="routed", modality_prior=9.0)
    model.save_pretrained(tmp_path)
    loaded = SciMindForCausalLM.from_pretrained(tmp_path)
    for one in (model, loaded):
        bias = one.model.layers[0].mlp.router.modality_bias
        assert bias.argmax(-1).tolist() == [0, 1, 2, 3]
        assert torch.equal(bias, model.model.layers[0].mlp.router.modality_bias)


def test_embeddings_without_modalities_are_refused(scimind: Make) -> None:
    with pytest.raises(ValueError, match="modality_ids"):
        scimind()(inputs_embeds=torch.zeros(1, 2, 32))


@pytest.mark.parametrize("implementation", ["eager", "grouped_mm", "batched_mm"])
def test_expert_kernels_agree_forward_and_backward(
    scimind: Make, mixed_ids: torch.Tensor, implementation: str
) -> None:
    """The reference multiplies all experts and masks, the way of the release."""
    model = scimind(routing="routed")
    model.set_experts_implementation(implementation)
    feed_forward = model.model.layers[0].mlp
    hidden = torch.randn(2, 8, 32, generator=torch.Generator().manual_seed(1)).requires_grad_()
    modality_ids = torch.tensor([[0, 0, 1, 1, 0, 2, 3, 0], [0, 1, 1, 1, 1, 2, 3, 0]])
    computed = feed_forward(hidden, modality_ids)
    computed.square().sum().backward()
    routed_gradients = [hidden.grad.clone(), feed_forward.experts.gate_up_proj.grad.clone()]
    hidden.grad = feed_forward.experts.gate_up_proj.grad = None
    expected = dense_then_mask(feed_forward, hidden, modality_ids)
    expected.square().sum().backward()
    assert torch.allclose(computed, expected, atol=1e-5)
    for got, wanted in zip(
        routed_gradients, [hidden.grad, feed_forward.experts.gate_up_proj.grad], strict=True
    ):
        assert torch.allclose(got, wanted, atol=1e-4)


def dense_then_mask(
    feed_forward: RoutedFeedForward, hidden: torch.Tensor, modality_ids: torch.Tensor
) -> torch.Tensor:
    logits = feed_forward.router(hidden.reshape(-1, 32), modality_ids.reshape(-1)).view(2, 8, -1)
    counts = torch.tensor(feed_forward.config.experts_by_modality)[modality_ids]
    ranks = logits.sort(dim=-1, descending=True, stable=True).indices.argsort(-1)
    chosen = (ranks < counts.unsqueeze(-1)).float()
    probability = logits.softmax(-1)
    weights = chosen * (probability - probability.detach() + 1)
    gate, up = torch.einsum("bsh,eih->bsei", hidden, feed_forward.experts.gate_up_proj).chunk(2, dim=-1)
    experts = torch.einsum(
        "bsei,ehi->bseh", torch.nn.functional.silu(gate) * up, feed_forward.experts.down_proj
    )
    return (experts * weights.unsqueeze(-1)).sum(2)


def test_every_weight_learns_and_the_router_too(scimind: Make, mixed_ids: torch.Tensor) -> None:
    model = scimind(routing="routed").train()
    model(input_ids=mixed_ids, labels=mixed_ids).loss.backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []
    assert model.model.layers[0].mlp.router.weight.grad.abs().sum() > 0


def test_a_batch_of_one_modality_still_reaches_every_weight(scimind: Make) -> None:
    """Processes that share weights must all take part, whatever their rows hold."""
    model = scimind(routing="routed").train()
    only_text = torch.tensor([[1, 5, 6, 7]])
    model(input_ids=only_text, labels=only_text).loss.backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []


def test_the_balance_loss_joins_the_loss(scimind: Make, mixed_ids: torch.Tensor) -> None:
    plain = scimind(routing="routed")(input_ids=mixed_ids, labels=mixed_ids)
    weighed = scimind(routing="routed", router_aux_loss_coef=0.5)(input_ids=mixed_ids, labels=mixed_ids)
    assert plain.aux_loss is None
    assert torch.allclose(weighed.loss, plain.loss + 0.5 * weighed.aux_loss)


@pytest.mark.parametrize("routing", ["as_described", "routed"])
def test_checkpointed_activations_give_the_same_gradients(
    scimind: Make, mixed_ids: torch.Tensor, routing: str
) -> None:
    def gradients(*, checkpointed: bool) -> list[torch.Tensor]:
        model = scimind(routing=routing)
        with learning(model, TrainSpec(gradient_checkpointing=checkpointed)):
            model(input_ids=mixed_ids, labels=mixed_ids).loss.backward()
        return [p.grad for p in model.parameters()]

    for one, other in zip(gradients(checkpointed=False), gradients(checkpointed=True), strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_an_adapter_on_attention_and_experts_merges_exactly(scimind: Make, mixed_ids: torch.Tensor) -> None:
    model = scimind(routing="routed")
    adapted = peft.get_peft_model(
        model,
        peft.LoraConfig(
            r=2,
            target_modules=["q_proj", "v_proj"],
            target_parameters=["mlp.experts.gate_up_proj", "mlp.experts.down_proj"],
            init_lora_weights=False,
        ),
    ).eval()
    before = adapted(input_ids=mixed_ids).logits
    merged = adapted.merge_and_unload()(input_ids=mixed_ids).logits
    assert torch.allclose(before, merged, atol=1e-4)


def test_attention_by_plain_products_is_the_same_attention(scimind: Make, mixed_ids: torch.Tensor) -> None:
    model = scimind(routing="dense")
    plain = model(input_ids=mixed_ids).logits
    model.set_attn_implementation("eager")
    assert torch.allclose(model(input_ids=mixed_ids).logits, plain, atol=1e-6)
    with torch.autocast("cpu", torch.bfloat16):
        lowered = model(input_ids=mixed_ids).logits
    assert torch.allclose(lowered.float(), plain, atol=0.3)


def test_a_model_changes_number_format_and_back(scimind: Make, mixed_ids: torch.Tensor) -> None:
    model = scimind(routing="routed")
    assert model.to(torch.bfloat16)(input_ids=mixed_ids).logits.dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"routing": "magic"}, "routing 'magic'"),
        ({"num_experts": 7}, "do not split into 7"),
        ({"experts_per_token": {"text": 9}}, "cannot use 9 of 8"),
        ({"experts_per_token": {"sound": 1}}, "not 'sound'|names 'sound'"),
        ({"modality_ranges": {"sound": [1, 2]}}, "sound"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(Exception, match=message):
        config(**changes)
