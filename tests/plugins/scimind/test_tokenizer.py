"""The tokenizer's ids, its round trips, and where it comes from."""

from pathlib import Path

import pytest
from tokenizers import Tokenizer, models
from transformers import AutoTokenizer

from harness import UsageError
from harness.plugins.scimind.configuration import SciMindConfig
from harness.plugins.scimind.modeling import SciMindForCausalLM
from harness.plugins.scimind.tokenizer import SciMindTokenizer, learn_tokenizer

CAPTIONS = ["The molecule is an ether of 4-methylpyridin-2-yl.", "The molecule is an amide; it is polar."]


def llama_like(pieces: int = 32000) -> Tokenizer:
    vocab = {"<unk>": 0, "<s>": 1, "</s>": 2} | {f"piece{i}": i for i in range(3, pieces)}
    return Tokenizer(models.BPE(vocab=vocab, merges=[], unk_token="<unk>"))


def test_the_release_layouts_have_their_ids() -> None:
    full = SciMindTokenizer.grown(llama_like())
    assert len(full) == 32098
    assert full.modality_ranges == {
        "molecule": [32000, 32066],
        "nucleotide": [32066, 32071],
        "protein": [32071, 32098],
    }
    assert full.convert_tokens_to_ids(["{|C|}", "{|m|}", "*|G|*", "<|L|>", "<|-|>"]) == [
        32000,
        32065,
        32066,
        32071,
        32097,
    ]
    molecules_only = SciMindTokenizer.grown(llama_like(), ["molecule"])
    assert len(molecules_only) == 32066
    assert molecules_only.modality_ranges == {"molecule": [32000, 32066]}


def test_the_special_ids_are_llamas() -> None:
    tokenizer = SciMindTokenizer.grown(llama_like(10))
    assert (tokenizer.unk_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id) == (0, 1, 2)
    assert tokenizer.pad_token_id == 0
    assert tokenizer.padding_side == "left"


def test_modality_tokens_survive_skipping_special_tokens() -> None:
    tokenizer = learn_tokenizer(CAPTIONS, 100)
    ids = [1, *tokenizer.encode_text("CCO"), 2]
    assert tokenizer.decode(ids, skip_special_tokens=True) == "{|C|}{|C|}{|O|}"
    assert tokenizer.decode_text(ids) == "CCO"


@pytest.mark.parametrize("text", [*CAPTIONS, "CC(=O)Nc1ccc(O)cc1", "The molecule C=CC=C is polar."])
def test_known_text_survives_the_round_trip(text: str) -> None:
    tokenizer = learn_tokenizer(CAPTIONS, 100)
    assert tokenizer.decode_text(tokenizer.encode_text(text)) == text


def test_digits_and_hyphens_stand_alone_in_learned_pieces() -> None:
    tokenizer = learn_tokenizer(CAPTIONS * 50, 300)
    pieces = tokenizer.convert_ids_to_tokens(tokenizer.encode_text("4-methylpyridin-2-yl"))
    assert "-" in pieces and "2" in pieces and len(pieces) < 10


def test_an_unknown_character_becomes_unk() -> None:
    tokenizer = learn_tokenizer(CAPTIONS, 100)
    assert tokenizer.unk_token_id in tokenizer.encode_text("Ж")


def test_the_tokenizer_is_saved_and_found_with_the_model(tmp_path: Path) -> None:
    tokenizer = learn_tokenizer(CAPTIONS, 100)
    tokenizer.save_pretrained(tmp_path)
    config = SciMindConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        modality_ranges=tokenizer.modality_ranges,
    )
    SciMindForCausalLM(config).save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert type(loaded) is SciMindTokenizer
    text = "The molecule C=CC=C is polar."
    assert loaded.encode_text(text) == tokenizer.encode_text(text)
    assert loaded.modality_ranges == tokenizer.modality_ranges


def test_a_sentencepiece_model_serves_as_base(tmp_path: Path) -> None:
    sentencepiece = pytest.importorskip("sentencepiece")
    (tmp_path / "text.txt").write_text("\n".join(CAPTIONS * 20), encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(tmp_path / "text.txt"),
        model_prefix=str(tmp_path / "tokenizer"),
        model_type="bpe",
        vocab_size=320,
        byte_fallback=True,
        unk_id=0,
        bos_id=1,
        eos_id=2,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "LlamaTokenizer"}', encoding="utf-8")
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "tokenizer.model"))
    tokenizer = SciMindTokenizer.from_base(tmp_path)
    assert tokenizer.modality_ranges["molecule"] == [len(pieces), len(pieces) + 66]
    assert tokenizer.encode_text(CAPTIONS[0]) == pieces.encode(CAPTIONS[0])
    assert tokenizer.decode_text(tokenizer.encode_text("The ether C=CC=C")) == "The ether C=CC=C"


def test_a_folder_without_tokenizer_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no tokenizer in"):
        SciMindTokenizer.from_base(tmp_path)


def test_a_tokenizer_of_another_family_is_refused(tiny_t5: Path) -> None:
    with pytest.raises(UsageError, match=r"no fast version|no piece"):
        SciMindTokenizer.from_base(tiny_t5)
