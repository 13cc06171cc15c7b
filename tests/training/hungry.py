"""A plugin whose second training process runs out of memory, unless it has two rows at a time."""

from dataclasses import dataclass

from harness import Completion, ModelEntry, ModelPlugin, ModelSession, hookimpl


@hookimpl
def harness_models():
    return [ModelEntry("hungry", "runs out of memory", f"{__name__}:Hungry")]


@dataclass(frozen=True)
class HungryOptions:
    hungry: bool = True


class Hungry(ModelPlugin):
    Options = HungryOptions

    def train(self, data, spec, run):
        import torch
        from transformers import LlamaConfig, LlamaForCausalLM

        from harness import training

        torch.manual_seed(0)
        sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
        model = LlamaForCausalLM(LlamaConfig(vocab_size=256, pad_token_id=0, **sizes))
        calls = 0

        def loss(model, batch):
            nonlocal calls
            calls += 1
            if self.options.hungry and run.rank == 1 and len(batch["input_ids"]) > 2 and calls == 5:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
            return training.model_loss(model, batch)

        def encode(row):
            prompt, target = list(row.prompt.encode()), [*row.target.encode(), 2]
            return {"input_ids": prompt + target, "labels": [-100] * len(prompt) + target}

        return training.fit(model, data, encode, spec, run, loss=loss)

    def open(self, checkpoint, run):
        return Asked()


class Asked(ModelSession):
    def generate(self, requests, spec, run):
        for request in requests:
            yield Completion(request.id, "")
