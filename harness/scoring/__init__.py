"""The scoring room: runs, `score`, boards and the evaluator during training all score here."""
