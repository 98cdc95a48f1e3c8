"""What goes wrong at upstreams, and at the proxies before them."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from tests.websites import response

if TYPE_CHECKING:
    from tests.upstreams.proxy import Exchange, Fault, Script

PAGE = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
HTML, JSON = "text/html", "application/json"
HUGE_BYTES = 5 * 2**20  # more than an answer of one window may have
DRIP_S = 0.02  # between two bytes

ERROR = {"error": {"code": 502, "message": "The model behind is down."}}


def always(fault: Fault | None) -> Script:
    return lambda _: fault


def canned(status: int, body: bytes | dict[str, Any] = b"", **headers: Any) -> Fault:
    """Answer so, and close the connection."""
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    kind = JSON if isinstance(body, dict) else HTML
    named = {"content_type": kind, "connection": "close", **headers}

    async def fault(exchange: Exchange) -> None:
        await exchange.send(response(status, data, **named))

    return fault


async def silent(exchange: Exchange) -> None:
    """Accept the request, and never answer."""
    await exchange.left()


async def reset(exchange: Exchange) -> None:
    exchange.reset()


async def half_a_body(exchange: Exchange) -> None:
    """Die in the middle of the answer."""
    body = (await exchange.forward()).content
    whole = response(200, body, content_type=JSON)
    await exchange.send(whole[: -max(1, len(body) // 2)])


async def cut_json(exchange: Exchange) -> None:
    """End the answer too early, and say that it is whole."""
    body = (await exchange.forward()).content
    await exchange.send(response(200, body[: len(body) // 2], content_type=JSON))


async def trickle(exchange: Exchange) -> None:
    """Send white space, byte by byte, for as long as the client stays."""
    await exchange.send(response(200, content_length=10**6, content_type=JSON))
    while True:
        await exchange.send(b" ")
        await asyncio.sleep(DRIP_S)


async def byte_by_byte(exchange: Exchange) -> None:
    """Send the true answer so. It is no fault: a slow answer is one."""
    body = (await exchange.forward()).content
    for byte in response(200, body, content_type=JSON, connection="close"):
        await exchange.send(bytes([byte]))
        await asyncio.sleep(0)


async def hang_up(exchange: Exchange) -> None:
    """Send the true answer, and close the connection, which was said to stay open."""
    body = (await exchange.forward()).content
    await exchange.send(response(200, body, content_type=JSON))


async def huge(exchange: Exchange) -> None:
    """Send more than any words are long, as valid JSON."""
    text = b'{"text": "' + b"a" * HUGE_BYTES + b'"}'
    await exchange.send(response(200, text, content_type=JSON, connection="close"))


PAGE_WITH_200 = canned(200, PAGE)
PAGE_WITH_502 = canned(502, PAGE)
ERROR_WITH_200 = canned(200, ERROR)
UNAVAILABLE = canned(503, {"error": {"message": "Overloaded."}})
GATEWAY_TIMEOUT = canned(504, PAGE)
RATE_LIMITED = canned(429, {"error": {"message": "Too many requests."}})
RESTING = canned(429, {"error": {"message": "Too many requests."}}, retry_after="1")
NO_WORDS = canned(200, {"text": "", "segments": [], "words": []})
ANOTHER_MODEL = canned(200, {"text": "Somebody else says this.", "model": "another/model"})
REDIRECT = canned(307, b"", location="http://127.0.0.1:1/elsewhere")
BAD_REQUEST = canned(400, {"error": {"message": "The sound is too loud."}})
WRONG_KEY = canned(401, {"error": {"message": "Incorrect API key provided."}})

BROKEN: dict[str, Fault] = {
    "dies at half of the body": half_a_body,
    "a page with 200": PAGE_WITH_200,
    "JSON that is cut short": cut_json,
    "an error with 200": ERROR_WITH_200,
    "a page with 502": PAGE_WITH_502,
    "503": UNAVAILABLE,
    "504": GATEWAY_TIMEOUT,
    "reset": reset,
    "a redirect": REDIRECT,
    "a huge answer": huge,
}
"""Faults that any upstream may have, and that are told at once."""

SLOW: dict[str, Fault] = {"never answers": silent, "a byte at a time": trickle}
"""Faults that end with a provider's patience."""

LIMITED: dict[str, Fault] = {"429": RATE_LIMITED, "429 with Retry-After": RESTING}
"""After these an endpoint rests."""
