"""`WindowText`: what was recognised of a window, and by whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from voxgate.audio.windows import Window
    from voxgate.pipeline.review import Placed
    from voxgate.pipeline.window import RecognisedWindow
    from voxgate.transcript.values import Segment


@dataclass(frozen=True, slots=True)
class WindowText:
    """The text of a window, and of the holes in it that were recognised once more."""

    first: Placed
    filled: tuple[Placed, ...]  # the texts of its holes
    empty: tuple[Window, ...]  # the holes that stay without words
    segments: tuple[Segment, ...]  # of all, in order

    @property
    def window(self) -> Window:
        """The window itself."""
        return self.first[0].window

    @property
    def recognised(self) -> tuple[RecognisedWindow, ...]:
        """The window and those of its holes that have words."""
        return tuple(recognised for recognised, _ in (self.first, *self.filled))

    @property
    def tokens(self) -> int:
        """Those that the model wrote for it, without texts that were replaced."""
        return sum(recognised.tokens for recognised in self.recognised)

    def parts(self) -> Iterator[tuple[float, str, int]]:
        """Yield each part of the window, in order: its end in seconds, whose it is, its tokens.

        A hole counts for the provider that filled it. One that found no word in the window
        recognised nothing of it.
        """
        whole, segments = self.first
        slug = whole.provider.slug
        if self.filled and not segments:
            slug = self.filled[0][0].provider.slug
        for hole, _ in self.filled:
            yield hole.window.start_s, slug, 0
            yield hole.window.end_s, hole.provider.slug, hole.tokens
        yield self.window.end_s, slug, whole.tokens
