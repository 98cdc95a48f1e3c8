"""JSON with all known facts, in the shape of `response_format=verbose_json`.

Voxgate's own fields are `time_source`, `confidence` and, for split channels, `channel` on segments
and words, `doubtful` and `doubt` on segments, `language_probability`, `source_language`,
`warnings`, `channel_names`, `structured`, `structured_finish_reason`, and `voxgate`. Unknown fields
are left out and never null: OpenAI's and OpenRouter's clients accept a missing field where they
refuse null. Times are seconds, rounded to milliseconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.transcript.formats.json import data, dumps, judgement, languages, origin, warnings

if TYPE_CHECKING:
    from voxgate.transcript.values import Segment, Transcript, Word


def write(transcript: Transcript) -> str:
    """Return the whole transcript. Words are written only for segments that have them."""
    body: dict[str, object] = {
        "task": transcript.task,
        **languages(transcript),
        "duration": _seconds(transcript.duration),
        "model": transcript.model,
        **origin(transcript),
        "text": transcript.text,
        "segments": [
            {
                "id": index,
                **_times(segment),
                "text": segment.text,
                **_provenance(segment),
                **judgement(segment),
            }
            for index, segment in enumerate(transcript.segments)
        ],
    }
    if transcript.words:
        body["words"] = [
            {"word": word.text, **_times(word), **_provenance(word)} for word in transcript.words
        ]
    if transcript.channel_names:
        body["channel_names"] = list(transcript.channel_names)
    return dumps({**body, **data(transcript), **warnings(transcript.notices)})


def _times(timed: Segment | Word) -> dict[str, float]:
    return {"start": _seconds(timed.start), "end": _seconds(timed.end)}


def _provenance(timed: Segment | Word) -> dict[str, object]:
    provenance: dict[str, object] = {"time_source": timed.time_source}
    if timed.confidence is not None:
        provenance["confidence"] = timed.confidence
    if timed.channel is not None:
        provenance["channel"] = timed.channel
    return provenance


def _seconds(time: float) -> float:
    return round(float(time), 3)
