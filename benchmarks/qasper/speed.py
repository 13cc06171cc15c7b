"""How long indexes over paragraphs take to build."""

from __future__ import annotations

import json
import random
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.report import write
from harness.files.json_files import write_json

from .program import Papers

PART = 500  # paragraphs that are embedded in both ways, one after the other
LONGEST = 256  # tokens


def speed(papers: Papers, args: Namespace) -> None:
    """Time the building of indexes: BM25, MiniLM against plain transformers, and the cache.

    Each part is kept when it is done, and the same command goes on after the last.
    """
    texts = [
        text
        for paper in papers.values()
        for part in paper["full_text"]
        for text in part["paragraphs"]
        if text.strip()
    ]
    drawn = sorted(set(texts))
    random.Random(0).shuffle(drawn)
    chosen, folder = drawn[: args.embedded], args.work / "speed"
    words = kept(folder / "words.json", lambda: of_words((texts * (100_000 // len(texts) + 1))[:100_000]))
    parts = [
        kept(folder / f"part-{start:05}.json", lambda part=part: of_meaning(part, folder))
        for start in range(0, len(chosen), PART)
        for part in [chosen[start : start + PART]]
    ]
    plain, ours, again = (sum(part[name] for part in parts) for name in ("plain", "ours", "again"))
    rows = [{"work": name, "texts": 100_000, "CPU s": seconds} for name, seconds in words.items()]
    rows += [
        {"work": "MiniLM, plain transformers in length-sorted batches", "CPU s": plain},
        {"work": f"MiniLM, ours, into an empty cache ({ours / plain:.2f} × plain)", "CPU s": ours},
        {"work": "MiniLM, ours, from the cache", "CPU s": again},
    ]
    write(
        "qasper-speed",
        "Building indexes over paragraphs of QASPER's test papers",
        [{"work": "", "texts": len(chosen)} | row for row in rows],
        command=f"python -m benchmarks.qasper --parts speed --embedded {len(chosen)}",
        method="CPU seconds of the process, one thread. A hundred thousand are the papers' paragraphs, "
        f"repeated; those that are embedded are drawn by seed, and both ways take turns at {PART} of them. "
        "Plain: the tokenizer and the model of transformers called on 32 texts of like length at a time, "
        "mean of the states, normalised.",
        packages=("torch", "transformers", "bm25s"),
    )


def kept(path: Path, measure: Callable[[], dict[str, float]]) -> dict[str, float]:
    """Return what was measured before, or measure and keep it."""
    if not path.exists():
        write_json(path, measure())
    found: dict[str, float] = json.loads(path.read_text(encoding="utf-8"))
    return found


def of_words(texts: list[str]) -> dict[str, float]:
    """Time the indexes of words."""
    from harness.retrieval.words import Bm25, Tfidf  # here and below, because rankings need no clock

    kinds = {"BM25, built": Bm25, "TF-IDF, built": Tfidf}
    return {name: timed(lambda kind=kind: kind().index(texts)) for name, kind in kinds.items()}


def of_meaning(texts: list[str], folder: Path) -> dict[str, float]:
    """Time both ways of embedding on the same texts, and the cache."""
    from harness.retrieval.embeddings import EmbeddingCache
    from harness.retrieval.encoder import TextEncoder, minilm_folder

    encoder = TextEncoder(minilm_folder())
    (folder / "vectors.sqlite").unlink(missing_ok=True)
    cache = EmbeddingCache("vectors", folder)
    return {
        "plain": timed(lambda: plain(encoder, texts)),
        "ours": timed(lambda: cache.get(texts, encoder.embed)),
        "again": timed(lambda: cache.get(texts, encoder.embed)),
    }


def timed(do: Callable[[], Any]) -> float:
    begin = time.process_time()
    do()
    return time.process_time() - begin


def plain(encoder: Any, texts: list[str]) -> None:
    import torch

    with torch.inference_mode():
        for batch in batches(sorted(texts, key=len, reverse=True)):
            read = encoder.tokenizer(
                batch, padding=True, truncation=True, max_length=LONGEST, return_tensors="pt"
            )
            states = encoder.model(**read).last_hidden_state
            mask = read["attention_mask"][:, :, None]
            torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=-1)


def batches(texts: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(texts), 32):
        yield texts[start : start + 32]
