"""JSON with the text and its model, in the shape of `response_format=json`.

Also the fields that several responses in JSON have, here and in the API.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from voxgate.transcript.text import encodable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from voxgate.transcript.values import Notice, Segment, Transcript


def write(transcript: Transcript) -> str:
    """Return `text`, `language`, `model`, its checkpoint and warnings, without unknown fields.

    Data that was asked for is `structured`.
    """
    body = {"text": transcript.text, **languages(transcript), "model": transcript.model}
    return dumps({**body, **origin(transcript), **data(transcript), **warnings(transcript.notices)})


def languages(transcript: Transcript) -> dict[str, str | float]:
    """Return the text's language and, as far as known, that of the speech and its probability.

    The language of a translation is English, as OpenAI's clients expect; the speech then has
    `source_language`.
    """
    found: dict[str, str | float] = {}
    if transcript.task == "translate":
        found["language"] = "en"
    if transcript.language is not None:
        found["source_language" if found else "language"] = transcript.language
    if transcript.language_probability is not None:
        found["language_probability"] = round(transcript.language_probability, 4)
    return found


def data(transcript: Transcript) -> dict[str, object]:
    """Return the data beside the text, and whether it is complete; nothing if none was asked for.

    What was cut off is null: it is no data.
    """
    if transcript.structured is None:
        return {}
    text = transcript.structured.json
    return {
        "structured": None if text is None else json.loads(text),
        "structured_finish_reason": transcript.structured.finish,
    }


def warnings(notices: Iterable[Notice]) -> dict[str, list[dict[str, str]]]:
    """Return the notices as Voxgate's own list, `warnings`; nothing without any."""
    told = [{"code": notice.code, "sentence": notice.sentence} for notice in notices]
    return {"warnings": told} if told else {}


def judgement(segment: Segment) -> dict[str, object]:
    """Return how sure the model is of a segment's text: Whisper's fields, and why to doubt it."""
    facts: dict[str, object] = {}
    if segment.decoding is not None:
        facts |= {
            "temperature": round(segment.decoding.temperature, 4),
            "avg_logprob": round(segment.decoding.log_probability, 4),
            "compression_ratio": round(segment.decoding.compression_ratio, 4),
            "no_speech_prob": round(segment.decoding.no_speech_probability, 4),
        }
    return facts | ({"doubtful": True, "doubt": segment.doubt} if segment.doubt else {})


def origin(transcript: Transcript) -> dict[str, dict[str, str]]:
    """Return Voxgate's own object, `voxgate`, with the checkpoint; empty if that is unknown."""
    return {"voxgate": transcript.checkpoint} if transcript.checkpoint else {}


def dumps(body: Mapping[str, object]) -> str:
    """Return JSON for files: indented, not escaped to ASCII, with a newline at the end."""
    return encodable(json.dumps(body, ensure_ascii=False, indent=2)) + "\n"
