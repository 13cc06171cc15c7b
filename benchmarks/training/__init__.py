"""Training speed against a plain loop and the transformers Trainer, memory, and what launchers cost."""
