"""`WindowOrder`: the windows of one channel in order, until nothing can change their text."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from voxgate.pipeline.agreement import decidable, stray_language

if TYPE_CHECKING:
    from collections.abc import Iterator

    from voxgate.audio.windows import Window
    from voxgate.pipeline.review import Placed
    from voxgate.pipeline.window_text import WindowText


class WindowOrder:
    """Says which windows are final: recognised, and in the language of their neighbours.

    Windows are expected in their order, and recognised in any. What is kept of a window is its
    first text, by which its neighbours' languages are judged, whatever replaces it.
    """

    def __init__(self) -> None:
        self._expected: dict[int, Window] = {}  # by index: those whose text was not taken
        self._awaited: dict[int, None] = {}  # indices, in order: not recognised
        self._arrived: dict[int, WindowText] = {}  # recognised before an awaited one
        self._first: list[Placed] = []  # recognised, without a gap
        self._unjudged: deque[WindowText] = (
            deque()
        )  # the last of them, whose languages are in doubt
        self._final: dict[int, WindowText | None] = {}
        self.has_words = False  # in a window before which all are recognised

    @property
    def start_s(self) -> float | None:
        """Where the first window begins whose text was not taken; None if there is none."""
        return next((window.start_s for window in self._expected.values()), None)

    def expect(self, window: Window) -> None:
        """Add the next window."""
        self._expected[window.index] = window
        self._awaited[window.index] = None

    def add(self, text: WindowText) -> None:
        """Add a window's first text, whose language is judged when its neighbours are known."""
        self._arrived[text.window.index] = text
        while (index := next(iter(self._awaited), None)) in self._arrived and index is not None:
            del self._awaited[index]
            arrived = self._arrived.pop(index)
            self._first.append(arrived.first)
            self._unjudged.append(arrived)
            self.has_words = self.has_words or bool(arrived.segments)

    def settle(self, index: int, text: WindowText | None) -> None:
        """Set a window's final text; None where it is not recognised."""
        self._final[index] = text

    def strays(self, *, complete: bool) -> Iterator[tuple[WindowText, str]]:
        """Decide about the languages of all windows that can be judged; the others wait.

        Those that do not stray are final. Yield those that do, with the language to expect: the
        caller settles them. `complete` says that no window follows.
        """
        while self._unjudged:
            place = len(self._first) - len(self._unjudged)
            if not (decidable(self._first, place) or (complete and not self._awaited)):
                return
            text, language = self._unjudged.popleft(), stray_language(self._first, place)
            if language is None:
                self.settle(text.window.index, text)
            else:
                yield text, language

    def take(self) -> Iterator[WindowText]:
        """Yield the texts that are final, in order, each once, up to the first that is not."""
        while (index := next(iter(self._expected), None)) in self._final and index is not None:
            del self._expected[index]
            text = self._final.pop(index)
            if text is not None:
                yield text
