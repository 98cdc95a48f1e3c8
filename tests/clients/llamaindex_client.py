"""LlamaIndex' reader of recordings at work; see `openrouter_client.py`."""

from __future__ import annotations

import json
import sys
from typing import Any

from llama_index.readers.whisper import WhisperReader
from openai import APIError


def outcome(asked: dict[str, Any]) -> dict[str, Any]:
    client = {"base_url": asked["url"], **asked["client"]}
    reader = WhisperReader(api_key=asked["key"], client_kwargs=client, **asked["options"])
    try:
        (document,) = reader.load_data(asked["file"])
    except APIError as error:
        return {
            "raised": type(error).__name__,
            "status": getattr(error, "status_code", None),
            "message": str(error),
        }
    return {"type": type(document).__name__, "value": {"text": document.text}}


for argument in sys.argv[1:]:
    print(json.dumps(outcome(json.loads(argument))))
