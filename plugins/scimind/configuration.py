"""The configuration: LLaMA's, plus experts, how tokens reach them, and which ids are which modality."""

from __future__ import annotations

from typing import Any

from huggingface_hub.dataclasses import strict
from huggingface_hub.errors import StrictDataclassError
from transformers import LlamaConfig

from harness import UsageError

from .modalities import MODALITIES

ROUTINGS = ("dense", "as_released", "as_described", "routed")


@strict
class SciMindConfig(LlamaConfig):
    """LLaMA with modality-routed experts.

    `routing` is `dense` (plain LLaMA), `as_described` (each modality its own number of experts, chosen by
    summed activations), `as_released` (the same as the released code really computes it) or `routed` (a
    small router decides before the feed-forward, so that the others are not computed).
    `experts_per_token` says how many experts a token of each modality gets. `modality_prior` is how much
    a fresh router favours, for each modality, an expert of its own. `modality_ranges` are the
    ids [first, last + 1] of each modality; all other ids are text.
    """

    model_type = "scimind"
    # Neurons of one expert lie scattered over the feed-forward, so only attention is split over devices.
    base_model_tp_plan = {  # noqa: RUF012 - transformers declares it as a dict
        "layers.*.self_attn.q_proj": "colwise",
        "layers.*.self_attn.k_proj": "colwise",
        "layers.*.self_attn.v_proj": "colwise",
        "layers.*.self_attn.o_proj": "rowwise",
    }

    rms_norm_eps: float = 1e-5
    num_experts: int = 16
    routing: str = "as_described"
    experts_per_token: dict[str, int] | None = None
    modality_ranges: dict[str, list[int]] | None = None
    modality_prior: float = 0.0
    output_router_logits: bool = False
    router_aux_loss_coef: float = 0.0

    def __post_init__(self, **kwargs: Any) -> None:
        if self.experts_per_token is None:
            few = min(2, self.num_experts)
            self.experts_per_token = {
                "text": min(14, self.num_experts),
                "molecule": few,
                "nucleotide": few,
                "protein": few,
            }
        if self.modality_ranges is None:
            self.modality_ranges = {}
        super().__post_init__(**kwargs)

    @property
    def experts_by_modality(self) -> list[int]:
        """List how many experts a token gets, in the order of the modality ids."""
        chosen = self.experts_per_token or {}
        return [chosen.get(name, self.num_experts) for name in MODALITIES]

    def validate_scimind(self) -> None:
        """Refuse settings that contradict each other; called by transformers on every change."""
        if self.routing not in ROUTINGS:
            raise ValueError(f"routing '{self.routing}' is none of {', '.join(ROUTINGS)}")
        if self.num_experts < 1 or self.intermediate_size % self.num_experts:
            raise ValueError(
                f"{self.intermediate_size} neurons do not split into {self.num_experts} equal experts"
            )
        if self.routing == "routed" and self.intermediate_size // self.num_experts % 8:
            raise ValueError(
                f"experts of {self.intermediate_size // self.num_experts} neurons cannot be routed: "
                "their grouped product needs a multiple of 8"
            )
        for name, count in (self.experts_per_token or {}).items():
            if name not in MODALITIES:
                raise ValueError(
                    f"experts_per_token names '{name}', which is none of {', '.join(MODALITIES)}"
                )
            if not 1 <= count <= self.num_experts:
                raise ValueError(f"{name} tokens cannot use {count} of {self.num_experts} experts")
        for name in self.modality_ranges or {}:
            if name not in MODALITIES[1:]:
                raise ValueError(
                    f"modality_ranges names '{name}', which is none of {', '.join(MODALITIES[1:])}"
                )


def configured(**fields: Any) -> SciMindConfig:
    """Return a configuration; settings that contradict each other are refused in one sentence."""
    try:
        return SciMindConfig(**fields)
    except StrictDataclassError as error:  # it wraps what our validator says
        raise UsageError(f"the model's sizes do not fit: {error.__cause__ or error}") from error
