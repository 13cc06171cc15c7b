"""Bundled tasks, one package each; imported as `harness.tasks.NAME`."""
