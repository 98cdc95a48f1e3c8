"""A window that is longer than a provider takes: cut anew at its pauses, and joined again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from voxgate.audio.windows import WindowPlanner
from voxgate.pipeline.window import RecognisedWindow, main_language

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.audio.windows import Window
    from voxgate.models.capabilities import Capabilities
    from voxgate.pipeline.review import Placed


def divide_window(window: Window, model: Capabilities) -> list[Window]:
    """Return the window, or the windows of its speech that a model takes, in order."""
    if window.end_s - window.start_s <= model.window_s:
        return [window]
    planner = WindowPlanner(model.window_s, model.long_pause_s, model.margin_s, start=window.start)
    # Of a hole, which is a part of its window, only the pieces that lie in it.
    pieces = [
        replace(piece, start=max(piece.start, window.start), end=min(piece.end, window.end))
        for piece in window.pieces
        if piece.start < window.end and piece.end > window.start
    ]
    parts = [*planner.feed(pieces, pieces[-1].end), *planner.finish(window.end)]
    return [replace(part, index=window.index, channel=window.channel) for part in parts]


def join_parts(window: Window, placed: Sequence[Placed]) -> Placed:
    """Return the window that was recognised in parts, at least one, by one provider."""
    parts = [recognised for recognised, _ in placed]
    language, probability = main_language(parts)
    whole = RecognisedWindow(
        window=window,
        provider=parts[0].provider,
        segments=(),  # those of the parts are placed
        language=language,
        language_probability=probability,
        notices=tuple(dict.fromkeys(notice for part in parts for notice in part.notices)),
        tokens=sum(part.tokens for part in parts),
    )
    return whole, tuple(segment for _, segments in placed for segment in segments)
