"""How long indexes over paragraphs take to build."""

from __future__ import annotations

import random
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.report import write

from .program import Papers


def speed(papers: Papers, args: Namespace) -> None:
    """Time the building of indexes: BM25, MiniLM against plain transformers, and the cache."""
    # Here, because rankings and answers need none of them.
    from harness.retrieval.embeddings import EmbeddingCache
    from harness.retrieval.encoder import TextEncoder, minilm_folder
    from harness.retrieval.words import Bm25, Tfidf

    count = args.embedded
    texts = [
        text
        for paper in papers.values()
        for part in paper["full_text"]
        for text in part["paragraphs"]
        if text.strip()
    ]
    many = (texts * (100_000 // len(texts) + 1))[:100_000]
    chosen = random.Random(0).sample(texts, min(count, len(texts)))
    encoder = TextEncoder(minilm_folder())
    with tempfile.TemporaryDirectory() as folder:
        cache = EmbeddingCache("speed", Path(folder))
        rows = [
            timed("BM25, built", len(many), lambda: Bm25().index(many)),
            timed("TF-IDF, built", len(many), lambda: Tfidf().index(many)),
            timed(
                "MiniLM, plain transformers in length-sorted batches",
                len(chosen),
                lambda: plain(encoder, chosen),
            ),
            timed("MiniLM, ours, into an empty cache", len(chosen), lambda: cache.get(chosen, encoder.embed)),
            timed("MiniLM, ours, from the cache", len(chosen), lambda: cache.get(chosen, encoder.embed)),
        ]
    write(
        "qasper-speed",
        "Building indexes over paragraphs of QASPER's test papers",
        rows,
        command=f"python -m benchmarks.qasper --parts speed --embedded {count}",
        method="CPU seconds of the process. A hundred thousand are the papers' paragraphs, repeated. Plain: "
        "the tokenizer and the model of transformers called on 32 texts of like length at a time, mean of "
        "the states, normalised.",
        packages=("torch", "transformers", "bm25s"),
    )


def timed(work: str, texts: int, do: Callable[[], Any]) -> dict[str, Any]:
    begin = time.process_time()
    do()
    return {"work": work, "texts": texts, "CPU s": time.process_time() - begin}


def plain(encoder: Any, texts: list[str]) -> None:
    import torch

    order = sorted(texts, key=len, reverse=True)
    with torch.inference_mode():
        for start in range(0, len(order), 32):
            read = encoder.tokenizer(
                order[start : start + 32], padding=True, truncation=True, max_length=256, return_tensors="pt"
            )
            states = encoder.model(**read).last_hidden_state
            mask = read["attention_mask"][:, :, None]
            torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=-1)
