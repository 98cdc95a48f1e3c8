"""JSON with the text and its model, in the shape of `response_format=json`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from voxgate.transcript.text import encodable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from voxgate.transcript.values import Transcript


def write(transcript: Transcript) -> str:
    """Return `text`, `language`, `model` and its checkpoint, without unknown fields or nulls."""
    body = {"text": transcript.text}
    if transcript.language is not None:
        body["language"] = transcript.language
    return dumps({**body, "model": transcript.model, **origin(transcript)})


def origin(transcript: Transcript) -> dict[str, dict[str, str]]:
    """Return Voxgate's own object, `voxgate`, with the checkpoint; empty if that is unknown."""
    return {"voxgate": transcript.checkpoint} if transcript.checkpoint else {}


def dumps(body: Mapping[str, object]) -> str:
    """Return JSON for files: indented, not escaped to ASCII, with a newline at the end."""
    return encodable(json.dumps(body, ensure_ascii=False, indent=2)) + "\n"
