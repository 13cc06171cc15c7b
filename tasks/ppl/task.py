"""Running text: asked how well it is predicted, or learned as documents."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from harness import DataError, Document, Example, PromptFormat, Task, TrainRow
from harness.data.split_files import files_of
from harness.training import Corpus

from .sample import sample

SPLITS = ("train", "validation", "test")


class RunningText(Task):
    """Documents of text, or of tokens where a corpus is tokenised already.

    A folder's files are read in turn, one document of each, so that a step of n processes over n shards
    holds a document of every shard, as where each process reads its own.
    """

    version = "1"
    metrics = ("perplexity-token", "perplexity-word", "perplexity-byte")
    prompt_format = PromptFormat("ppl", "{text}")
    sources: Mapping[str, str] = {
        "sample": "690 made-up reports of four sentences",
        "dir": "a text file, JSON lines, or a folder with a file a split, or of shards to learn from",
    }
    synthetic = ("sample",)
    files: Mapping[str, str] = {
        "*.txt": "a document a line",
        "*.jsonl": '{"text": …}, or already tokenised {"tokens": […]}, which can be learned and not asked',
    }
    licence = "Apache-2.0 (sample)"

    def splits(self) -> tuple[str, ...]:
        """Name the splits that are there; files that name no split may be learned from or asked."""
        if self.data.source == "sample":
            return SPLITS
        return tuple(split for split in SPLITS if self._files(split))

    def fingerprint(self, split: str) -> str:
        """Return the digest of a training split's files: a corpus is streamed."""
        if self.data.source == "sample" or split != self.data.train_split:
            return ""
        total = hashlib.sha256()
        for file in self._files(split):
            with file.open("rb") as stream:
                total.update(hashlib.file_digest(stream, "sha256").digest())
        return total.hexdigest()[:16]

    def examples(self, split: str) -> Iterator[Example]:
        """Yield the documents of a split."""
        for number, document in enumerate(self._documents(split)):
            meta = {"tokens": document.tokens} if document.tokens else {}
            yield Example(f"{split}-{number:06d}", {"text": document.text}, (document.text,), meta)

    def training_rows(self, example: Example, prompt: str) -> Iterator[TrainRow]:
        """Yield the document."""
        yield Document(prompt, example.meta.get("tokens", ()))

    def _documents(self, split: str) -> Iterator[Document]:
        if self.data.source == "sample":
            yield from map(Document, sample()[split])
            return
        files = self._files(split)
        if not files:
            raise DataError(f"no text of split '{split}' in {self.data.source}", hint=f"such as {split}.txt")
        readers = [iter(Corpus(file)) for file in files]
        while readers:
            for reader in list(readers):
                if (document := next(reader, None)) is None:
                    readers.remove(reader)
                else:
                    yield document

    def _files(self, split: str) -> list[Path]:
        source = Path(self.data.source)
        if found := files_of(source, split):
            return found
        # shards, such as split_00 to split_07: all of them are there to learn from
        named = [path for name in SPLITS for path in files_of(source, name)]
        everything = sorted(source.glob("*.jsonl*")) + sorted(source.glob("*.txt*"))
        return everything if split == "train" and not named else []
