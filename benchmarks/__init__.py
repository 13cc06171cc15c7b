"""Measurements behind the project's claims, one command each: `python -m benchmarks.TOPIC`."""
