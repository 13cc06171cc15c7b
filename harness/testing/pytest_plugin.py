"""`pytest --pyargs harness.testing --plugin NAME_OR_PATH`: the option, and the tests that it makes."""

from __future__ import annotations

from typing import Any


def pytest_addoption(parser: Any) -> None:
    """Add the option."""
    group = parser.getgroup("assay")
    group.addoption(
        "--plugin", metavar="NAME_OR_PATH", help="a plugin of Assay to check with its conformance kit"
    )


def pytest_generate_tests(metafunc: Any) -> None:
    """Make a test for each check of the plugin that was named."""
    if metafunc.module.__name__ == "harness.testing.test_plugin":
        from .suite import parameters  # here, because every pytest of the environment comes by

        plugin = metafunc.config.getoption("--plugin")
        metafunc.parametrize(("item", "check"), parameters(plugin) if plugin else [])
