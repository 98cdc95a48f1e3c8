"""The `Provider` protocol: a model that turns one window of sound into text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from voxgate.models.capabilities import Capabilities

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from voxgate.answers.values import AnswerEvent, Question
    from voxgate.audio.spool import Audio
    from voxgate.transcript.values import Event, Options

__all__ = ["Capabilities", "Provider"]


class Provider(Protocol):
    """One model, wherever it runs."""

    @property
    def name(self) -> str:
        """The model's full name, e.g. `Systran/faster-whisper-base`."""

    @property
    def revision(self) -> str | None:
        """The revision of its checkpoint, if known."""

    @property
    def profile(self) -> str | None:
        """The profile of its weights; None when there is no choice."""

    @property
    def capabilities(self) -> Capabilities:
        """What the model can do."""

    @property
    def alive(self) -> bool:
        """Whether it recognises a window without loading anything first."""

    @property
    def has_room(self) -> bool:
        """Whether it is loaded, or can be without the end of another model's engine."""

    def transcribe(self, window: Audio, options: Options) -> AsyncIterator[Event]:
        """Yield the events of one window of at most `capabilities.window_s` seconds.

        The last event is `Done`. Times are relative to the window. Closing the iterator cancels the
        window. The caller checks `options` against `capabilities`. Raises `VoxgateError`; a window
        may be given again when the error's `retryable` is true.
        """

    def align(self, window: Audio, text: str, language: str | None) -> AsyncIterator[Event]:
        """Yield the text of a window as segments with timed words, and `Done`.

        Only for a model whose `capabilities.aligns` is true. Without a language it is detected.
        In all else as `transcribe`.
        """

    def answer(self, question: Question, sounds: Sequence[Audio]) -> AsyncIterator[AnswerEvent]:
        """Yield the answer to a question about texts and sounds; the last event is `Answered`.

        Only for a model whose `capabilities.answers` is true. `sounds` are those of the question's
        parts, in order, together at most `capabilities.hears_s` seconds. Raises `UsageError`
        (`context_exceeded`) for a question that does not fit into the model's context even without
        its texts that may be cut. In all else as `transcribe`.
        """

    def admit(self) -> None:
        """Raise when no new recording should begin now, before any work is done for it.

        Raises `EngineStartError` (`model_too_large`) and `InsufficientMemoryError` for a model that
        cannot be loaded, and `BusyError` (`model_loading`) for one that is loading while callers
        should not wait.
        """

    async def warm(self) -> None:
        """Get ready before the first window arrives. Raises `VoxgateError`."""

    async def aclose(self) -> None:
        """Stop everything that belongs to this provider. May be called again."""
