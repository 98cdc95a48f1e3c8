"""OpenAI's client at work, as its documentation uses it; see `openrouter_client.py`."""

from __future__ import annotations

import json
import sys
import time
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import Any

from openai import APIError, OpenAI, Stream
from pydantic import BaseModel


class Digits(BaseModel):
    """What a call by the name `parse` asks for."""

    digits: list[int]


def result(asked: dict[str, Any]) -> dict[str, Any]:
    options = asked["options"]
    with OpenAI(api_key=asked["key"], base_url=asked["url"], **asked["client"]) as client:
        call = attrgetter(asked["call"])(client)
        if asked["call"].endswith(".parse"):
            options["response_format"] = Digits
        if "file" in asked:
            with Path(asked["file"]).open("rb") as file:
                value = call(file=file, **options)
        else:
            value = call(**options)
        if isinstance(value, Stream):  # read while its client is open, to the end or `most` events
            events = islice(value, asked.get("most"))
            return {"type": "Stream", "value": [each.model_dump(mode="json") for each in events]}
        told = {}
        if "with_raw_response" in asked["call"]:
            told = {"headers": dict(value.headers), "requests": 1 + value.retries_taken}
            value = value.parse()
    plain = value if isinstance(value, str) else value.model_dump(mode="json")
    return {"type": type(value).__name__, "value": plain, **told}


def outcome(asked: dict[str, Any]) -> dict[str, Any]:
    began = time.monotonic()
    try:
        told = result(asked)
    except APIError as error:
        told = {
            "raised": type(error).__name__,
            "status": getattr(error, "status_code", None),
            "message": str(error),
            "request_id": getattr(error, "request_id", None),
        }
    return {**told, "seconds": time.monotonic() - began}


for argument in sys.argv[1:]:
    print(json.dumps(outcome(json.loads(argument))))
