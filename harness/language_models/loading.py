"""Models and tokenizers out of folders, GGUF files and the hub; what cannot be loaded is said plainly."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    GenerationConfig,
    PreTrainedConfig,
)
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
)

from harness.api import DataError, MissingDependency, UsageError
from harness.training import grow_embeddings

WANTED = "config.json, model.safetensors and the tokenizer's files"
WRITING = {
    *MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values(),
    *MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES.values(),
}

BLOCK = 64  # numbers that share a scale in 4 bits
CONVERTED = {"baichuan": "Baichuan", "chatglm": "ChatGLM"}  # model types that `weights convert` knows


class Loaded(NamedTuple):
    """A model with the tokenizer it was made for."""

    model: Any
    tokenizer: Any


@dataclass(frozen=True, slots=True)
class Source:
    """Where a model comes from: a folder, a hub id at a revision, or a GGUF file.

    `trusted` allows code that lies beside the weights to run.
    """

    path: str
    revision: str = ""
    trusted: bool = False

    @property
    def arguments(self) -> dict[str, Any]:
        """What `from_pretrained` takes after the path."""
        found: dict[str, Any] = {"trust_remote_code": self.trusted}
        if self.revision:
            found["revision"] = self.revision
        if (file := self._gguf()) is not None:
            found["gguf_file"] = file.name
        return found

    @property
    def place(self) -> str:
        """The folder or the hub id that `from_pretrained` takes."""
        file = self._gguf()
        return self.path if file is None else str(file.parent)

    @property
    def packed(self) -> bool:
        """Whether the weights are those of a GGUF file."""
        return self._gguf() is not None

    def _gguf(self) -> Path | None:
        path = Path(self.path)
        if path.suffix == ".gguf":
            return path
        files = sorted(path.glob("*.gguf")) if path.is_dir() and not (path / "config.json").exists() else []
        if len(files) > 1:
            raise DataError(f"{path} holds {len(files)} GGUF files", hint=f"name one: {files[0]}")
        return files[0] if files else None


@contextmanager
def named_if_absent(path: str, what: str = "model") -> Iterator[None]:
    """Turn what transformers says of a folder that it cannot load into one sentence."""
    try:
        yield
    except (OSError, ValueError, KeyError) as error:
        if "trust_remote_code" in str(error):
            raise _own_code(path) from error
        raise DataError(
            f"no {what} could be loaded from {path}: {str(error).strip().splitlines()[0]}",
            hint=f"a folder with {WANTED}, or a hub id",
        ) from error
    except ImportError as error:
        raise MissingDependency(
            f"{path} needs a library that is not installed: {str(error).strip().splitlines()[0]}",
            hint="pip install gguf" if "gguf" in str(error) else "",
        ) from error


def _check(source: Source) -> None:
    if source.path.startswith((".", "/", "~")) and not Path(source.path).exists():
        raise DataError(f"there is nothing at {source.path}", hint=f"a folder with {WANTED}, or a hub id")
    if (
        Path(source.place).is_dir()
        and not source.packed
        and not (Path(source.place) / "config.json").exists()
    ):
        raise DataError(f"{source.path} holds no model: it has no config.json", hint=f"wanted are {WANTED}")
    if not source.trusted and not source.packed:
        with named_if_absent(source.path):
            config, _ = PreTrainedConfig.get_config_dict(source.place, **source.arguments)
        if config.get("model_type") in CONVERTED:
            raise UsageError(
                f"{source.path} is a {CONVERTED[config['model_type']]}, whose published code runs no longer",
                hint=f"run-bench weights convert {source.path} FOLDER makes one that transformers has",
            )
        if "auto_map" in config and config.get("model_type") not in CONFIG_MAPPING_NAMES:
            raise _own_code(source.path)


def load(
    source: Source | str,
    dtype: torch.dtype,
    quantization: Any = None,
    *,
    tokenizer: Source | str = "",
    resize: bool = False,
) -> Loaded:
    """Load whatever model that writes a folder, a GGUF file or a hub id holds, and its tokenizer.

    Another `tokenizer` may be named; with `resize` the embeddings grow to what it can say.
    """
    source = Source(source) if isinstance(source, str) else source
    loaded = Loaded(load_model(source, dtype, quantization), load_tokenizer(tokenizer or source))
    room, words = loaded.model.get_input_embeddings().num_embeddings, len(loaded.tokenizer)
    if resize:
        grow_embeddings(loaded.model, words)
    elif tokenizer and words > room:
        raise UsageError(
            f"the tokenizer has {words} tokens and the model rows for {room}",
            hint="--set model.resize=true, as --resize_emb of AiMed, makes room for them",
        )
    return loaded


def load_model(source: Source, dtype: torch.dtype, quantization: Any = None) -> Any:
    """Load the model alone."""
    _check(source)
    bits = {} if quantization is None else {"quantization_config": quantization}
    with named_if_absent(source.path):
        config = AutoConfig.from_pretrained(source.place, **source.arguments)
        _require_writer(source, config)
        kind = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
        model, report = kind.from_pretrained(
            source.place, dtype=dtype, output_loading_info=True, **bits, **source.arguments
        )
    if missing := sorted(report["missing_keys"]):
        raise DataError(
            f"the weights at {source.path} lack {missing[0]}"
            + (f" and {len(missing) - 1} more" if len(missing) > 1 else ""),
            hint="they are not whole, or belong to a model of another kind",
        )
    _keep_small_layers(model)
    return _unpacked(model) if source.packed else model


def load_tokenizer(source: Source | str, what: str = "tokenizer") -> Any:
    """Load a tokenizer, with an end of text and a padding where only the model knows them."""
    source = Source(source) if isinstance(source, str) else source
    if not _is_tokenizer_alone(Path(source.path)):
        _check(source)
    with named_if_absent(source.path, what):
        tokenizer = AutoTokenizer.from_pretrained(source.place, **source.arguments)
    if tokenizer.eos_token is None and (token := _end_of(source, tokenizer)):
        tokenizer.eos_token = token
    if tokenizer.pad_token is None and tokenizer.eos_token is not None:
        tokenizer.pad_token = tokenizer.eos_token  # what is padded is masked, so that any token will do
    return tokenizer


def _is_tokenizer_alone(folder: Path) -> bool:
    return (folder / "tokenizer_config.json").is_file() and not (folder / "config.json").exists()


def _end_of(source: Source, tokenizer: Any) -> str:
    """Return the end of text that the model's own settings name."""
    for kind in (GenerationConfig, AutoConfig):
        try:
            ids = getattr(kind.from_pretrained(source.place, **source.arguments), "eos_token_id", None)
        except (OSError, ValueError, TypeError):  # there is no such file
            continue
        if ids is not None:
            token: str | None = tokenizer.convert_ids_to_tokens(ids[0] if isinstance(ids, list) else ids)
            return token or ""
    return ""


def _require_writer(source: Source, config: Any) -> None:
    """Refuse a model that fills gaps, classifies or embeds: as a writer it would be random."""
    kinds = [kind for kind in getattr(config, "architectures", None) or () if "For" in kind]
    if kinds and not source.trusted and not WRITING.intersection(kinds):
        raise UsageError(
            f"{source.path} holds a {kinds[0]}, which writes no text",
            hint="wanted is a model of the kind …ForCausalLM or …ForConditionalGeneration",
        )


def _keep_small_layers(model: Any) -> None:
    """Keep bitsandbytes from rearranging 4-bit weights on a CPU where layers are no whole blocks."""
    for module in model.modules() if getattr(model, "is_loaded_in_4bit", False) else ():
        packs = getattr(module, "support_avx512bf16_for_cpu", False)
        if packs and (module.in_features % BLOCK or module.out_features % (BLOCK // 2)):
            module.support_avx512bf16_for_cpu = False


def _unpacked(model: Any) -> Any:
    """Return a model that may be saved: one that was read out of a GGUF file may not."""
    if hasattr(model.config, "quantization_config"):  # what is written is in no fewer bits any more
        del model.config.quantization_config
    plain = type(model)(model.config).to(model.dtype)
    plain.load_state_dict(model.state_dict())
    plain.generation_config = model.generation_config
    return plain.eval()


def code_of(path: str) -> list[str]:
    """Name the files of code that a model brings, as its settings say."""
    from transformers.utils import cached_file

    found: set[str] = set()
    for name in ("config.json", "tokenizer_config.json"):
        file = cached_file(path, name, _raise_exceptions_for_missing_entries=False)
        named = json.loads(Path(file).read_text(encoding="utf-8")).get("auto_map", {}) if file else {}
        for target in named.values():
            for one in target if isinstance(target, list) else [target]:
                found |= {f"{one.rpartition('--')[2].partition('.')[0]}.py"} if one else set()
    return sorted(found)


def _own_code(path: str) -> UsageError:
    files = ", ".join(code_of(path)) or "it does not say which"
    return UsageError(
        f"{path} is a model with code of its own ({files})",
        hint="read it; --trust-remote-code runs it. A converter to a model that transformers has is safer",
    )
