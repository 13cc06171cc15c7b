"""The exact text around an example's inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .errors import UsageError


@dataclass(frozen=True, slots=True)
class PromptFormat:
    """The exact text around an example's inputs, the same object for training and generation.

    `template` names inputs in braces: `"{smiles}"`. `digest` goes into checkpoints and records, so a
    checkpoint is never silently asked with a prompt that it was not trained with.
    """

    name: str
    template: str
    version: str = "1"

    def render(self, inputs: Mapping[str, str]) -> str:
        """Fill the template; an input that is not there is an error, never an empty string."""
        if missing := sorted(set(self.names) - set(inputs)):
            raise UsageError(
                f"prompt '{self.name}' needs input {', '.join(missing)}, the example has {', '.join(inputs)}"
            )
        try:
            return self.template.format_map(inputs)
        except ValueError as error:
            raise self._unreadable(error) from error

    @property
    def names(self) -> tuple[str, ...]:
        """The inputs that the template names, in its order."""
        import string  # here and below, because an entry may hold a format and a listing fills none

        try:
            parts = list(string.Formatter().parse(self.template))
        except ValueError as error:
            raise self._unreadable(error) from error
        return tuple(dict.fromkeys(key for _, key, _, _ in parts if key))

    def _unreadable(self, error: ValueError) -> UsageError:
        return UsageError(
            f"prompt '{self.name}' is no template: {error}",
            hint="an input stands in braces, {smiles}; a brace itself is written twice, {{",
        )

    @property
    def digest(self) -> str:
        """A short hash of name, version and template."""
        import hashlib
        import json

        text = json.dumps([self.name, self.version, self.template])
        return hashlib.sha256(text.encode()).hexdigest()[:16]
