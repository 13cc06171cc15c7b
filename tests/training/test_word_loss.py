"""The loss without logits: the model's own number and gradients, and where it is not taken."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from harness.training import word_loss  # noqa: E402
from harness.training.objectives import Loss, model_loss  # noqa: E402

from .conftest import llama, t5  # noqa: E402

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


@pytest.fixture(autouse=True)
def any_vocabulary(monkeypatch):
    """Take the way without logits for tiny vocabularies too."""
    monkeypatch.setattr(word_loss, "LEAST", 0)


def batch_for(model: Any, device: str = "cpu") -> dict[str, Any]:
    draw = torch.Generator().manual_seed(1)
    ids = torch.randint(3, 48, (3, 12), generator=draw)
    labels = ids.clone()
    labels[:, :5] = -100
    labels[2, 9:] = -100
    batch = {"input_ids": ids, "labels": labels}
    if model.config.is_encoder_decoder:
        batch["attention_mask"] = torch.ones_like(ids)
    return {key: value.to(device) for key, value in batch.items()}


def learned(model: Any, batch: dict[str, Any]) -> tuple[Loss, list[Any]]:
    """Return the loss, and what it leaves as gradients."""
    model.zero_grad()
    loss = model_loss(model, batch)
    (loss.sum / loss.weight).backward()
    return loss, [p.grad.clone() for p in model.parameters() if p.grad is not None]


def own_way(model: Any, batch: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> tuple[Loss, list[Any]]:
    with monkeypatch.context() as patch:
        patch.setattr(word_loss, "LEAST", 10**9)
        return learned(model, batch)


def with_adapter() -> Any:
    peft = pytest.importorskip("peft")
    return peft.get_peft_model(llama(), peft.LoraConfig(target_modules=["q_proj"]))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("make", [llama, t5, with_adapter])
def test_it_is_the_model_s_own_loss_and_leaves_the_same_gradients(make, device, monkeypatch):
    model = make().to(device).eval()
    batch = batch_for(model, device)
    assert word_loss.head_of(model, batch) is not None
    own, own_gradients = own_way(model, batch, monkeypatch)
    found, gradients = learned(model, batch)
    assert float(found.weight) == float(own.weight)
    assert float(found.sum.detach()) == pytest.approx(float(own.sum.detach()), rel=1e-6)
    assert len(gradients) == len(own_gradients) > 0
    for one, other in zip(gradients, own_gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
    assert "logits" in model(**batch)
    assert model(**batch).logits.ndim == 3


def test_in_bf16_it_is_as_near_as_bf16_is(monkeypatch):
    model = llama().eval()
    batch = batch_for(model)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        own, _ = own_way(model, batch, monkeypatch)
        found, _ = learned(model, batch)
    assert float(found.sum.detach()) == pytest.approx(float(own.sum.detach()), rel=5e-3)


def test_a_batch_of_which_nothing_is_learned_has_no_loss():
    model = llama().eval()
    batch = batch_for(model)
    assert word_loss.head_of(model, batch) is not None
    loss = model_loss(model, batch | {"labels": torch.full_like(batch["labels"], -100)})
    assert (float(loss.sum.detach()), int(loss.weight)) == (0.0, 0)


def test_few_words_are_compared_by_their_logits(monkeypatch):
    monkeypatch.setattr(word_loss, "LEAST", 49)
    assert word_loss.head_of(llama(), batch_for(llama())) is None


def test_an_older_torch_has_the_model_s_own_loss(monkeypatch):
    monkeypatch.delattr(torch.nn.functional, "linear_cross_entropy")
    model = llama().eval()
    batch = batch_for(model)
    assert word_loss.head_of(model, batch) is None
    loss = model_loss(model, batch)
    assert float((loss.sum / loss.weight).detach()) == pytest.approx(float(model(**batch).loss.detach()))


def test_a_model_that_does_more_with_its_logits_keeps_its_own_loss():
    model = llama().eval()
    forward = model.forward

    def cooler(labels: Any = None, **inputs: Any) -> Any:
        said = forward(**inputs)
        said.logits = said.logits / 7
        if labels is not None:
            said.loss = model.loss_function(logits=said.logits, labels=labels, vocab_size=48)
        return said

    model.forward = cooler
    assert word_loss.head_of(model, batch_for(model)) is None


@pytest.mark.parametrize("coefficient", [0.0, 0.1])
def test_a_loss_of_routers_keeps_its_place_in_the_loss(coefficient):
    model = llama().eval()
    model.config.router_aux_loss_coef = coefficient
    assert (word_loss.head_of(model, batch_for(model)) is None) == bool(coefficient)
