"""SciMind as a transformers model: LLaMA's attention around a feed-forward whose neurons are experts.

Two feed-forwards. `MaskedFeedForward` computes all neurons and masks those of unselected experts, as the
release does; it keeps LLaMA's weight names and a partition of its neurons. `RoutedFeedForward` holds the
experts one by one, lets a router choose before anything is computed, and multiplies only what was chosen.

Shapes: B batch, S sequence, T tokens, H hidden, I neurons, E experts, K experts a token, M modalities.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoTokenizer, GenerationMixin
from transformers import initialization as init
from transformers.activations import ACT2FN
from transformers.cache_utils import Cache, DynamicCache
from transformers.integrations import use_experts_implementation
from transformers.masking_utils import create_causal_mask
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_outputs import MoeCausalLMOutputWithPast, MoeModelOutputWithPast
from transformers.modeling_utils import PreTrainedModel
from transformers.models.llama.modeling_llama import (
    LlamaAttention,
    LlamaMLP,
    LlamaRMSNorm,
    LlamaRotaryEmbedding,
)
from transformers.utils.generic import can_return_tuple, merge_with_config_defaults
from transformers.utils.output_capturing import OutputRecorder, capture_outputs

from .configuration import SciMindConfig
from .modalities import MODALITIES
from .moe import balance_loss, modality_ids_of, select_as_described, select_as_released
from .tokenizer import SciMindTokenizer

# What transformers calls the cache: `cache` from 5.24 on.
CACHE = "cache" if "cache" in inspect.signature(create_causal_mask).parameters else "past_key_values"


class MaskedFeedForward(LlamaMLP):
    """LLaMA's feed-forward with the neurons of unselected experts set to zero. It saves no computation.

    An expert's score is the sum of its activations: signed, not normalised, without gradient and without
    parameters. `expert_of_neuron` says which expert each neuron belongs to.
    """

    def __init__(self, config: SciMindConfig) -> None:
        super().__init__(config)
        self.register_buffer("expert_of_neuron", default_partition(config))

    def forward(self, hidden_BSH: Tensor, modality_ids_BS: Tensor) -> Tensor:
        """Return the feed-forward of the selected experts."""
        h_BSI = self.act_fn(self.gate_proj(hidden_BSH)) * self.up_proj(hidden_BSH)
        if self.config.routing != "dense":
            h_BSI = h_BSI * self._mask(h_BSI, modality_ids_BS)
        out_BSH: Tensor = self.down_proj(h_BSI)
        return out_BSH

    @torch.no_grad()
    def _mask(self, h_BSI: Tensor, modality_ids_BS: Tensor) -> Tensor:
        one_hot_IE = nn.functional.one_hot(self.expert_of_neuron, self.config.num_experts).to(h_BSI.dtype)
        select = select_as_released if self.config.routing == "as_released" else select_as_described
        chosen_BSE = select(h_BSI @ one_hot_IE, modality_ids_BS, self.config.experts_by_modality)
        return chosen_BSE.to(h_BSI.dtype) @ one_hot_IE.T


class SciMindRouter(nn.Module):
    """Says which experts suit a token, from the token and from its modality."""

    def __init__(self, config: SciMindConfig) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(config.num_experts, config.hidden_size))
        self.modality_bias = nn.Parameter(torch.empty(len(MODALITIES), config.num_experts))

    def forward(self, hidden_TH: Tensor, modality_ids_T: Tensor) -> Tensor:
        """Return the logits of the experts, in fp32."""
        logits_TE = nn.functional.linear(hidden_TH.float(), self.weight.float())
        return logits_TE + self.modality_bias.float()[modality_ids_T]


@use_experts_implementation
class SciMindExperts(nn.Module):
    """The experts' weights, one stack for all, in the layout that transformers' expert kernels expect."""

    def __init__(self, config: SciMindConfig) -> None:
        super().__init__()
        self.num_experts = config.num_experts
        self.intermediate_dim = config.intermediate_size // config.num_experts
        self.gate_up_proj = nn.Parameter(
            torch.empty(self.num_experts, 2 * self.intermediate_dim, config.hidden_size)
        )
        self.down_proj = nn.Parameter(
            torch.empty(self.num_experts, config.hidden_size, self.intermediate_dim)
        )
        self.act_fn = ACT2FN[config.hidden_act]

    def forward(self, hidden_TH: Tensor, experts_TK: Tensor, weights_TK: Tensor) -> Tensor:
        """Compute expert by expert; the reference that the grouped kernels are held to."""
        out_TH = torch.zeros_like(hidden_TH)
        for expert in sorted(set(experts_TK.flatten().tolist())):
            rows, slots = (experts_TK == expert).nonzero(as_tuple=True)
            gate, up = nn.functional.linear(hidden_TH[rows], self.gate_up_proj[expert]).chunk(2, dim=-1)
            expert_out = nn.functional.linear(self.act_fn(gate) * up, self.down_proj[expert])
            out_TH = out_TH.index_add(0, rows, (expert_out * weights_TK[rows, slots, None]).to(out_TH.dtype))
        return out_TH


class RoutedFeedForward(nn.Module):
    """Experts that a router chooses first, so that the others cost nothing.

    A chosen expert counts with weight one, as it does in the dense feed-forward it was cut from; the
    router learns through the gradient of its probability alone. With all experts chosen the result
    is therefore the dense one, whatever the router says.
    """

    def __init__(self, config: SciMindConfig) -> None:
        super().__init__()
        self.config = config
        self.router = SciMindRouter(config)
        self.experts = SciMindExperts(config)

    def forward(self, hidden_BSH: Tensor, modality_ids_BS: Tensor) -> Tensor:
        """Return the feed-forward of the chosen experts."""
        hidden_TH = hidden_BSH.reshape(-1, hidden_BSH.shape[-1])
        modality_ids_T = modality_ids_BS.expand(hidden_BSH.shape[:-1]).reshape(-1)
        logits_TE = self.router(hidden_TH, modality_ids_T)
        probability_TE = logits_TE.softmax(dim=-1)
        straight_TE = (probability_TE - probability_TE.detach() + 1).to(hidden_TH.dtype)
        order_TE = logits_TE.sort(dim=-1, descending=True, stable=True).indices
        counts = self.config.experts_by_modality
        if len(set(counts)) == 1:
            out_TH = self._compute(hidden_TH, order_TE[:, : counts[0]], straight_TE)
        else:
            out_TH = self._compute_by_count(hidden_TH, order_TE, straight_TE, modality_ids_T)
        return out_TH.view_as(hidden_BSH)

    def _compute_by_count(
        self, hidden_TH: Tensor, order_TE: Tensor, straight_TE: Tensor, modality_ids_T: Tensor
    ) -> Tensor:
        counts = self.config.experts_by_modality
        count_T = torch.tensor(counts, device=hidden_TH.device)[modality_ids_T]
        out_TH = torch.zeros_like(hidden_TH)
        # Every count runs on every process even without tokens: sharded weights are gathered together.
        for count in sorted(set(counts)):
            rows = (count_T == count).nonzero().squeeze(-1)
            part = self._compute(hidden_TH[rows], order_TE[rows, :count], straight_TE[rows])
            out_TH = out_TH.index_copy(0, rows, part)
        return out_TH

    def _compute(self, hidden_TH: Tensor, experts_TK: Tensor, straight_TE: Tensor) -> Tensor:
        arguments = (hidden_TH, experts_TK, straight_TE.gather(-1, experts_TK))
        device = hidden_TH.device.type
        if not torch.is_autocast_enabled(device):
            out_TH: Tensor = self.experts(*arguments)
            return out_TH
        # Autocast does not know the grouped product, which would run in the weights' own format.
        lowered = {
            name: weight.to(torch.get_autocast_dtype(device))
            for name, weight in self.experts.named_parameters()
        }
        out_TH = torch.func.functional_call(self.experts, lowered, arguments)
        return out_TH


class SciMindDecoderLayer(GradientCheckpointingLayer):
    """LLaMA's layer, with the modality of each token handed to the feed-forward."""

    def __init__(self, config: SciMindConfig, layer_idx: int) -> None:
        super().__init__()
        self.self_attn = LlamaAttention(config=config, layer_idx=layer_idx)
        self.mlp = RoutedFeedForward(config) if config.routing == "routed" else MaskedFeedForward(config)
        self.input_layernorm = LlamaRMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.post_attention_layernorm = LlamaRMSNorm(config.hidden_size, eps=config.rms_norm_eps)

    def forward(self, hidden_states: Tensor, modality_ids: Tensor, **kwargs: Any) -> Tensor:
        """Apply attention and feed-forward, each around its residual."""
        attended, _ = self.self_attn(hidden_states=self.input_layernorm(hidden_states), **kwargs)
        hidden_states = hidden_states + attended
        fed: Tensor = self.mlp(self.post_attention_layernorm(hidden_states), modality_ids)
        return hidden_states + fed


class SciMindPreTrainedModel(PreTrainedModel):
    """What all SciMind models share: configuration, initial weights, what transformers may do with them."""

    config_class = SciMindConfig
    base_model_prefix = "model"
    supports_gradient_checkpointing = True
    _no_split_modules = ["SciMindDecoderLayer"]  # noqa: RUF012
    _skip_keys_device_placement = ["past_key_values", "cache"]  # noqa: RUF012
    _supports_flash_attn = True
    _supports_sdpa = True
    _supports_flex_attn = True
    _supports_attention_backend = True
    _can_record_outputs = {  # noqa: RUF012
        "router_logits": OutputRecorder(SciMindRouter, index=0),
        "hidden_states": SciMindDecoderLayer,
        "attentions": LlamaAttention,
    }

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        std = self.config.initializer_range
        if isinstance(module, SciMindExperts):
            init.normal_(module.gate_up_proj, mean=0.0, std=std)
            init.normal_(module.down_proj, mean=0.0, std=std)
        elif isinstance(module, SciMindRouter):
            init.normal_(module.weight, mean=0.0, std=std)
            bias_ME = torch.randn_like(module.modality_bias) * std
            own_M = torch.arange(len(MODALITIES))
            bias_ME[own_M, own_M % self.config.num_experts] += self.config.modality_prior
            init.copy_(module.modality_bias, bias_ME)
        elif isinstance(module, MaskedFeedForward):
            init.copy_(module.expert_of_neuron, default_partition(self.config))


class SciMindModel(SciMindPreTrainedModel):
    """The decoder without its head."""

    def __init__(self, config: SciMindConfig) -> None:
        super().__init__(config)
        self.padding_idx = config.pad_token_id
        self.vocab_size = config.vocab_size
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size, self.padding_idx)
        self.layers = nn.ModuleList(SciMindDecoderLayer(config, i) for i in range(config.num_hidden_layers))
        self.norm = LlamaRMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.rotary_emb = LlamaRotaryEmbedding(config=config)
        self.gradient_checkpointing = False
        self.post_init()

    @merge_with_config_defaults
    @capture_outputs
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        use_cache: bool | None = None,
        modality_ids: Tensor | None = None,
        **kwargs: Any,
    ) -> MoeModelOutputWithPast:
        """Return the last hidden states. Modalities follow from the ids unless they are given."""
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("SciMind takes either input_ids or inputs_embeds")
        if modality_ids is None:
            if input_ids is None:
                raise ValueError(
                    "with inputs_embeds SciMind needs modality_ids: embeddings do not say what they are"
                )
            modality_ids = modality_ids_of(input_ids, self.config.modality_ranges)
        hidden_states = self.embed_tokens(input_ids) if inputs_embeds is None else inputs_embeds
        cache = kwargs.pop("cache", past_key_values)
        if use_cache and cache is None:
            cache = DynamicCache(config=self.config)
        if position_ids is None:
            seen = cache.get_seq_length() if cache is not None else 0
            position_ids = torch.arange(seen, seen + hidden_states.shape[1], device=hidden_states.device)
            position_ids = position_ids.unsqueeze(0)
        causal_mask = create_causal_mask(
            config=self.config,
            inputs_embeds=hidden_states,
            attention_mask=attention_mask,
            position_ids=position_ids,
            **{CACHE: cache},
        )
        position_embeddings = self.rotary_emb(hidden_states, position_ids=position_ids)
        for layer in self.layers:
            hidden_states = layer(
                hidden_states,
                modality_ids=modality_ids,
                attention_mask=causal_mask,
                position_embeddings=position_embeddings,
                position_ids=position_ids,
                use_cache=use_cache,
                **{CACHE: cache},
                **kwargs,
            )
        return MoeModelOutputWithPast(last_hidden_state=self.norm(hidden_states), **{CACHE: cache})


class SciMindForCausalLM(SciMindPreTrainedModel, GenerationMixin):
    """SciMind as a language model."""

    _tied_weights_keys = {"lm_head.weight": "model.embed_tokens.weight"}  # noqa: RUF012
    _tp_plan = {"lm_head": "colwise_gather_output"}  # noqa: RUF012

    def __init__(self, config: SciMindConfig) -> None:
        super().__init__(config)
        self.model = SciMindModel(config)
        self.vocab_size = config.vocab_size
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        output_router_logits: bool | None = None,
        logits_to_keep: int | Tensor = 0,
        modality_ids: Tensor | None = None,
        **kwargs: Any,
    ) -> MoeCausalLMOutputWithPast:
        """Return logits, and with labels the loss; the balance loss joins it where it has a weight."""
        config = self.config
        if output_router_logits is None:
            output_router_logits = config.output_router_logits or (
                labels is not None and config.router_aux_loss_coef > 0
            )
        output_router_logits = output_router_logits and config.routing == "routed"
        if modality_ids is None and input_ids is not None:
            modality_ids = modality_ids_of(input_ids, config.modality_ranges)
        outputs = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=kwargs.pop("cache", past_key_values),
            inputs_embeds=inputs_embeds,
            use_cache=use_cache,
            modality_ids=modality_ids,
            output_router_logits=output_router_logits,
            **kwargs,
        )
        kept = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        logits = self.lm_head(outputs.last_hidden_state[:, kept, :])
        loss = None
        if labels is not None:
            loss = self.loss_function(logits=logits, labels=labels, vocab_size=config.vocab_size, **kwargs)
        aux_loss = None
        if output_router_logits and modality_ids is not None:
            keep = attention_mask if attention_mask is not None and attention_mask.dim() == 2 else None
            aux_loss = balance_loss(
                outputs.router_logits,
                modality_ids.reshape(-1),
                config.experts_by_modality,
                None if keep is None else keep[:, -modality_ids.shape[1] :].reshape(-1),
            )
            if loss is not None:
                loss = loss + config.router_aux_loss_coef * aux_loss.to(loss.device)
        return MoeCausalLMOutputWithPast(
            loss=loss,
            aux_loss=aux_loss,
            logits=logits,
            **{CACHE: outputs[CACHE] if CACHE in outputs else None},
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
            router_logits=outputs.router_logits,
        )

    def prepare_inputs_for_generation(self, input_ids: Tensor, **kwargs: Any) -> dict[str, Any]:
        """Drop modalities that were given for the prompt: they follow from the ids at every step."""
        kwargs.pop("modality_ids", None)
        prepared: dict[str, Any] = super().prepare_inputs_for_generation(input_ids, **kwargs)
        return prepared


def default_partition(config: SciMindConfig) -> Tensor:
    """Return consecutive blocks of equal size as experts; what a model has before a partition is loaded."""
    return torch.arange(config.intermediate_size) // (config.intermediate_size // config.num_experts)


AutoConfig.register("scimind", SciMindConfig, exist_ok=True)
AutoModel.register(SciMindConfig, SciMindModel, exist_ok=True)
AutoModelForCausalLM.register(SciMindConfig, SciMindForCausalLM, exist_ok=True)
AutoTokenizer.register(SciMindConfig, tokenizer_class=SciMindTokenizer, exist_ok=True)
