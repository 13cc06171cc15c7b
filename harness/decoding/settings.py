"""What a specification may ask for: contradictions and unknown options are refused before work begins."""

from __future__ import annotations

from harness.api.errors import UsageError, nearest
from harness.api.spec import GenerateSpec

DECODERS = ("greedy", "sampling", "beam", "contrastive")
OPTIONS = ("stop_tokens", "recheck")


def check(spec: GenerateSpec) -> str:
    """Refuse settings that contradict each other, and return the decoder that is meant."""
    if spec.decoder not in DECODERS:
        raise UsageError(f"no decoder named '{spec.decoder}'", hint=nearest(spec.decoder, DECODERS))
    decoder = "beam" if spec.decoder == "greedy" and spec.num_beams > 1 else spec.decoder
    most = {"beam": spec.num_beams, "sampling": spec.n_best}.get(decoder, 1)
    wrong = {
        f"{decoder} cannot use num_beams={spec.num_beams}": decoder != "beam" and spec.num_beams != 1,
        f"{decoder} has {most} text(s) to give, n_best={spec.n_best} asks for more": spec.n_best > most,
        "num_beams, n_best and max_new_tokens must be at least 1": min(
            spec.num_beams, spec.n_best, spec.max_new_tokens
        )
        < 1,
        "min_new_tokens is above max_new_tokens": spec.min_new_tokens > spec.max_new_tokens,
        f"temperature is {spec.temperature}, it must be above 0": spec.temperature <= 0,
        f"top_p is {spec.top_p}, it must be in (0, 1]": not 0 < spec.top_p <= 1,
        f"min_p is {spec.min_p}, it must be in [0, 1]": not 0 <= spec.min_p <= 1,
        f"penalty_alpha is {spec.penalty_alpha}, it must be in [0, 1]": not 0 <= spec.penalty_alpha <= 1,
        f"repetition_penalty is {spec.repetition_penalty}, it must be above 0": spec.repetition_penalty <= 0,
        f"top_k is {spec.top_k}, it must not be negative": spec.top_k < 0,
        f"no constraint named '{spec.constraint}', there is 'smiles'": spec.constraint not in ("", "smiles"),
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
