"""Dense LLaMA to SciMind: the same weights, arranged as experts.

With all experts selected the logits are the dense model's. With few, a router that knows nothing ruins
them, so `calibrate` fits fresh routers to what the dense layers themselves would activate.

Shapes: B batch, S sequence, T tokens, H hidden, E experts, F features that a router reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from harness import UsageError

from .configuration import SciMindConfig, configured
from .experts import split_neurons
from .modalities import MODALITIES
from .modeling import RoutedFeedForward, SciMindForCausalLM

NEW_TOKEN_NOISE = 0.02  # of the spread of the old rows; enough to tell new tokens apart
CALIBRATION_ROWS = 128
LONGEST = 256  # tokens of a row that are read, so that one long row does not cost a batch of its length
RIDGE = 0.01  # of the mean square of what a router reads


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


@torch.no_grad()
def calibrate(model: SciMindForCausalLM, rows: Sequence[Sequence[int]]) -> None:
    """Fit the routers of a fresh upcycle, so that each prefers the experts its layer would activate most.

    `rows` are token ids of what is to be learned. A router's logits become the ridge estimate of every
    expert's summed absolute activations, from a token's hidden state and modality. Layers are fitted in
    turn, each on what those before it hand on.
    """
    cut = [torch.tensor(row[:LONGEST]) for row in rows]
    input_ids_BS = nn.utils.rnn.pad_sequence(cut, batch_first=True)
    is_row_BS = nn.utils.rnn.pad_sequence([torch.ones_like(row) for row in cut], batch_first=True).bool()

    def fit(feed_forward: RoutedFeedForward, inputs: tuple[Tensor, Tensor]) -> None:
        fit_router(feed_forward, inputs[0][is_row_BS], inputs[1][is_row_BS])

    feed_forwards = [module for module in model.modules() if isinstance(module, RoutedFeedForward)]
    hooks = [feed_forward.register_forward_pre_hook(fit) for feed_forward in feed_forwards]
    try:
        model.model(input_ids=input_ids_BS, use_cache=False)
    finally:
        for hook in hooks:
            hook.remove()


@torch.no_grad()
def fit_router(feed_forward: RoutedFeedForward, hidden_TH: Tensor, modality_ids_T: Tensor) -> None:
    """Fit one router to the hidden states and modalities that its feed-forward reads."""
    modality_TM = nn.functional.one_hot(modality_ids_T, len(MODALITIES))
    known_TF = torch.cat([hidden_TH, modality_TM, torch.ones_like(modality_TM[:, :1])], dim=1).double()
    score_TE = _activations(feed_forward, hidden_TH).double()
    score_TE = (score_TE - score_TE.mean()) / score_TE.std().clamp(min=1e-12)
    gram_FF = known_TF.T @ known_TF
    penalty_F = (RIDGE * gram_FF.diagonal()[: hidden_TH.shape[1]].mean()).expand(len(gram_FF)).clone()
    penalty_F[-1] = 0  # the intercept, which stands in for a modality that does not occur
    fitted_FE = torch.linalg.solve(gram_FF + penalty_F.diag(), known_TF.T @ score_TE)
    weight_HE, bias_ME, intercept_E = fitted_FE.split([hidden_TH.shape[1], len(MODALITIES), 1])
    feed_forward.router.weight.copy_(weight_HE.T)
    feed_forward.router.modality_bias.copy_(bias_ME + intercept_E)


def _activations(feed_forward: RoutedFeedForward, hidden_TH: Tensor) -> Tensor:
    """Return every expert's summed absolute activations."""
    experts = feed_forward.experts
    scores = []
    for gate_up in experts.gate_up_proj:
        gate, up = nn.functional.linear(hidden_TH, gate_up).chunk(2, dim=-1)
        scores.append((experts.act_fn(gate) * up).abs().sum(-1))
    return torch.stack(scores, dim=-1)


def _configuration(dense: LlamaConfig, **own: object) -> SciMindConfig:
    kept = {
        key: value
        for key, value in dense.to_dict().items()
        if key not in ("model_type", "architectures", "transformers_version")
    }
    return configured(**{**kept, **own})


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
