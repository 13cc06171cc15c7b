"""What all tests share: real plugins in temporary files, the real program in a process, tiny real models."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from textwrap import dedent
from typing import Any
from unittest.mock import patch

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parent.parent
QUIET = {
    "OMP_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_OFFLINE": "1",
    "DS_ACCELERATOR": "cpu",
}
os.environ.update(QUIET)  # before anything imports torch, tokenizers or the hub's client
# A busy machine is no failure, and a change is judged on the same examples as the one before it;
# `python -m benchmarks.faults --part fuzz` is where new ones are drawn.
hypothesis.settings.register_profile("calm", deadline=None, derandomize=True)
hypothesis.settings.load_profile("calm")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in the background; what is started inherits it
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="also run the tests marked slow")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--slow"):
        for item in items:
            if item.get_closest_marker("slow") is not None:
                item.add_marker(pytest.mark.skip(reason="slow: run with --slow"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu") is not None:  # a folder of that name is a keyword too
        import torch  # here, because most tests must not pay for it

        if not torch.cuda.is_available():
            pytest.skip("needs CUDA")


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse connections to any machine but this one."""
    connect, connect_ex, lookup = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def check(host: object) -> None:
        name = host.decode() if isinstance(host, bytes) else str(host)
        if not (name in ("", "None", "localhost", "::1", "0.0.0.0") or name.startswith("127.")):
            pytest.fail(f"a test tried to reach {name}")

    def guarded(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: socket.socket, address: Any) -> Any:
            if self.family != socket.AF_UNIX:
                check(address[0])
            return original(self, address)

        return call

    def guarded_lookup(host: Any, *arguments: Any, **named: Any) -> Any:
        if host not in (None, socket.gethostname()):  # gloo looks up this machine's own name
            check(host)
        return lookup(host, *arguments, **named)

    monkeypatch.setattr(socket.socket, "connect", guarded(connect))
    monkeypatch.setattr(socket.socket, "connect_ex", guarded(connect_ex))
    monkeypatch.setattr(socket, "getaddrinfo", guarded_lookup)


@pytest.fixture(autouse=True)
def forget_plugins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Unload what a test wrote, or an example, and loaded: the next may write another under the same name."""
    before, written = set(sys.modules), (str(tmp_path_factory.getbasetemp()), str(ROOT / "examples"))
    yield
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(written):
            del sys.modules[name]


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Return the folder of real excerpts and golden files, which is not part of the project."""
    folder = Path(os.environ.get("HARNESS_TEST_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip("no real excerpts here: HARNESS_TEST_DATA names their folder")
    return folder


@pytest.fixture
def write_plugin(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a one-file plugin and returns its path."""
    numbers = itertools.count(1)

    def write(text: str, name: str = "") -> Path:
        path = tmp_path / f"{name or f'plugin_{next(numbers)}'}.py"
        path.write_text(dedent(text), encoding="utf-8")
        return path

    return write


@pytest.fixture
def load() -> Callable[..., Any]:
    """Return a function that loads the bundled and the named plugins and returns a registry of its own."""
    from harness.engine.plugin_manager import load_plugins
    from harness.engine.registry import Registry

    def fresh(*plugins: Path | str, bundled: bool = True) -> Registry:
        return Registry(load_plugins(map(str, plugins), entry_points=False, bundled=bundled))

    return fresh


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def run_bench(tmp_path: Path) -> Callable[..., Outcome]:
    """Return a function that runs the program from the checkout, in a temporary folder."""

    def run(
        *arguments: object,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        timeout: float = 120,
    ) -> Outcome:
        done = subprocess.run(
            [sys.executable, str(ROOT / "run_bench.py"), *map(str, arguments)],
            cwd=cwd or tmp_path,
            env=environment(**(env or {})),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=timeout,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def main(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Outcome]]:
    """Return a function that runs the program in this process: for whatever needs no process of its own."""
    from harness.cli.main import main as program
    from harness.engine import network

    for name in [name for name in os.environ if name.startswith("HARNESS_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Outcome:
        capsys.readouterr()
        code = program([str(argument) for argument in arguments])
        return Outcome(code, *capsys.readouterr())

    with patch.dict(os.environ), patch.object(network, "_reasons", []):  # what --offline sets is for good
        yield run


def environment(**extra: str) -> dict[str, str]:
    """Return this process's environment without the harness's own settings, and with `extra`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HARNESS_")}
    return kept | QUIET | extra


@pytest.fixture(scope="session")
def tiny_t5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a byte-level T5 with random weights and its tokenizer."""
    import torch
    from transformers import ByT5Tokenizer, T5Config, T5ForConditionalGeneration

    tokenizer = ByT5Tokenizer()
    config = T5Config(
        vocab_size=384,
        d_model=32,
        d_kv=8,
        d_ff=64,
        num_layers=2,
        num_heads=4,
        decoder_start_token_id=0,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    folder = tmp_path_factory.mktemp("tiny-t5")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        T5ForConditionalGeneration(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a byte-level Llama with random weights and its tokenizer."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = byte_level()
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    folder = tmp_path_factory.mktemp("tiny-llama")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def byte_level(*extra: str, **special: str | None) -> Any:
    """Return a tokenizer of bytes, with further tokens, and without those special ones that are None."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    named = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>"} | special
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {token: index for index, token in enumerate(["<pad>", "<s>", "</s>", *alphabet])}
    fast = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    fast.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    fast.decoder = decoders.ByteLevel()
    chosen = {name: token for name, token in named.items() if token is not None}
    return PreTrainedTokenizerFast(tokenizer_object=fast, extra_special_tokens=list(extra), **chosen)


@pytest.fixture
def chat_tokenizer() -> Callable[..., Any]:
    """Return a function that makes a tokenizer of bytes that knows the special tokens of chat models."""
    special = ("<|im_start|>", "<|im_end|>", "<|user|>", "<|assistant|>", "<|eot_id|>", "[INST]", "[/INST]")
    return partial(byte_level, *special)
