"""Dense LLaMA to SciMind: the same weights, arranged as experts.

With all experts selected the logits are the dense model's.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from harness import UsageError

from .configuration import SciMindConfig
from .experts import split_neurons
from .modeling import SciMindForCausalLM

NEW_TOKEN_NOISE = 0.02  # of the spread of the old rows; enough to tell new tokens apart


def upcycle(
    dense: LlamaForCausalLM,
    *,
    experts: int = 16,
    routing: str = "as_described",
    experts_per_token: Mapping[str, int] | None = None,
    modality_ranges: Mapping[str, list[int]] | None = None,
    vocab_size: int | None = None,
    partition_LI: Tensor | None = None,
    seed: int = 0,
) -> SciMindForCausalLM:
    """Return SciMind with the weights of a dense LLaMA, whose memory it takes over.

    Without `partition_LI` the neurons of each layer are clustered by `split_neurons`. `vocab_size` adds
    rows for new tokens, which start near the mean of the old ones.
    """
    if dense.config.mlp_bias:
        raise UsageError("SciMind cannot take over a LLaMA with biases in its feed-forward")
    state = dict(dense.state_dict())
    config = _configuration(
        dense.config,
        num_experts=experts,
        routing=routing,
        experts_per_token=dict(experts_per_token) if experts_per_token else None,
        modality_ranges=dict(modality_ranges) if modality_ranges else None,
        vocab_size=vocab_size or dense.config.vocab_size,
    )
    generator = torch.Generator().manual_seed(seed)
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        state[name] = _grown(state[name], config.vocab_size, generator)
    for layer in range(config.num_hidden_layers):
        prefix = f"model.layers.{layer}.mlp."
        if partition_LI is None:
            labels_I = split_neurons(state[f"{prefix}up_proj.weight"], experts, seed=seed)
        else:
            labels_I = partition_LI[layer]
        if routing == "routed":
            _regroup(state, prefix, labels_I, config, generator)
        else:
            state[f"{prefix}expert_of_neuron"] = labels_I
    return _assembled(config, state)


def _configuration(dense: LlamaConfig, **own: object) -> SciMindConfig:
    kept = {
        key: value
        for key, value in dense.to_dict().items()
        if key not in ("model_type", "architectures", "transformers_version")
    }
    return SciMindConfig(**{**kept, **own})


def _grown(rows: Tensor, size: int, generator: torch.Generator) -> Tensor:
    if size < len(rows):
        raise UsageError(f"the model has {len(rows)} token rows, more than the tokenizer's {size}")
    if size == len(rows):
        return rows
    new = torch.randn(size - len(rows), rows.shape[1], generator=generator)
    new = rows.float().mean(0) + new * rows.float().std(0) * NEW_TOKEN_NOISE
    return torch.cat([rows, new.to(rows.dtype)])


def _regroup(
    state: dict[str, Tensor], prefix: str, labels_I: Tensor, config: SciMindConfig, generator: torch.Generator
) -> None:
    experts = config.num_experts
    order_Ei = labels_I.argsort(stable=True).view(experts, -1)
    gate, up, down = (state.pop(f"{prefix}{name}_proj.weight") for name in ("gate", "up", "down"))
    state[f"{prefix}experts.gate_up_proj"] = torch.cat([gate[order_Ei], up[order_Ei]], dim=1)
    state[f"{prefix}experts.down_proj"] = down.T[order_Ei].transpose(1, 2).contiguous()
    std = config.initializer_range
    state[f"{prefix}router.weight"] = torch.randn(experts, gate.shape[1], generator=generator).to(gate) * std
    state[f"{prefix}router.modality_bias"] = torch.randn(4, experts, generator=generator).to(gate) * std


def _assembled(config: SciMindConfig, state: dict[str, Tensor]) -> SciMindForCausalLM:
    with torch.device("meta"):
        model = SciMindForCausalLM(config)
    model.load_state_dict(state, assign=True, strict=True)
    model.tie_weights()
    model.model.rotary_emb = LlamaRotaryEmbedding(config)  # its buffers are not in the weights
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    model.eval()
    return model
