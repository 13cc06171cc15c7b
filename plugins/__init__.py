"""Bundled models, one package each; imported as `harness.plugins.NAME`."""
