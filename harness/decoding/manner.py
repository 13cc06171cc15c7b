"""How a request is decoded: its specification, with what follows from it for this model."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial
from typing import Any

from harness.api.spec import GenerateSpec

from .batch import Search
from .beam import Beam
from .contrastive import CANDIDATES, Contrastive
from .jobs import Decode
from .language_model import LanguageModel, stop_ids
from .search import Greedy, Sampling
from .settings import check
from .shaping import Ending, Shaper
from .smiles import SmilesGrammar


@dataclass(frozen=True, slots=True, eq=False)
class Manner:
    """A specification with its search, its rules, and how many rows a request takes at most."""

    spec: GenerateSpec
    decoder: str
    search: Search
    width: int
    shaper: Shaper
    ending: Ending

    def facts(self) -> dict[str, Any]:
        """Return what the record should say about this way of decoding."""
        search, spec = self.search, self.spec
        if isinstance(search, Greedy):
            return {
                "ties_settled": search.settles,
                "near_ties": search.near_ties,
                "rounding": search.noise,
            }
        told: dict[str, dict[str, Any]] = {
            "sampling": {"seed": spec.seed},
            "beam": {"beams": self.width, "length_penalty": spec.length_penalty},
            "contrastive": {"candidates": self.width, "penalty_alpha": spec.penalty_alpha},
        }
        return told[self.decoder]


class Manners:
    """Makes manners for one model; what requests can share, such as a grammar, they share."""

    def __init__(self, lm: LanguageModel, tokenizer: Any, decode: Decode) -> None:
        self._lm, self._tokenizer, self._decode = lm, tokenizer, decode
        self._searches: dict[tuple[Hashable, ...], Search] = {}
        self._grammar: SmilesGrammar | None = None

    def of(self, spec: GenerateSpec) -> Manner:
        """Check a specification and return how a request is decoded by it."""
        decoder = check(spec)
        eos = self._lm.eos.union(stop_ids(self._tokenizer, spec.options.get("stop_tokens", ())))
        width = {
            "greedy": 1,
            "sampling": spec.n_best,
            "beam": spec.num_beams,
            "contrastive": min(spec.top_k or CANDIDATES, self._lm.vocabulary),
        }[decoder]
        shaper = Shaper(self._lm, spec, eos, self._smiles() if spec.constraint else None)
        search = self._search(decoder, spec, width, len(eos))
        return Manner(spec, decoder, search, width, shaper, Ending(spec, eos, self._decode))

    def _search(self, decoder: str, spec: GenerateSpec, width: int, ends: int) -> Search:
        """Return the search that requests share whose tokens can be chosen together."""
        shared = {
            "sampling": (min(spec.top_k, self._lm.vocabulary),),
            "beam": (width, ends),
            "contrastive": (width,),
        }.get(decoder, ())
        if (decoder, *shared) not in self._searches:
            makers: dict[str, Callable[..., Search]] = {
                "greedy": partial(Greedy, self._lm),
                "sampling": Sampling,
                "beam": Beam,
                "contrastive": Contrastive,
            }
            self._searches[(decoder, *shared)] = makers[decoder](*shared)
        return self._searches[(decoder, *shared)]

    def _smiles(self) -> SmilesGrammar:
        if self._grammar is None:
            lm, tokenizer = self._lm, self._tokenizer
            special = {*getattr(tokenizer, "all_special_ids", ()), *lm.eos}
            self._grammar = SmilesGrammar(
                self._decode, len(tokenizer), lm.vocabulary, sorted(special), sorted(lm.eos)
            )
        return self._grammar
