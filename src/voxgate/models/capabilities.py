"""`Capabilities`: what a model can do. Asked, never guessed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from voxgate.errors import OptionError, UnsupportedLanguageError
from voxgate.transcript.values import Notice

if TYPE_CHECKING:
    from voxgate.transcript.values import Options

PROMISES = ("max_tokens", "stop", "frequency_penalty", "presence_penalty")
"""Options that a model fulfils or refuses."""

HINTS = ("temperature", "top_p", "seed")
"""Options that never fail a call: what a model has no use for is warned of."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a model can do. Asked, never guessed."""

    window_s: float  # the longest window it takes, seconds
    languages: tuple[str, ...]  # ISO 639-1
    times: Literal["word", "segment", "none"]  # the finest times it recognises itself
    concurrency: int = 1  # windows it works on at once
    options: frozenset[str] = frozenset()  # those of `PROMISES` and `HINTS` that it honours
    detects_language: bool = False  # among several, by itself, where none is asked for
    vocabulary: bool = False  # whether words that will be said can be named to it
    speakers: bool = False  # whether it tells who speaks
    streaming: bool = False  # whether it says words before it has heard the whole window

    def check(self, model: str, options: Options) -> None:
        """Raise for a promise that this model cannot keep, before any work is done.

        `UnsupportedLanguageError` for its language, `OptionError` for any other.
        """
        if options.language is not None and options.language not in self.languages:
            raise UnsupportedLanguageError(
                f"{model} does not know the language '{options.language}'. It knows: "
                f"{', '.join(self.languages)}. Ask for one of these, or for another model "
                f"(`voxgate models` lists what each can do)."
            )
        for name in self._idle(PROMISES, options):
            raise OptionError(
                f"{model} cannot fulfil '{name}'. Leave it out, or ask another model."
            )

    def honoured(self, options: Options) -> tuple[Options, tuple[str, ...]]:
        """The options that this model has a use for, and the names of the hints that it has not."""
        idle = self._idle(HINTS, options)
        if options.vocabulary and not self.vocabulary:
            idle += ("vocabulary",)
        return options.without(*idle), idle

    def _idle(self, names: tuple[str, ...], options: Options) -> tuple[str, ...]:
        return tuple(name for name in names if options.asks(name) and name not in self.options)


def unused_option_notice(model: str, name: str) -> Notice:
    """What a caller is told of a hint that changed nothing."""
    return Notice("unused_option", f"'{name[:100]}' was not used: {model} has no use for it.")
