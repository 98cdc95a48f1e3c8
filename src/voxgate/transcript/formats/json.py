"""JSON with the text and where it comes from: the shape of `response_format=json`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from voxgate.transcript.text import encodable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from voxgate.transcript.values import Transcript


def write(transcript: Transcript) -> str:
    """`text`, `language`, `model` and its checkpoint; what is unknown is left out, never null."""
    body = {"text": transcript.text}
    if transcript.language is not None:
        body["language"] = transcript.language
    return dumps({**body, "model": transcript.model, **origin(transcript)})


def origin(transcript: Transcript) -> dict[str, dict[str, str]]:
    """Our own object, `voxgate`, with the checkpoint that answered; nothing where none did."""
    return {"voxgate": transcript.checkpoint} if transcript.checkpoint else {}


def dumps(body: Mapping[str, object]) -> str:
    """JSON for files: indented, in the text's own letters, ending with a newline."""
    return encodable(json.dumps(body, ensure_ascii=False, indent=2)) + "\n"
