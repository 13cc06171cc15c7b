"""Which experts a token uses, in the released and in the described way."""

from __future__ import annotations

import torch

from harness.plugins.scimind.moe import (
    balance_loss,
    expert_load,
    modality_ids_of,
    select_as_described,
    select_as_released,
)

COUNTS = [14, 2, 2, 2]
SCORES = torch.randn(6, 16, generator=torch.Generator().manual_seed(0))
MODALITIES = torch.tensor([0, 0, 1, 1, 2, 3])


def experts(selected: torch.Tensor) -> list[set[int]]:
    return [set(row.nonzero().flatten().tolist()) for row in selected]


def best(row: torch.Tensor, count: int) -> set[int]:
    return set(row.topk(count).indices.tolist())


def test_modalities_come_from_id_ranges() -> None:
    ids = torch.tensor([[0, 31999, 32000, 32065, 32066, 32070, 32071, 32097]])
    ranges = {"molecule": [32000, 32066], "nucleotide": [32066, 32071], "protein": [32071, 32098]}
    assert modality_ids_of(ids, ranges).tolist() == [[0, 0, 1, 1, 2, 2, 3, 3]]


def test_as_described_each_modality_gets_its_own_number_of_best_experts() -> None:
    chosen = experts(select_as_described(SCORES, MODALITIES, COUNTS))
    assert [len(row) for row in chosen] == [14, 14, 2, 2, 2, 2]
    assert chosen == [best(row, COUNTS[m]) for row, m in zip(SCORES, MODALITIES.tolist(), strict=True)]


def test_as_released_text_adds_the_first_two_experts_to_its_own() -> None:
    chosen = experts(select_as_released(SCORES, MODALITIES, COUNTS))
    assert chosen[0] == best(SCORES[0], 14) | {0, 1}
    assert 14 <= len(chosen[0]) <= 16


def test_as_released_the_rest_runs_the_first_fourteen_whatever_it_is() -> None:
    chosen = experts(select_as_released(SCORES, MODALITIES, COUNTS))
    for row in range(2, 6):
        assert chosen[row] == best(SCORES[row], 2) | set(range(14))


def test_equal_scores_choose_the_lower_index() -> None:
    chosen = experts(select_as_described(torch.zeros(1, 16), torch.tensor([1]), COUNTS))
    assert chosen == [{0, 1}]


def test_load_counts_by_layer_and_modality_without_padding() -> None:
    keep = torch.tensor([1.0, 1, 1, 1, 1, 0])
    load = expert_load([SCORES, SCORES], MODALITIES, COUNTS, keep)
    assert load.shape == (2, 4, 16)
    assert load[0].sum(-1).tolist() == [28, 4, 2, 0]


def test_balance_is_one_when_even_and_grows_when_a_few_take_all() -> None:
    even = [torch.eye(16) * 1e-6]
    assert torch.allclose(balance_loss(even, torch.ones(16, dtype=torch.long), [1] * 4), torch.tensor(1.0))
    lopsided = torch.full((16, 16), -20.0)
    lopsided[:, :2] = 20
    taken = balance_loss([lopsided], torch.ones(16, dtype=torch.long), [2] * 4)
    assert torch.allclose(taken, torch.tensor(8.0), atol=1e-4)


def test_balance_is_kept_within_each_modality() -> None:
    """Text on one half and molecules on the other is even overall and lopsided for each."""
    logits = torch.full((4, 4), -20.0)
    logits[:2, :2] = 20
    logits[2:, 2:] = 20
    loss = balance_loss([logits], torch.tensor([0, 0, 1, 1]), [2, 2, 2, 2])
    assert torch.allclose(loss, torch.tensor(2.0), atol=1e-4)
