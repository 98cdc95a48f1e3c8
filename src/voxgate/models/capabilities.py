"""`Capabilities`: what a model can do, as it declares it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from voxgate.audio.windows import LONG_PAUSE_S
from voxgate.errors import UsageError
from voxgate.transcript.language import describe_language, nearest_languages
from voxgate.transcript.values import Notice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.transcript.values import Options

STRICT_OPTIONS = ("max_tokens", "stop", "frequency_penalty", "presence_penalty", "beam_size")
"""Options that a model honours or refuses."""

MOST_LISTED = 20  # languages of which a message or a table lists the codes

HINT_OPTIONS = ("temperature", "top_p", "seed", "prompt")
"""Options that never fail a call. A model that cannot use one ignores it, and a notice says so."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a model can do. Declared by the model, never guessed."""

    window_s: float  # the longest window it takes, seconds
    languages: tuple[str, ...]  # ISO 639-1
    times: Literal["word", "segment", "none"]  # the finest timestamps that it produces
    concurrency: int = 1  # windows that it processes at once
    calls: int | None = None  # in which it does; None: a window joins those that are in progress
    options: frozenset[str] = frozenset()  # the STRICT_OPTIONS and HINT_OPTIONS that it honours
    detects_language: bool = False  # chooses among its languages when none is requested
    names_language: bool = False  # says which one that was
    translates: bool = False  # writes English for speech in its other languages
    vocabulary: bool = False  # accepts a list of expected words
    speakers: bool = False  # distinguishes speakers
    streaming: bool = False  # emits words before it has processed the whole window
    counts_tokens: bool = False  # says how many tokens it wrote for a window
    aligns: bool = False  # finds the times of the words of a text that it did not write
    answers: bool = False  # to questions about texts and sounds, also with JSON by a schema
    hears_s: float = 0.0  # the most sound of a question, seconds; of more it reads the words
    long_pause_s: float = LONG_PAUSE_S  # a longer pause ends a window
    margin_s: float = 0.0  # of the sound around the speech that its windows include, seconds

    def check(self, model: str, options: Options) -> None:
        """Raise for a strict option that this model cannot honour, before any work is done.

        Raises `UsageError` (`unsupported_language`) for the language and `UsageError`
        (`unsupported_option`) for any other option.
        """
        if options.language is not None and options.language not in self.languages:
            raise _unknown_language(model, options.language, self.languages)
        if options.task == "translate" and not self.translates:
            raise UsageError(
                f"{model} cannot translate. Transcribe with it, or ask a model that translates: a "
                f"Whisper of many languages does.",
                code="unsupported_option",
            )
        for name in self._unsupported(STRICT_OPTIONS, options):
            raise UsageError(
                f"{model} cannot fulfil '{name}'. Leave it out, or ask another model.",
                code="unsupported_option",
            )

    def honoured(self, options: Options) -> tuple[Options, tuple[str, ...]]:
        """Return the options that this model uses, and the names of the hints that it ignores."""
        ignored = self._unsupported(HINT_OPTIONS, options)
        if options.vocabulary and not self.vocabulary:
            ignored += ("vocabulary",)
        return options.without(*ignored), ignored

    def _unsupported(self, names: tuple[str, ...], options: Options) -> tuple[str, ...]:
        return tuple(name for name in names if options.is_set(name) and name not in self.options)


def _unknown_language(model: str, language: str, known: Sequence[str]) -> UsageError:
    hint = f"`voxgate models show {model}` and a server's /models list the {len(known)} it knows."
    if len(known) <= MOST_LISTED:
        hint = f"It knows: {', '.join(known)}. Ask for one of these, or for another model."
    if near := nearest_languages(language, known):
        hint = f"Nearest: {', '.join(near)}. {hint}"
    return UsageError(
        f"{model} does not know the language '{describe_language(language)}'. {hint}",
        code="unsupported_language",
    )


def unused_option_notice(model: str, name: str) -> Notice:
    """Return the notice for a hint that the model ignored."""
    return Notice("unused_option", f"'{name[:100]}' was not used: {model} has no use for it.")
