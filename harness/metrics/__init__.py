"""Bundled metrics: text, molecules, properties, question answering and choices."""
