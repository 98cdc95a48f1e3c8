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

OF_TRANSCRIPTS = ("language", "task", "vocabulary", "prompt", "beam_size", "draft")
"""Options that no question has: what it wants is said in its text."""


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
    drafts: bool = False  # writes a window's text faster where it knows what it will probably be
    speakers: bool = False  # distinguishes speakers
    streaming: bool = False  # emits words before it has processed the whole window
    counts_tokens: bool = False  # says how many tokens it wrote for a window
    aligns: bool = False  # finds the times of the words of a text that it did not write
    answers: bool = False  # to questions about texts and sounds, also with JSON by a schema
    hears_s: float = 0.0  # the most sound of a question, seconds; of more it reads the words
    answer_options: frozenset[str] | None = None  # that an answer honours; None: as `options`
    transcribes: bool = True  # False: it answers questions, and does nothing else
    long_pause_s: float = LONG_PAUSE_S  # a longer pause ends a window
    margin_s: float = 0.0  # of the sound around the speech that its windows include, seconds

    def check(self, model: str, options: Options) -> None:
        """Raise for a strict option that a transcript cannot honour, before any work is done.

        Raises `UsageError` (`unsupported_language`) for the language and `UsageError`
        (`unsupported_option`) for any other option, and for a model that does not transcribe.
        """
        if not self.transcribes:
            raise UsageError(
                f"{model} answers questions about texts, and does not transcribe. Ask another "
                f"model for a transcript.",
                code="unsupported_option",
            )
        if options.language is not None and options.language not in self.languages:
            raise _unknown_language(model, options.language, self.languages)
        if options.task == "translate" and not self.translates:
            raise UsageError(
                f"{model} cannot translate. Transcribe with it, or ask a model that translates: a "
                f"Whisper of many languages does.",
                code="unsupported_option",
            )
        _check_strict(model, options, self.options)

    def check_question(self, model: str, options: Options) -> None:
        """Raise for an option of a question that this model's answers cannot honour.

        Raises `UsageError` (`unsupported_option`), also for a model that does not answer.
        """
        if not self.answers:
            raise UsageError(
                f"{model} cannot answer questions. Ask another model.", code="unsupported_option"
            )
        for name in OF_TRANSCRIPTS:
            if options.is_set(name):
                raise UsageError(
                    f"'{name}' is an option of transcripts, not of questions. Leave it out, or say "
                    f"in the question what you want.",
                    code="unsupported_option",
                )
        _check_strict(model, options, self._of_answers)

    def honoured(self, options: Options) -> tuple[Options, tuple[str, ...]]:
        """Return the options that this model uses, and the names of the hints that it ignores."""
        ignored = _unsupported(HINT_OPTIONS, options, self.options)
        if options.vocabulary and not self.vocabulary:
            ignored += ("vocabulary",)
        if options.draft and not self.drafts:
            ignored += ("draft",)
        return options.without(*ignored), ignored

    def honoured_in_answers(self, options: Options) -> tuple[Options, tuple[str, ...]]:
        """Return what `honoured` does, of the options of a question."""
        ignored = _unsupported(HINT_OPTIONS, options, self._of_answers)
        return options.without(*ignored), ignored

    @property
    def _of_answers(self) -> frozenset[str]:
        return self.options if self.answer_options is None else self.answer_options


def _check_strict(model: str, options: Options, honoured: frozenset[str]) -> None:
    for name in _unsupported(STRICT_OPTIONS, options, honoured):
        raise UsageError(
            f"{model} cannot fulfil '{name}'. Leave it out, or ask another model.",
            code="unsupported_option",
        )


def _unsupported(
    names: tuple[str, ...], options: Options, honoured: frozenset[str]
) -> tuple[str, ...]:
    return tuple(name for name in names if options.is_set(name) and name not in honoured)


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
