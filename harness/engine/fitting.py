"""Whether a plugin was written for this release of the harness, and which side is behind where it was not."""

from __future__ import annotations

from types import ModuleType

from harness.api.errors import PluginError
from harness.api.hooks import API_VERSION


def check_version(module: ModuleType) -> None:
    """Refuse a plugin that asks for another version of the interface; one that asks for none is taken."""
    wanted = getattr(module, "HARNESS_API_VERSION", API_VERSION)
    if not isinstance(wanted, int):
        raise PluginError(f"HARNESS_API_VERSION is {wanted!r}, which is no whole number")
    if wanted != API_VERSION:
        behind = "the plugin" if wanted < API_VERSION else release()
        raise PluginError(f"written for plugin API {wanted}, this is API {API_VERSION}: upgrade {behind}")


def lacks(error: BaseException) -> str:
    """Return a sentence for an import that only another release of the harness can serve, or nothing."""
    if not isinstance(error, ImportError) or (error.name or "").partition(".")[0] != "harness":
        return ""
    return f"written for another release than {release()}: {str(error).partition(' (')[0]}"


def release() -> str:
    """Return the program's name and version."""
    from harness import __version__  # here, because the package's face is still being built when this loads

    return f"Assay {__version__}"
