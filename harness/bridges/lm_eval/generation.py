"""What lm-eval says of how an answer is generated, as settings of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.api.errors import UsageError

LENGTHS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")  # the first one counts
LENGTH = 256
AS_THEY_ARE = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "num_beams")


def settings_of(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings of generation by their names here; what there is none for is refused."""
    left = dict(asked)
    lengths = [value for name in LENGTHS if (value := left.pop(name, None)) is not None]
    until = left.pop("until", None) or ()
    sampled = left.pop("do_sample", None)
    found = {name: left.pop(name) for name in AS_THEY_ARE if name in left}
    if left:
        raise UsageError(
            f"lm-eval sets {next(iter(left))} for how answers are generated, which nothing here reads",
            hint="it may set " + ", ".join(("until", "do_sample", *LENGTHS[:1], *AS_THEY_ARE)),
        )
    warm = float(found.get("temperature", 0.0))
    if not (warm > 0 if sampled is None else sampled):
        for name in ("temperature", "top_p", "top_k", "min_p"):
            found.pop(name, None)
    elif warm == 0:
        found["temperature"] = 1.0  # as models are sampled that nobody tells otherwise
    decoder = "sampling" if "temperature" in found else "beam" if found.get("num_beams", 1) > 1 else "greedy"
    texts = [until] if isinstance(until, str) else until
    return found | {
        "decoder": decoder,
        "stop": tuple(text for text in texts if text),
        "max_new_tokens": int(lengths[0]) if lengths else LENGTH,
    }
