"""lm-evaluation-harness: tasks exported for it, its own tasks here, and our models in it."""
