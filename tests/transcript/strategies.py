"""Hypothesis strategies for transcripts: realistic ones and invalid ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from voxgate.transcript.merge import join_segments, place_segments
from voxgate.transcript.values import Segment, Transcript, Word

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

WINDOW_S = 60.0

patient = settings(print_blob=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Settings without a deadline, because a busy machine is slow."""

_LATIN = ["I", "so", "hello", "Dr.", "market,", "done.", "Why?", "e.g.", "—", "Straßenbahn", "3.5"]
_OTHER = [
    "你好。",
    "今天我们来讨论一下人工智能的发展历史",
    "コーヒーをください。",
    "สวัสดีครับ",
    "안녕하세요",
]
_ODD = [
    "x" * 43,
    "-->",
    "<i>",
    "a&b",
    "👩\u200d👩\u200d👧",
    "e\u0301" * 50,
    "\u0939\u093f" * 30,
    "a\u00a0" * 3 + "b",
]
_WRITTEN = st.sampled_from([*_LATIN, *_OTHER, *_ODD])
_HOSTILE = st.text(max_size=120) | st.text(
    "a\n\r\t\x00\x0b\x1c\x85\u2028\u00a0\ud800 \u0301-><", max_size=90
)
texts: SearchStrategy[str] = st.lists(_WRITTEN, max_size=40).map(" ".join) | _HOSTILE

_times = (
    st.floats(0, WINDOW_S)
    | st.integers(0, 12).map(lambda fifth: fifth * 5.0)
    | st.floats(-10, WINDOW_S * 3)
    | st.sampled_from([float("nan"), float("inf"), float("-inf"), 1e9])
)


@st.composite
def _word(draw: DrawFn) -> Word:
    return Word(draw(_WRITTEN | _HOSTILE), draw(_times), draw(_times))


segments: SearchStrategy[Segment] = st.builds(
    Segment, text=texts, start=_times, end=_times, words=st.lists(_word(), max_size=12).map(tuple)
)
"""A provider's segments of a window of WINDOW_S: times may overlap, run backwards, lie outside the
window or be NaN, words may differ from the text, and any text is possible."""


@st.composite
def transcripts(draw: DrawFn) -> Transcript:
    """Any transcript that `join_segments` can return for up to four windows."""
    windows = draw(st.lists(st.lists(segments, max_size=6), max_size=4))
    length_s = draw(st.sampled_from([0.0, 0.5, 10.0, WINDOW_S, 3600.0]))
    all_segments = [
        segment
        for index, window in enumerate(windows)
        for segment in place_segments(window, index * length_s, (index + 1) * length_s)
    ]
    duration = len(windows) * length_s
    return join_segments(
        all_segments, duration=duration, model="scripted", language=None, notices=()
    )


@st.composite
def spoken(draw: DrawFn) -> Transcript:
    """A transcript of a realistic speaker: up to 20 characters a second, with pauses."""
    words: list[Word] = []
    now = draw(st.floats(0, 3))
    for _ in range(draw(st.integers(1, 60))):
        text = draw(
            st.sampled_from(["yes", "no.", "and", "market,", "perhaps", "tomorrow?", "banana"])
        )
        now += draw(st.sampled_from([0.0, 0.0, 0.05, 0.2, 0.6, 1.5, 5.0]))
        end = now + len(text) * draw(st.sampled_from([0.05, 0.08, 0.12]))
        words.append(Word(text, now, end))
        now = end
    segment = Segment(" ".join(w.text for w in words), words[0].start, now, tuple(words))
    return Transcript((segment,), duration=now + draw(st.floats(1, 3)), model="scripted")
