"""JSON with all that is known: the shape of `response_format=verbose_json`, and our own fields.

Ours are `time_source` and `confidence` on segments and words, and `warnings`. What is unknown is
left out, never null: OpenAI's and OpenRouter's clients accept a missing field where they refuse
null. Times are seconds, rounded to milliseconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.transcript.formats.json import dumps, origin

if TYPE_CHECKING:
    from voxgate.transcript.values import Segment, Transcript, Word


def write(transcript: Transcript) -> str:
    """The whole transcript. None of its segments gets words that it has not."""
    body: dict[str, object] = {"task": "transcribe"}
    if transcript.language is not None:
        body["language"] = transcript.language
    body |= {
        "duration": _seconds(transcript.duration),
        "model": transcript.model,
        **origin(transcript),
        "text": transcript.text,
        "segments": [
            {"id": index, **_times(segment), "text": segment.text, **_trust(segment)}
            for index, segment in enumerate(transcript.segments)
        ],
    }
    if transcript.words:
        body["words"] = [
            {"word": word.text, **_times(word), **_trust(word)} for word in transcript.words
        ]
    if transcript.notices:
        body["warnings"] = [
            {"code": notice.code, "sentence": notice.sentence} for notice in transcript.notices
        ]
    return dumps(body)


def _times(timed: Segment | Word) -> dict[str, float]:
    return {"start": _seconds(timed.start), "end": _seconds(timed.end)}


def _trust(timed: Segment | Word) -> dict[str, object]:
    trust: dict[str, object] = {"time_source": timed.time_source}
    if timed.confidence is not None:
        trust["confidence"] = timed.confidence
    return trust


def _seconds(time: float) -> float:
    return round(float(time), 3)
