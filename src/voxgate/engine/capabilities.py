"""`Capabilities`: what a model can do. Asked, never guessed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from voxgate.errors import UnsupportedLanguageError

if TYPE_CHECKING:
    from voxgate.transcript.values import Options


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a model can do. Asked, never guessed."""

    window_s: float  # the longest window it takes, seconds
    languages: tuple[str, ...]  # ISO 639-1
    times: Literal["word", "segment", "none"]  # the finest times it recognises itself
    concurrency: int = 1  # windows it works on at once

    def check(self, model: str, options: Options) -> None:
        """Raise for a promise that this model cannot keep, before any work is done."""
        if options.language is not None and options.language not in self.languages:
            raise UnsupportedLanguageError(
                f"{model} does not know the language '{options.language}'. It knows: "
                f"{', '.join(self.languages)}. Ask for one of these, or for another model "
                f"(`voxgate models` lists what each can do)."
            )
