"""The machine: finds plugins, resolves what was asked, runs it and records it. Imports `harness.api` only."""
