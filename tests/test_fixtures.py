"""The shared fixtures do what other tests rely on."""

import socket
from pathlib import Path

import pytest


def test_connecting_to_another_machine_fails_the_test() -> None:
    with pytest.raises(pytest.fail.Exception, match=r"192\.0\.2\.1"):
        socket.create_connection(("192.0.2.1", 80), timeout=1)


def test_looking_up_another_machine_fails_the_test() -> None:
    with pytest.raises(pytest.fail.Exception, match=r"example\.org"):
        socket.getaddrinfo("example.org", 443)


def test_connecting_to_this_machine_works() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        pass


def test_tiny_t5_generates_text(tiny_t5: Path) -> None:
    from transformers import AutoTokenizer, T5ForConditionalGeneration

    tokenizer = AutoTokenizer.from_pretrained(tiny_t5)
    model = T5ForConditionalGeneration.from_pretrained(tiny_t5)
    tokens = model.generate(**tokenizer(["CCO"], return_tensors="pt"), max_new_tokens=4)
    assert tokens.shape == (1, 5)


def test_tiny_llama_tokenizer_returns_any_text_unchanged(tiny_llama: Path) -> None:
    from transformers import AutoTokenizer, LlamaForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(tiny_llama)
    for text in ("CC(=O)O ethanoic acid", " β-lactam, 维生素\n"):
        assert tokenizer.decode(tokenizer(text).input_ids, skip_special_tokens=True) == text
    model = LlamaForCausalLM.from_pretrained(tiny_llama)
    assert model.config.vocab_size == len(tokenizer)
