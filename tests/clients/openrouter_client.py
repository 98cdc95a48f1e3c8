"""OpenRouter's client at work, as its documentation uses it.

Run by an interpreter that has the client and nothing of ours. Every argument is a JSON object:
`url`, `key`, `client` (further options of the client), `call` (its name in the client), `options`
(of the call), for a transcription `file`, and `security` where a call has a key of its own. Every
call prints one line: the result as the client has it, or what was raised.
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
from openrouter.utils.eventstreaming import EventStream


class Requests:
    """A logger, as the client takes one: counts what is sent, repetitions included."""

    def __init__(self) -> None:
        self.count = 0

    def debug(self, message: str, *_: Any, **__: Any) -> None:
        self.count += message.startswith("Request:")


CLIENTS: dict[str, tuple[OpenRouter, Requests]] = {}
"""One for each server, key and set of options, as a program has it."""


def client_of(asked: dict[str, Any]) -> tuple[OpenRouter, Requests]:
    which = json.dumps([asked[name] for name in ("url", "key", "client")])
    if which not in CLIENTS:
        requests = Requests()
        client = OpenRouter(
            api_key=asked["key"], server_url=asked["url"], debug_logger=requests, **asked["client"]
        )
        CLIENTS[which] = client, requests
    return CLIENTS[which]


def result(asked: dict[str, Any], client: OpenRouter) -> dict[str, Any]:
    options = asked["options"]
    if "file" in asked:
        path = Path(asked["file"])
        data = base64.b64encode(path.read_bytes()).decode()
        options["input_audio"] = {"data": data, "format": path.suffix[1:]}
    if "security" in asked:
        options["security"] = asked["security"]
    value = attrgetter(asked["call"])(client)(**options)
    if isinstance(value, EventStream):
        with value:
            events = [event.model_dump(mode="json") for event in value]
        return {"type": "EventStream", "value": events}
    value = getattr(value, "result", value)  # a page holds it beside the way to the next
    return {"type": type(value).__name__, "value": value.model_dump(mode="json")}


def outcome(asked: dict[str, Any]) -> dict[str, Any]:
    client, requests = client_of(asked)
    before, began = requests.count, time.monotonic()
    try:
        told = result(asked, client)
    except OpenRouterError as error:
        told = {
            "raised": type(error).__name__,
            "status": error.status_code,
            "message": str(error),
            "body": error.body,
        }
    except httpx.HTTPError as error:
        told = {"raised": type(error).__name__, "status": None, "message": str(error)}
    return {**told, "requests": requests.count - before, "seconds": time.monotonic() - began}


for argument in sys.argv[1:]:
    print(json.dumps(outcome(json.loads(argument))))
