"""The `Provider` protocol: whoever turns one window of sound into words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from voxgate.models.capabilities import Capabilities

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from voxgate.audio.spool import Audio
    from voxgate.transcript.values import Event, Options

__all__ = ["Capabilities", "Provider"]


class Provider(Protocol):
    """One model, wherever it runs."""

    @property
    def name(self) -> str:
        """The model's full name, e.g. `cmusphinx/en-us`."""

    @property
    def revision(self) -> str | None:
        """Of its checkpoint, where it has one and says which."""

    @property
    def profile(self) -> str | None:
        """How its weights are held, where that can be chosen."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""

    def transcribe(self, window: Audio, options: Options) -> AsyncIterator[Event]:
        """Events of one window of at most `capabilities.window_s` seconds, ending with `Done`.

        Times are relative to the window. Closing the iterator cancels the work. Raises
        `VoxgateError`; where its `retryable` is true the window may be given again.
        """

    def admit(self) -> None:
        """Raise where no new recording should be begun now, before anything is done for it.

        `ModelTooLargeError` and `InsufficientMemoryError` for a model that cannot be loaded,
        `ModelLoadingError` for one that is on its way where callers are not to wait for it.
        """

    async def warm(self) -> None:
        """Be ready before the first window comes. Raises `VoxgateError`."""

    async def aclose(self) -> None:
        """Stop everything that belongs to this provider. May be called again."""
