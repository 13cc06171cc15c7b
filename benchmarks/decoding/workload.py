"""What every contestant is asked: one tiny random Llama, 200 multiple-choice questions, 200 prompts."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

QUESTIONS = 200
NEW_TOKENS = 32
WORDS = 1000


def write(folder: Path) -> None:
    """Write model, tokenizer, questions, prompts and lm-eval's task files into a folder."""
    import torch
    from transformers import LlamaForCausalLM

    torch.manual_seed(0)
    LlamaForCausalLM(llama_config()).save_pretrained(folder / "model")
    tokenizer().save_pretrained(folder / "model")
    draw = random.Random(0)
    with (folder / "choices.jsonl").open("w", encoding="utf-8") as file:
        for _ in range(QUESTIONS):
            choices = [" ".join(words(draw, draw.randint(1, 4))) for _ in range(4)]
            row = {"question": " ".join(words(draw, 60)), "choices": choices, "label": draw.randrange(4)}
            file.write(json.dumps(row) + "\n")
    with (folder / "prompts.jsonl").open("w", encoding="utf-8") as file:
        for _ in range(QUESTIONS):
            file.write(json.dumps({"question": " ".join(words(draw, 60)), "answer": "w0"}) + "\n")
    write_lm_eval_tasks(folder)


def llama_config(**changes: Any) -> Any:
    """Return the configuration of the peers' study: hidden 64, 2 layers, 1024 tokens."""
    from transformers import LlamaConfig

    return LlamaConfig(
        **{
            "vocab_size": 1024,
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "max_position_embeddings": 1024,
            "pad_token_id": 0,
            "bos_token_id": 1,
            "eos_token_id": 2,
        }
        | changes
    )


def tokenizer() -> Any:
    """Return a tokenizer of one token a word."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocab = {"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3} | {f"w{n}": n + 4 for n in range(WORDS)}
    fast = Tokenizer(models.WordLevel(vocab, unk_token="<unk>"))
    fast.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=fast, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )


def words(draw: random.Random, count: int) -> list[str]:
    """Draw words."""
    return [f"w{draw.randrange(WORDS)}" for _ in range(count)]


def rows(path: Path) -> list[dict[str, Any]]:
    """Read a JSON-lines file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write_lm_eval_tasks(folder: Path) -> None:
    """Write the same questions and prompts as lm-eval tasks."""
    tasks = folder / "tasks"
    tasks.mkdir()
    (tasks / "bench_choices.yaml").write_text(
        f"""task: bench_choices
dataset_path: json
dataset_kwargs: {{data_files: {{test: {folder / "choices.jsonl"}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{question}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: label
metric_list: [{{metric: acc}}]
""",
        encoding="utf-8",
    )
    (tasks / "bench_prompts.yaml").write_text(
        f"""task: bench_prompts
dataset_path: json
dataset_kwargs: {{data_files: {{test: {folder / "prompts.jsonl"}}}}}
test_split: test
output_type: generate_until
doc_to_text: "{{{{question}}}}"
doc_to_target: answer
generation_kwargs: {{until: ["###"], max_gen_toks: {NEW_TOKENS}, do_sample: false}}
metric_list: [{{metric: exact_match}}]
""",
        encoding="utf-8",
    )
