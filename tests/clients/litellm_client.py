"""LiteLLM at work, as its documentation uses it; see `openrouter_client.py`."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import litellm
from litellm.llms.base_llm.chat.transformation import BaseLLMException
from openai import APIError, Stream

litellm.suppress_debug_info = True  # else it prints where to report bugs of its own


def result(asked: dict[str, Any]) -> dict[str, Any]:
    with Path(asked["file"]).open("rb") as file:
        value = litellm.transcription(
            file=file,
            api_key=asked["key"],
            api_base=asked["url"],
            **asked["client"],
            **asked["options"],
        )
        if isinstance(value, Stream):
            return {"type": "Stream", "value": [each.model_dump(mode="json") for each in value]}
    return {"type": type(value).__name__, "value": value.model_dump(mode="json")}


def outcome(asked: dict[str, Any]) -> dict[str, Any]:
    began = time.monotonic()
    try:
        told = result(asked)
    except (APIError, BaseLLMException) as error:
        told = {
            "raised": type(error).__name__,
            "status": getattr(error, "status_code", None),
            "message": str(error),
        }
    return {**told, "seconds": time.monotonic() - began}


for argument in sys.argv[1:]:
    print(json.dumps(outcome(json.loads(argument))))
