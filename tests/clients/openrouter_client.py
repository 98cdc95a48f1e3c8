"""OpenRouter's client at work, as its documentation uses it.

Run by an interpreter that has the client and nothing of ours. Every argument is a JSON object:
`url`, `key`, `client` (further options of the client), `call` (its name in the client), `options`
(of the call) and, for a transcription, `file`. Every call prints one line: the result as the client
has it, or what was raised.
"""

from __future__ import annotations

import base64
import json
import sys
import time
from operator import attrgetter
from pathlib import Path
from typing import Any

import httpx
from openrouter import OpenRouter
from openrouter.errors import OpenRouterError


class Requests:
    """A logger, as the client takes one: counts what is sent, repetitions included."""

    def __init__(self) -> None:
        self.count = 0

    def debug(self, message: str, *_: Any, **__: Any) -> None:
        self.count += message.startswith("Request:")


def result(asked: dict[str, Any], requests: Requests) -> dict[str, Any]:
    options = asked["options"]
    if "file" in asked:
        path = Path(asked["file"])
        data = base64.b64encode(path.read_bytes()).decode()
        options["input_audio"] = {"data": data, "format": path.suffix[1:]}
    with OpenRouter(
        api_key=asked["key"], server_url=asked["url"], debug_logger=requests, **asked["client"]
    ) as client:
        value = attrgetter(asked["call"])(client)(**options)
    value = getattr(value, "result", value)  # a page holds it beside the way to the next
    return {"type": type(value).__name__, "value": value.model_dump(mode="json")}


def outcome(asked: dict[str, Any]) -> dict[str, Any]:
    requests, began = Requests(), time.monotonic()
    try:
        told = result(asked, requests)
    except OpenRouterError as error:
        told = {
            "raised": type(error).__name__,
            "status": error.status_code,
            "message": str(error),
            "body": error.body,
        }
    except httpx.HTTPError as error:
        told = {"raised": type(error).__name__, "status": None, "message": str(error)}
    return {**told, "requests": requests.count, "seconds": time.monotonic() - began}


for argument in sys.argv[1:]:
    print(json.dumps(outcome(json.loads(argument))))
