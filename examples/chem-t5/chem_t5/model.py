"""The model of chem-t5; imported only when it is chosen."""

import torch
from transformers import ByT5Tokenizer, T5Config, T5ForConditionalGeneration

from harness import TrainData, TrainSpec
from harness.language_models import LanguageModelPlugin, Loaded


class ChemT5(LanguageModelPlugin):
    def fresh(self, data: TrainData, spec: TrainSpec) -> Loaded:
        torch.manual_seed(spec.seed)
        shape = T5Config(
            vocab_size=384, d_model=64, d_kv=16, d_ff=128, num_layers=2, num_heads=4, decoder_start_token_id=0
        )
        return Loaded(T5ForConditionalGeneration(shape), ByT5Tokenizer())
