"""Render a transcript as the body that OpenRouter's, OpenAI's and Mistral's clients all read.

Unknown values are left out, never null: OpenRouter's TypeScript client refuses null. Clients that
refuse a response without them get them all the same: see `strict_clients`.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from voxgate.api.dialects.strict_clients import MEASURES, needs_language, needs_measures
from voxgate.ledger.amounts import json_dollars
from voxgate.transcript.align import timed_words
from voxgate.transcript.formats import find_writer
from voxgate.transcript.formats.json import data, judgement, languages, origin, warnings
from voxgate.transcript.language import language_name
from voxgate.transcript.values import Segment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from voxgate.api.dialects.negotiate import ParsedRequest
    from voxgate.prices import Cost
    from voxgate.transcript.values import Transcript, Word

FORMAT_WRITERS = {"text": "txt", "srt": "srt", "vtt": "vtt", "tsv": "tsv"}
UNDETERMINED = "und"  # of ISO 639


def is_json(parsed: ParsedRequest) -> bool:
    """Return whether the response is JSON, which may begin with white space."""
    return parsed.format not in FORMAT_WRITERS


def media_type(parsed: ParsedRequest) -> str:
    """Return the response's content type."""
    return (
        "application/json"
        if is_json(parsed)
        else find_writer(FORMAT_WRITERS[parsed.format]).media_type
    )


def render_transcript(
    transcript: Transcript, parsed: ParsedRequest, cost: Cost, user_agent: str
) -> bytes:
    """Return the response's body. Takes seconds for hours of speech: not for the event loop."""
    if not is_json(parsed):
        return find_writer(FORMAT_WRITERS[parsed.format]).write(transcript).encode()
    if parsed.format == "language_json":
        return json.dumps(_language(transcript)).encode()
    body = {"text": transcript.text, **facts(transcript, parsed, cost)}
    if needs_language(user_agent):
        body.setdefault("language", None)
    if parsed.format == "json":
        return _encode(body, {})
    verbose = {"task": transcript.task, "duration": body["usage"]["seconds"], **body}
    measures = MEASURES if needs_measures(user_agent) else {}
    return _encode(verbose, _parts(transcript, parsed, measures))


def facts(transcript: Transcript, parsed: ParsedRequest, cost: Cost) -> dict[str, Any]:
    """Return what every JSON response and the last event of a stream have beside the text."""
    return {
        **languages(transcript),
        "model": transcript.model,
        "usage": _usage(transcript, cost),
        **origin(transcript),
        **data(transcript),
        **warnings(notice.public for notice in (*transcript.notices, *parsed.hints)),
    }


def _usage(transcript: Transcript, cost: Cost) -> dict[str, float | int | str]:
    return {
        "type": "duration",  # OpenAI's client distinguishes seconds from tokens by it
        "seconds": round(transcript.duration, 3),
        "cost": json_dollars(cost.nanodollars),
        # Mistral's client requires an integer.
        "prompt_audio_seconds": math.ceil(transcript.duration),
        **({} if cost.tokens is None else {"output_tokens": cost.tokens}),
    }


def _parts(
    transcript: Transcript, parsed: ParsedRequest, unknown: dict[str, float]
) -> dict[str, Iterator[dict[str, Any]]]:
    temperature = parsed.options.temperature
    nested = parsed.words and parsed.format == "nested_json"
    words = _words(transcript) if parsed.words else []
    stretches: Sequence[Segment | Word] = words if parsed.word_segments else transcript.segments
    parts: dict[str, Iterator[dict[str, Any]]] = {
        "segments": (
            {
                **unknown,
                **_segment(index, timed),
                "temperature": temperature,
                **(_own(timed, nested=nested) if isinstance(timed, Segment) else {}),
            }
            for index, timed in enumerate(stretches)
        )
    }
    if parsed.words and not nested:
        parts["words"] = map(_word, words)
    return parts


def _own(segment: Segment, *, nested: bool) -> dict[str, Any]:
    """Return what a segment has and a word has not."""
    return {**judgement(segment), **({"words": _nested_words(segment)} if nested else {})}


def _words(transcript: Transcript) -> list[Word]:
    """Return all words, in the order of their times."""
    words = (word for segment in transcript.segments for word in timed_words(segment))
    return sorted(words, key=lambda word: word.start)


def _encode(body: dict[str, Any], parts: dict[str, Iterator[dict[str, Any]]]) -> bytes:
    """Encode one object piece by piece: one long call would block all other threads."""
    pieces = [json.dumps(body)[:-1]]
    for name, items in parts.items():
        pieces.append(f', "{name}": [{", ".join(map(json.dumps, items))}]')
    return ("".join(pieces) + "}").encode()


def _segment(index: int, segment: Segment | Word) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "id": index,
        "seek": int(segment.start * 100),  # Whisper's unit: frames of 10 ms
        **_times(segment),
        "text": segment.text,
        "tokens": [],
        "type": "transcription_segment",
        "time_source": segment.time_source,
    }
    if segment.confidence is not None:
        fields["confidence"] = segment.confidence
        fields["avg_logprob"] = round(math.log(max(segment.confidence, 1e-9)), 4)
    if segment.channel is not None:
        fields["channel"] = segment.channel
    return fields


def _nested_words(segment: Segment) -> list[dict[str, Any]]:
    """Return a segment's words, with the probability that openai/whisper gives each."""
    return [
        {**_word(word), "probability": word.confidence}
        if word.confidence is not None
        else _word(word)
        for word in timed_words(segment)
    ]


def _language(transcript: Transcript) -> dict[str, str | float]:
    """Return the language that is spoken, as whisper-asr-webservice does."""
    if transcript.language is None:
        return {"detected_language": "undetermined", "language_code": UNDETERMINED}
    found: dict[str, str | float] = {
        "detected_language": language_name(transcript.language),
        "language_code": transcript.language,
    }
    if transcript.language_probability is not None:
        found["confidence"] = round(transcript.language_probability, 4)
    return found


def _word(word: Word) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "word": word.text,
        **_times(word),
        "type": "word",
        "time_source": word.time_source,
    }
    if word.confidence is not None:
        fields["confidence"] = word.confidence
    if word.channel is not None:
        fields["channel"] = word.channel
    return fields


def _times(timed: Segment | Word) -> dict[str, float]:
    return {"start": round(timed.start, 3), "end": round(timed.end, 3)}
