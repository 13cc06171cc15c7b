"""Tasks for other programs: their rows as files, and what lm-eval, inspect and Croissant need beside them."""
