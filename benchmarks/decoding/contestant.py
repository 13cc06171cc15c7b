"""One whole process: load the model, score 200 questions, generate 200 answers, say what came out.

`python -m benchmarks.decoding.contestant floor|harness.decoding FOLDER` runs both tasks; the floor is what a
careful user writes with transformers alone, in batches of 16 in the order of the file.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from .workload import NEW_TOKENS, rows

BATCH = 16


def main() -> None:
    kind, folder = sys.argv[1], Path(sys.argv[2])
    model = AutoModelForCausalLM.from_pretrained(folder / "model", dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder / "model")
    questions, prompts = rows(folder / "choices.jsonl"), rows(folder / "prompts.jsonl")
    choose, generate = (floor_choices, floor_texts) if kind == "floor" else (harness_choices, harness_texts)
    started = time.process_time()
    best = choose(model, tokenizer, questions)
    middle = time.process_time()
    texts = generate(model, tokenizer, prompts)
    ended = time.process_time()
    right = sum(guess == row["label"] for guess, row in zip(best, questions, strict=True))
    print(
        json.dumps(
            {
                "accuracy": right / len(questions),
                "texts": texts,
                "choices_seconds": middle - started,
                "generate_seconds": ended - middle,
            }
        )
    )


@torch.inference_mode()
def floor_choices(model: Any, tokenizer: Any, questions: list[dict[str, Any]]) -> list[int]:
    pairs = []
    for row in questions:
        prompt = tokenizer(row["question"])["input_ids"]
        pairs += [
            (prompt, tokenizer(f"{row['question']} {choice}")["input_ids"]) for choice in row["choices"]
        ]
    scores: list[float] = []
    for start in range(0, len(pairs), BATCH):
        batch = pairs[start : start + BATCH]
        padded = tokenizer.pad(
            {"input_ids": [whole for _, whole in batch]}, return_tensors="pt", padding_side="right"
        )
        logs = model(**padded).logits.log_softmax(-1)
        for line, (prompt, whole) in zip(logs, batch, strict=True):
            target = torch.tensor(whole[len(prompt) :])
            scores.append(line[len(prompt) - 1 : len(whole) - 1].gather(1, target[:, None]).sum().item())
    best = []
    places = iter(scores)
    for row in questions:
        own = [next(places) for _ in row["choices"]]
        best.append(own.index(max(own)))
    return best


@torch.inference_mode()
def floor_texts(model: Any, tokenizer: Any, prompts: list[dict[str, Any]]) -> list[str]:
    tokenizer.padding_side = "left"
    texts = []
    for start in range(0, len(prompts), BATCH):
        batch = tokenizer(
            [row["question"] for row in prompts[start : start + BATCH]], return_tensors="pt", padding=True
        )
        out = model.generate(
            input_ids=batch["input_ids"],
            attention_mask=batch["attention_mask"],
            max_new_tokens=NEW_TOKENS,
            do_sample=False,
        )
        texts += tokenizer.batch_decode(out[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)
    return texts


def harness_choices(model: Any, tokenizer: Any, questions: list[dict[str, Any]]) -> list[int]:
    from harness import GenerateSpec, Request, RunContext, RunSpec, decoding

    run = RunContext(Path(), RunSpec("", ""))
    requests = [
        Request(str(place), row["question"], choices=tuple(f" {choice}" for choice in row["choices"]))
        for place, row in enumerate(questions)
    ]
    found = {
        completion.request_id: completion.choice_scores
        for completion in decoding.choose(model, tokenizer, requests, GenerateSpec(), run)
    }
    return [found[request.id].index(max(found[request.id])) for request in requests]


def harness_texts(model: Any, tokenizer: Any, prompts: list[dict[str, Any]]) -> list[str]:
    from harness import GenerateSpec, Request, RunContext, RunSpec, decoding

    run = RunContext(Path(), RunSpec("", ""))
    requests = [Request(str(place), row["question"]) for place, row in enumerate(prompts)]
    spec = GenerateSpec(max_new_tokens=NEW_TOKENS)
    found = {c.request_id: c.text for c in decoding.generate(model, tokenizer, requests, spec, run)}
    return [found[request.id] for request in requests]


if __name__ == "__main__":
    main()
