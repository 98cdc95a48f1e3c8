"""Mistral's client at work, as its documentation uses it; see `openrouter_client.py`."""

from __future__ import annotations

import json
import sys
import time
from operator import attrgetter
from pathlib import Path
from typing import Any

import httpx2
from mistralai.client import Mistral
from mistralai.client.errors import MistralError
from mistralai.client.utils.eventstreaming import EventStream
from pydantic import BaseModel


class Digits(BaseModel):
    """What a call by the name `parse` asks for."""

    digits: list[int]


def result(asked: dict[str, Any]) -> dict[str, Any]:
    options = asked["options"]
    if "file" in asked:
        path = Path(asked["file"])
        options["file"] = {"content": path.read_bytes(), "file_name": path.name}
    with Mistral(api_key=asked["key"], server_url=asked["url"], **asked["client"]) as client:
        if asked["call"].endswith(".parse"):
            options["response_format"] = Digits
        value = attrgetter(asked["call"])(client)(**options)
        if isinstance(value, EventStream):
            with value:
                events = [event.model_dump(mode="json") for event in value]
            return {"type": "EventStream", "value": events}
        if isinstance(value, httpx2.Response):  # with a file, not read yet
            return {"type": "Response", "value": value.read().hex()}
    return {"type": type(value).__name__, "value": value.model_dump(mode="json")}


def outcome(asked: dict[str, Any]) -> dict[str, Any]:
    began = time.monotonic()
    try:
        told = result(asked)
    except MistralError as error:
        told = {
            "raised": type(error).__name__,
            "status": error.status_code,
            "message": str(error),
        }
    except httpx2.HTTPError as error:
        told = {"raised": type(error).__name__, "status": None, "message": str(error)}
    return {**told, "seconds": time.monotonic() - began}


for argument in sys.argv[1:]:
    print(json.dumps(outcome(json.loads(argument))))
