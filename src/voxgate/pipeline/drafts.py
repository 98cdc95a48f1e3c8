"""Drafts from another model: what a fast one hears in a window, for a model that checks it."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from voxgate.errors import InsufficientMemoryError, VoxgateError
from voxgate.pipeline.dispatch import MAX_ATTEMPTS
from voxgate.pipeline.window_parts import divide_window
from voxgate.transcript.text import encodable, joined
from voxgate.transcript.values import LONGEST_DRAFT, Options, Segment

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from voxgate.audio.spool import Audio
    from voxgate.audio.windows import Window
    from voxgate.pipeline.route import SharedProvider

log = logging.getLogger(__name__)

LONGEST_PROMPT = 200
"""Characters of the text so far that the draft model is given as its prompt: it writes numerals or
words, commas and names as it finds them there, and so agrees more often."""


class RecordingDrafts:
    """Drafts of the windows of one recording.

    A draft is of use, and nothing depends on it: a window whose draft failed is recognised without.
    After a few failures, or one that is there to stay, the rest of the recording has none.
    """

    def __init__(
        self, drafter: SharedProvider, audio: Callable[[Window], Audio], tenant: Hashable
    ) -> None:
        """`drafter` hears the windows, and `audio` returns a window's sound."""
        self._drafter, self._audio, self._tenant = drafter, audio, tenant
        self._failures_left = MAX_ATTEMPTS
        self._last_text = ""

    def note(self, text: str) -> None:
        """Note what was written of a window: later ones are heard with it as their prompt."""
        if text:  # from the first whole word on, where it is too long
            last = text[-LONGEST_PROMPT:]
            self._last_text = text if last == text else last.partition(" ")[2]

    async def added(self, window: Window, options: Options) -> Options:
        """Return the options of a window with its draft, if there is one.

        None is heard for options by which tokens are drawn: it would be of no use.
        """
        if not options.greedy or self._failures_left <= 0:
            return options
        try:
            text = await self._hear(window, options)
        except VoxgateError as error:
            self._failures_left -= 1 if error.retryable else MAX_ATTEMPTS
            log.warning("A window is recognised without a draft: %s", error.sentence)
            return options
        return replace(options, draft=encodable(text)[:LONGEST_DRAFT])

    async def _hear(self, window: Window, options: Options) -> str:
        if not self._drafter.provider.has_room:  # each would be loaded anew for every window
            raise InsufficientMemoryError(
                f"{self._drafter.provider.name} does not fit into memory beside the models that "
                "are loaded. Free some, or raise VOXGATE_ENGINE_MEMORY_BYTES if it is set."
            )
        model = self._drafter.capabilities
        known = options.language if options.language in model.languages else None
        own, _ = model.honoured(Options(known, prompt=encodable(self._last_text)))
        texts = list[str]()
        for part in divide_window(window, model):
            audio = self._audio(part)
            async with self._drafter.queue.slot(self._tenant, audio.duration_s):
                async for event in self._drafter.provider.transcribe(audio, own):
                    if isinstance(event, Segment) and event.text:
                        texts.append(event.text)
        return joined(texts)
