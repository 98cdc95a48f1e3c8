"""The `Provider` protocol: whoever turns one window of sound into words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from voxgate.errors import UnsupportedLanguageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from voxgate.audio.recording import Audio
    from voxgate.transcript.values import Event, Options


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


class Provider(Protocol):
    """One model, wherever it runs."""

    @property
    def name(self) -> str:
        """The model's full name, e.g. `cmusphinx/en-us`."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""

    def transcribe(self, window: Audio, options: Options) -> AsyncIterator[Event]:
        """Events of one window of at most `capabilities.window_s` seconds, ending with `Done`.

        Times are relative to the window. Closing the iterator cancels the work. Raises
        `VoxgateError`; where its `retryable` is true the window may be given again.
        """

    async def aclose(self) -> None:
        """Stop everything that belongs to this provider. May be called again."""
