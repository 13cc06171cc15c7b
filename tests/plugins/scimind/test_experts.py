"""Splitting neurons, reading the release's partition, and upcycling a dense model."""

from __future__ import annotations

import pickle
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from harness import DataError, UsageError
from harness.plugins.scimind.experts import balanced_assignment, read_partition, split_neurons
from harness.plugins.scimind.modeling import SciMindForCausalLM
from harness.plugins.scimind.upcycle import calibrate, upcycle

LABELS = torch.arange(64).reshape(8, 8).T.reshape(-1) // 8  # interleaved, so that order matters


def dense_llama() -> LlamaForCausalLM:
    config = LlamaConfig(
        vocab_size=40,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        initializer_range=0.2,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return LlamaForCausalLM(config).eval()


def write_labels(folder: Path, layer: int, labels: torch.Tensor) -> Path:
    path = folder / "param_split" / f"model.layers.{layer}.mlp.up_proj.weight"
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save([np.int32(label) for label in labels.tolist()], path)
    return path


def write_pattern(folder: Path, layer: int, labels: torch.Tensor) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"patterns_{layer}.npy"
    np.save(path, np.eye(8, dtype=bool)[labels.numpy()].T)
    return path


def test_neurons_of_one_kind_become_one_expert() -> None:
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(4, 16, generator=generator)
    kind = torch.arange(64) % 4
    rows = centres[kind] + 0.01 * torch.randn(64, 16, generator=generator)
    labels = split_neurons(rows, 4)
    assert labels.bincount().tolist() == [16] * 4
    assert all(len(set(labels[kind == k].tolist())) == 1 for k in range(4))
    assert torch.equal(labels, split_neurons(rows, 4))


def test_the_assignment_is_as_good_as_the_exact_one() -> None:
    optimize = pytest.importorskip("scipy.optimize")
    similarity = torch.randn(128, 8, generator=torch.Generator().manual_seed(0))
    labels = balanced_assignment(similarity)
    seats = np.repeat(similarity.numpy(), 16, axis=1)
    best = seats[optimize.linear_sum_assignment(-seats)].sum()
    got = float(similarity.gather(1, labels.unsqueeze(1)).sum())
    assert labels.bincount().tolist() == [16] * 8
    assert got >= best - 1e-3 * abs(best)


def test_identical_neurons_are_still_shared_out_evenly() -> None:
    assert split_neurons(torch.ones(32, 4), 4).bincount().tolist() == [8] * 4


def test_a_count_that_does_not_divide_is_refused() -> None:
    with pytest.raises(UsageError, match="64 neurons do not split into 7"):
        split_neurons(torch.randn(64, 4), 7)


def test_both_forms_of_the_release_give_one_partition(tmp_path: Path) -> None:
    for layer in range(2):
        write_labels(tmp_path / "labels", layer, LABELS)
        write_pattern(tmp_path / "patterns", layer, LABELS)
    from_labels = read_partition(tmp_path / "labels", 2, 64, 8)
    from_patterns = read_partition(tmp_path / "patterns", 2, 64, 8)
    assert torch.equal(from_labels, LABELS.expand(2, 64))
    assert torch.equal(from_labels, from_patterns)


def test_a_missing_layer_names_both_files_it_could_be(tmp_path: Path) -> None:
    write_pattern(tmp_path, 0, LABELS)
    with pytest.raises(DataError, match="layer 1") as caught:
        read_partition(tmp_path, 2, 64, 8)
    assert "patterns_1.npy" in caught.value.hint


def test_unequal_experts_are_refused(tmp_path: Path) -> None:
    write_labels(tmp_path, 0, torch.zeros(64, dtype=torch.long))
    with pytest.raises(DataError, match="differ in size"):
        read_partition(tmp_path, 1, 64, 8)


def test_a_partition_of_another_model_is_refused(tmp_path: Path) -> None:
    write_labels(tmp_path, 0, LABELS)
    with pytest.raises(DataError, match="assigns 64 neurons, the model has 128"):
        read_partition(tmp_path, 1, 128, 8)


def test_a_pattern_that_overlaps_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "patterns_0.npy", np.ones((8, 64), dtype=bool))
    with pytest.raises(DataError, match="no expert or to several"):
        read_partition(tmp_path, 1, 64, 8)


class Hostile:
    """Runs code where a pickle is trusted."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.path,)


def test_hostile_label_files_run_nothing(tmp_path: Path) -> None:
    path = write_labels(tmp_path, 0, LABELS)
    torch.save([Hostile(tmp_path / "owned")], path)
    with pytest.raises(DataError, match="no list of labels"):
        read_partition(tmp_path, 1, 64, 8)
    path.write_bytes(pickle.dumps([Hostile(tmp_path / "owned")]))
    with pytest.raises(DataError, match="no list of labels"):
        read_partition(tmp_path, 1, 64, 8)
    assert not (tmp_path / "owned").exists()


def test_a_pickled_pattern_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "patterns_0.npy", np.array([Hostile(tmp_path / "owned")], dtype=object))
    with pytest.raises(DataError, match="no array file"):
        read_partition(tmp_path, 1, 64, 8)
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("routing", ["dense", "as_described", "as_released", "routed"])
def test_with_all_experts_the_upcycled_logits_are_the_dense_ones(routing: str) -> None:
    ids = torch.tensor([[1, 5, 20, 21, 6, 27, 33, 2]])
    expected = dense_llama()(input_ids=ids).logits
    model = upcycle(
        dense_llama(),
        experts=8,
        routing=routing,
        experts_per_token=dict.fromkeys(("text", "molecule", "nucleotide", "protein"), 8),
        modality_ranges={"molecule": [20, 26]},
        partition_LI=LABELS.expand(2, 64),
    )
    assert torch.allclose(model(input_ids=ids).logits, expected, atol=1e-5)


def routed_llama(experts_per_token: int) -> SciMindForCausalLM:
    return upcycle(
        dense_llama(),
        experts=8,
        routing="routed",
        experts_per_token=dict.fromkeys(("text", "molecule", "nucleotide", "protein"), experts_per_token),
        modality_ranges={"molecule": [20, 26]},
        partition_LI=LABELS.expand(2, 64),
    )


def rows(seed: int) -> list[list[int]]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(40, (length,), generator=generator).tolist() for length in (5, 30, 17) * 20]


def chosen_share(model: SciMindForCausalLM, seed: int) -> float:
    """Return how much of the first layer's absolute activation lies in the two experts that are chosen."""
    dense, shares = dense_llama(), []
    seen: list[torch.Tensor] = []
    dense.model.layers[0].mlp.down_proj.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    for row in rows(seed):
        ids = torch.tensor([row])
        logits = model(input_ids=ids, output_router_logits=True).router_logits[0]
        dense(input_ids=ids)
        activation = seen.pop()[0].abs() @ torch.nn.functional.one_hot(LABELS).float()
        shares.append(activation.gather(1, logits.topk(2).indices).sum(1) / activation.sum(1))
    return float(torch.cat(shares).mean())


@torch.no_grad()
def test_fitted_routers_choose_the_experts_that_tokens_activate() -> None:
    model = routed_llama(2)
    by_chance = chosen_share(model, seed=1)
    calibrate(model, rows(seed=0))
    assert by_chance < 0.3
    assert chosen_share(model, seed=1) > by_chance + 0.05


@torch.no_grad()
def test_fitting_reads_no_padding_and_gives_the_same_routers_again() -> None:
    routers = []
    for given in (rows(0), rows(0), rows(0)[::-1]):
        model = routed_llama(8)
        calibrate(model, given)
        routers.append({name: value for name, value in model.state_dict().items() if "router" in name})
    assert all(torch.equal(value, routers[1][name]) for name, value in routers[0].items())
    assert all(torch.allclose(value, routers[2][name], atol=1e-4) for name, value in routers[0].items())


@torch.no_grad()
def test_fitting_knows_modalities_and_gives_those_it_has_not_seen_the_mean() -> None:
    model = routed_llama(2)
    calibrate(model, rows(0))
    text, molecule, nucleotide, protein = model.model.layers[0].mlp.router.modality_bias
    assert torch.equal(nucleotide, protein)
    assert not torch.allclose(text, molecule, atol=1e-2)


@torch.no_grad()
def test_with_all_experts_fitted_routers_change_nothing() -> None:
    ids = torch.tensor([[1, 5, 20, 21, 6, 27, 33, 2]])
    model = routed_llama(8)
    calibrate(model, rows(0))
    assert torch.allclose(model(input_ids=ids).logits, dense_llama()(input_ids=ids).logits, atol=1e-5)


def test_experts_that_cannot_be_multiplied_as_a_group_are_refused() -> None:
    with pytest.raises(UsageError, match="experts of 4 neurons cannot be routed"):
        upcycle(dense_llama(), experts=16, routing="routed")


def test_with_few_experts_routed_computes_what_masking_leaves() -> None:
    """One expert of neurons from a known partition, held against the dense layer with all others zeroed."""
    dense = dense_llama()
    mlp = dense.model.layers[0].mlp
    hidden = torch.randn(1, 3, 32, generator=torch.Generator().manual_seed(1))
    activated = torch.nn.functional.silu(mlp.gate_proj(hidden)) * mlp.up_proj(hidden)
    by_expert = [mlp.down_proj(activated * (LABELS == expert)) for expert in range(8)]
    model = upcycle(
        dense,
        experts=8,
        routing="routed",
        experts_per_token=dict.fromkeys(("text", "molecule", "nucleotide", "protein"), 1),
        partition_LI=LABELS.expand(2, 64),
    )
    routed = model.model.layers[0].mlp
    chosen = routed.router(hidden.view(3, 32), torch.zeros(3, dtype=torch.long)).argmax(-1)
    expected = torch.stack([by_expert[int(expert)][0, token] for token, expert in enumerate(chosen)])
    computed = routed(hidden, torch.zeros(1, 3, dtype=torch.long))[0]
    assert torch.allclose(computed, expected, atol=1e-5)


def test_upcycling_clusters_where_no_partition_is_given_and_adds_token_rows(tmp_path: Path) -> None:
    dense = dense_llama()
    old = dense.model.embed_tokens.weight.detach().clone()
    model = upcycle(dense, experts=8, experts_per_token={"text": 6}, vocab_size=50)
    assert model.model.layers[1].mlp.expert_of_neuron.bincount().tolist() == [8] * 8
    assert model.get_input_embeddings().weight.shape == (50, 32)
    assert model.get_output_embeddings().weight.shape == (50, 32)
    assert torch.equal(model.get_input_embeddings().weight[:40], old)
    model.save_pretrained(tmp_path)
    loaded = type(model).from_pretrained(tmp_path).eval()
    ids = torch.tensor([[1, 5, 20, 49]])
    assert torch.equal(loaded(input_ids=ids).logits, model(input_ids=ids).logits)


def test_fewer_token_rows_than_the_model_has_are_refused() -> None:
    with pytest.raises(UsageError, match="40 token rows"):
        upcycle(dense_llama(), experts=8, experts_per_token={"text": 6}, vocab_size=30)


def damaged(whole: bytes) -> Iterator[bytes]:
    """Yield a file cut at many places, with bytes changed, and what only begins like one."""
    yield from (whole[:end] for end in range(0, len(whole), max(1, len(whole) // 60)))
    dice = random.Random(0)
    for _ in range(120):
        changed = bytearray(whole)
        for _ in range(dice.randint(1, 4)):
            changed[dice.randrange(len(changed))] = dice.randrange(256)
        yield bytes(changed)
    yield from (b"\x80", b"PK\x03\x04", b"\x93NUMPY", pickle.dumps([10**30] * 64))


@pytest.mark.parametrize("form", ["patterns", "labels", "old labels"])
def test_a_torn_file_is_a_sentence_that_names_it(tmp_path: Path, form: str) -> None:
    if form == "patterns":
        write_pattern(tmp_path, 0, LABELS)
        path = tmp_path / "patterns_0.npy"
    else:
        path = write_labels(tmp_path, 0, LABELS)
        if form == "old labels":
            torch.save([int(label) for label in LABELS], path, _use_new_zipfile_serialization=False)
    refused = 0
    for content in damaged(path.read_bytes()):
        path.write_bytes(content)
        try:
            read_partition(tmp_path, 1, 64, 8)  # a changed byte may leave a partition
        except DataError as error:
            refused += 1
            assert path.name in error.message
    assert refused > 60
