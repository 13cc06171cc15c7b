"""What a specification may ask for: contradictions and unknown options are refused before work begins."""

from __future__ import annotations

from harness.api.bounds import refuse_out_of_bounds
from harness.api.errors import UsageError, nearest
from harness.api.spec import GenerateSpec

OPTIONS = ("stop_tokens", "recheck")


def check(spec: GenerateSpec) -> str:
    """Refuse settings that contradict each other, and return the decoder that is meant."""
    refuse_out_of_bounds(spec, "generate")
    decoder = "beam" if spec.decoder == "greedy" and spec.num_beams > 1 else spec.decoder
    most = {"beam": spec.num_beams, "sampling": spec.n_best}.get(decoder, 1)
    wrong = {
        f"{decoder} cannot use num_beams={spec.num_beams}": decoder != "beam" and spec.num_beams != 1,
        f"{decoder} has {most} text(s) to give, n_best={spec.n_best} asks for more": spec.n_best > most,
        "min_new_tokens is above max_new_tokens": spec.min_new_tokens > spec.max_new_tokens,
        "a stop string is empty": "" in spec.stop,
    }
    for reason, holds in wrong.items():
        if holds:
            raise UsageError(reason)
    check_options(spec)
    return decoder


def check_options(spec: GenerateSpec) -> None:
    """Refuse options that no way of asking a model knows."""
    for name in spec.options:
        if name not in OPTIONS:
            raise UsageError(f"generation has no option '{name}'", hint=nearest(name, OPTIONS))
