"""Bridges to Hugging Face `evaluate`: our metrics as its modules, and its local modules as our metrics."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from harness import MissingDependency, Pairs, Score, UsageError, nearest

from .cards import entries
from .rows import first_references, make_pairs, outputs


def _evaluate() -> Any:
    try:
        return importlib.import_module("evaluate")
    except ImportError:
        raise MissingDependency("evaluate is not installed", hint="pip install evaluate") from None


def module(name: str) -> Any:
    """Return a bundled metric as an `evaluate.EvaluationModule`: `.compute(predictions=, references=)`."""
    cards = {card.name: card for card in entries()}
    if name not in cards:
        raise UsageError(f"no metric named '{name}'", hint=nearest(name, cards))
    card = cards[name]
    target, _, attribute = card.target.partition(":")
    metric: Callable[[Pairs], Score] = getattr(importlib.import_module(target), attribute)
    evaluate, datasets = _evaluate(), importlib.import_module("datasets")
    text = datasets.Value("string")
    features = [
        datasets.Features({"predictions": text, "references": kind})
        for kind in (text, datasets.Sequence(text))
    ]

    base: Any = evaluate.Metric

    class Bridge(base):  # type: ignore[misc]
        def _info(self) -> Any:
            return evaluate.MetricInfo(
                description=f"{card.summary}. {card.definition}",
                citation=card.source,
                inputs_description=card.edge_cases,
                features=features,
            )

        def _compute(self, predictions: list[str], references: list[Any]) -> dict[str, Any]:
            score = metric(make_pairs(predictions, references))
            return {name: score.value, "note": score.note}

    return Bridge(config_name=name.replace("@", "-"))


def metric(path: str) -> Callable[[Pairs], Score]:
    """Return the `evaluate` module at a path as a metric: `evaluate:PATH` in a task's metrics.

    Its value is the one number that it returns; of several the first one is the value and all are
    details. Modules get plain texts and the first reference of each row.
    """
    library = _evaluate()
    try:
        loaded = library.load(path)
    except Exception as error:  # noqa: BLE001  whatever a stranger's script raises
        first = str(error).partition("\n")[0]
        raise UsageError(
            f"evaluate cannot load '{path}': {first}", hint="name a folder that holds a script of its name"
        ) from None

    def compute(pairs: Pairs) -> Score:
        found = loaded.compute(predictions=list(outputs(pairs)), references=list(first_references(pairs)))
        numbers = {key: float(v) for key, v in found.items() if isinstance(v, int | float)}
        if not numbers:
            return Score(f"evaluate:{path}", None, len(pairs), note="the module returned no number")
        return Score(f"evaluate:{path}", next(iter(numbers.values())), len(pairs), details=numbers)

    return compute
