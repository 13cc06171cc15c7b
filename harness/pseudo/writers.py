"""Who writes a caption: rules alone, a model plugin, or an OpenAI-compatible endpoint."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

from harness.api import Completion, PromptFormat, Request, StageError, UsageError

from . import retrieval

PROMPT = PromptFormat(
    "pseudo-one-shot",
    "Describe a molecule from its SMILES in the manner of the example: its structure, its class, its role.\n"
    "Answer with the description alone.\n\n"
    "SMILES: {neighbour_smiles}\nDescription: {neighbour_caption}\n\n"
    "SMILES: {smiles}\nDescription:",
)
RETRIES = 5


@dataclass(frozen=True, slots=True)
class Item:
    """A molecule to be described, and the described molecule most like it."""

    key: str
    smiles: str
    mol: Any
    neighbour_smiles: str
    neighbour_caption: str
    neighbour_mol: Any
    similarity: float

    def prompt(self) -> str:
        """Return the one-shot prompt."""
        return PROMPT.render(
            {
                "smiles": self.smiles,
                "neighbour_smiles": self.neighbour_smiles,
                "neighbour_caption": self.neighbour_caption,
            }
        )


class Writer(Protocol):
    """Writes captions for a batch of molecules, each as soon as it is written."""

    name: str

    def __call__(self, items: Sequence[Item]) -> Iterator[tuple[Item, str]]:
        """Yield (item, text) in any order."""
        ...


class RetrievalWriter:
    """Adapts the neighbour's caption by rules; needs nothing and gives the same text every time."""

    name = "retrieval"

    def __call__(self, items: Sequence[Item]) -> Iterator[tuple[Item, str]]:
        """Yield each neighbour's caption, adapted."""
        for item in items:
            yield item, retrieval.adapt(item.neighbour_caption, item.neighbour_mol, item.mol)


class ModelWriter:
    """Asks a model plugin with the one-shot prompt."""

    def __init__(self, name: str, generate: Callable[[Sequence[Request]], Iterable[Completion]]) -> None:
        self.name = name
        self._generate = generate

    def __call__(self, items: Sequence[Item]) -> Iterator[tuple[Item, str]]:
        """Yield what the model says."""
        by_key = {item.key: item for item in items}
        for completion in self._generate([Request(item.key, item.prompt()) for item in items]):
            yield by_key[completion.request_id], completion.text


class EndpointWriter:
    """Asks an OpenAI-compatible chat endpoint, several requests at a time, never faster than allowed."""

    def __init__(
        self,
        url: str,
        model: str,
        *,
        api_key: str = "",
        per_minute: float = 60,
        at_once: int = 4,
        timeout: float = 120,
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise UsageError(
                f"endpoint '{url}' is no http address", hint="for example http://localhost:8000/v1"
            )
        self.name = f"endpoint:{model}"
        self._url = url.rstrip("/") + "/chat/completions"
        self._model, self._key, self._timeout = model, api_key, timeout
        self._pause = 60 / per_minute
        self._at_once = at_once
        self._turn = threading.Lock()
        self._next = 0.0

    def __call__(self, items: Sequence[Item]) -> Iterator[tuple[Item, str]]:
        """Yield answers in the order of the items."""
        with ThreadPoolExecutor(self._at_once) as pool:
            yield from zip(items, pool.map(lambda item: self._ask(item.prompt()), items), strict=True)

    def _ask(self, prompt: str) -> str:
        body = json.dumps(
            {"model": self._model, "messages": [{"role": "user", "content": prompt}], "temperature": 0}
        ).encode()
        headers = {"Content-Type": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        for attempt in range(RETRIES):
            self._wait()
            request = urllib.request.Request(self._url, body, headers)
            try:
                with urllib.request.urlopen(request, timeout=self._timeout) as answer:
                    return str(json.load(answer)["choices"][0]["message"]["content"])
            except urllib.error.HTTPError as error:
                if error.code not in (408, 409, 429) and error.code < 500:
                    raise StageError(f"{self._url} refused a request: {error.code} {error.reason}") from error
                reason = f"{error.code} {error.reason}"
            except (OSError, ValueError, KeyError, IndexError) as error:
                reason = str(error)
            time.sleep(min(2.0**attempt, 30))
        raise StageError(
            f"{self._url} gave no answer in {RETRIES} tries: {reason}",
            hint="the same command continues later",
        )

    def _wait(self) -> None:
        with self._turn:
            now = time.monotonic()
            start = max(now, self._next)
            self._next = start + self._pause
        time.sleep(max(0.0, start - now))
