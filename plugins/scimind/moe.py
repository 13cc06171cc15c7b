"""Routing: which experts a token uses, and how evenly they are used.

Shapes: T tokens, E experts, M modalities, L layers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from .modalities import MODALITIES


def modality_ids_of(input_ids: Tensor, ranges: Mapping[str, Sequence[int]]) -> Tensor:
    """Return each token's modality as its index in MODALITIES."""
    ids = torch.zeros_like(input_ids)
    for name, (start, stop) in ranges.items():
        ids = ids.masked_fill((input_ids >= start) & (input_ids < stop), MODALITIES.index(name))
    return ids


def top_experts(scores_TE: Tensor, count: int) -> Tensor:
    """Mark the `count` best experts of each token; of equal scores the lower index wins."""
    order = scores_TE.sort(dim=-1, descending=True, stable=True).indices
    return torch.zeros_like(scores_TE, dtype=torch.bool).scatter(-1, order[..., :count], True)


def select_as_described(scores_TE: Tensor, modality_ids_T: Tensor, counts: Sequence[int]) -> Tensor:
    """Mark the experts of each token: the best ones, as many as its modality gets."""
    rank_TE = scores_TE.sort(dim=-1, descending=True, stable=True).indices.argsort(dim=-1)
    allowed_T = torch.tensor(counts, device=scores_TE.device)[modality_ids_T]
    return rank_TE < allowed_T.unsqueeze(-1)


def select_as_released(scores_TE: Tensor, modality_ids_T: Tensor, counts: Sequence[int]) -> Tensor:
    """Mark the experts of each token as the released code does.

    It knows two classes only, text and the rest, and multiplies the scores by the class before it takes
    the best, then joins both selections. A token's score in the other class is zero for every expert, so
    that class adds its first experts whatever the token is: text runs 14 to 16 of 16, and the rest the
    first 14 and its own two.
    """
    is_text_T1 = (modality_ids_T == 0).unsqueeze(-1)
    text, rest = counts[0], counts[1]
    return top_experts(scores_TE * is_text_T1, text) | top_experts(scores_TE * ~is_text_T1, rest)


def expert_load(
    router_logits: Sequence[Tensor],
    modality_ids_T: Tensor,
    counts: Sequence[int],
    keep_T: Tensor | None = None,
) -> Tensor:
    """Count how often each expert was chosen: (L, M, E). `keep_T` leaves padding out."""
    weights_TM = _one_hot_modalities(modality_ids_T, keep_T)
    return torch.stack(
        [
            weights_TM.to(logits.device).T @ select_as_described(logits, modality_ids_T, counts).float()
            for logits in router_logits
        ]
    )


def balance_loss(
    router_logits: Sequence[Tensor],
    modality_ids_T: Tensor,
    counts: Sequence[int],
    keep_T: Tensor | None = None,
) -> Tensor:
    """Return how unevenly each modality loads its experts: 1 when even, E / k when k experts take all.

    The mean over layers and over the modalities that occur of E * sum(share of load * mean probability).
    """
    weights_TM = _one_hot_modalities(modality_ids_T, keep_T)
    tokens_M = weights_TM.sum(0)
    present_M = tokens_M > 0
    losses = []
    for logits in router_logits:
        probability_TE = logits.float().softmax(dim=-1)
        selected_TE = select_as_described(logits, modality_ids_T, counts).float()
        load_ME = weights_TM.T @ selected_TE
        share_ME = load_ME / load_ME.sum(-1, keepdim=True).clamp(min=1)
        probability_ME = weights_TM.T @ probability_TE / tokens_M.clamp(min=1).unsqueeze(-1)
        per_modality = logits.shape[-1] * (share_ME * probability_ME).sum(-1)
        losses.append((per_modality * present_M).sum() / present_M.sum().clamp(min=1))
    return torch.stack(losses).mean()


def _one_hot_modalities(modality_ids_T: Tensor, keep_T: Tensor | None) -> Tensor:
    one_hot = torch.nn.functional.one_hot(modality_ids_T, len(MODALITIES)).float()
    return one_hot if keep_T is None else one_hot * keep_T.unsqueeze(-1)
