"""`RequestEntry`, the line that the server logs for a request, and `RequestLog`, which writes it.

    ID ADDRESS KEY-NAME METHOD PATH STATUS CODE [MODEL SECONDS]

A transcription is logged when its job ends, which may be after its caller has left. Every other
request is logged only if it is refused, with its response. A part that a request does not have is
"-". A line has no speech, no key, and nothing of a query. An error or a warning of which callers
are only told in general has a further line, with its whole sentence, and so has what failed at a
provider before another one answered: ID SENTENCE

In JSON (`log_format`) the same is in fields, with the time that it took and the id of its trace.
"""

from __future__ import annotations

import logging
import secrets
import string
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.datastructures import MutableHeaders

from voxgate.tracing import mark_response

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from voxgate.errors import VoxgateError
    from voxgate.transcript.values import Notice

ID_ALPHABET, ID_LETTERS = string.ascii_letters + string.digits, 20
REFUSED = 400  # the lowest status of a refusal
NOTHING = "-"  # stands for a part of a line that a request does not have

log = logging.getLogger(__name__)


def new_id(kind: str = "gen-stt") -> str:
    """Return a new request's id as OpenRouter writes it.

    `gen-stt-<unix seconds>-<20 alphanumerics>`; the kind of an answer's is `gen`.
    """
    # One number for all letters: the kernel is asked for randomness once, not for each letter.
    number, letters = secrets.randbelow(len(ID_ALPHABET) ** ID_LETTERS), ""
    for _ in range(ID_LETTERS):
        number, place = divmod(number, len(ID_ALPHABET))
        letters += ID_ALPHABET[place]
    return f"{kind}-{int(time.time())}-{letters}"


@dataclass(slots=True)
class RequestEntry:
    """What is logged of one request. Those who find out its parts set them."""

    address: str = NOTHING
    method: str = NOTHING
    path: str = NOTHING
    id: str = field(default_factory=new_id)
    key_name: str = NOTHING
    code: str = NOTHING  # of the error
    has_job: bool = False  # its job logs it
    _arrived: float = field(default_factory=time.monotonic)

    @classmethod
    def create(cls, scope: Scope) -> RequestEntry:
        """Create the entry of a request, and keep it in the request's state."""
        address = scope["client"][0] if scope.get("client") else NOTHING
        # Quoted, because a path may hold line ends.
        entry = cls(address, scope["method"], quote(scope["path"][:200]))
        scope.setdefault("state", {})["log_entry"] = entry
        return entry

    @classmethod
    def of(cls, scope: Scope) -> RequestEntry:
        """Return the entry of a request."""
        entry: RequestEntry = scope["state"]["log_entry"]
        return entry

    def fail(self, error: VoxgateError) -> None:
        """Note the error that the request is answered with. Call it once."""
        self.code = error.code
        mark_response(error)
        if error.public_sentence != error.sentence:
            fields = {"generation": self.id, "code": error.code}
            log.error("%s %s", self.id, error.sentence, extra=fields)

    def note(self, notice: Notice) -> None:
        """Note a warning of the answer: the whole sentence, where callers are told less."""
        if notice.public.sentence != notice.sentence:
            fields = {"generation": self.id, "code": notice.code}
            log.warning("%s %s", self.id, notice.sentence, extra=fields)

    def note_failure(self, code: str, sentence: str) -> None:
        """Log why an attempt failed of which callers are not told."""
        log.warning("%s %s", self.id, sentence, extra={"generation": self.id, "code": code})

    def write(self, status: int, details: str = "", **facts: str | float | None) -> None:
        """Log the request: `details` end its line, and `facts` are further fields of its JSON."""
        parts = (self.id, self.address, self.key_name, self.method, self.path, str(status))
        fields = {
            "event": "request",
            "generation": self.id,
            "client": self.address,
            "key_name": self.key_name,
            "method": self.method,
            "path": self.path,
            "status": status,
            "code": self.code,
            "duration_s": round(time.monotonic() - self._arrived, 3),
            **facts,
        }
        given = {name: value for name, value in fields.items() if value not in {NOTHING, None}}
        log.info("%s", " ".join([*parts, self.code, details]).rstrip(), extra=given)


class RequestLog:
    """Middleware around all others: logs refused requests, and gives their responses their id."""

    def __init__(self, app: ASGIApp, responded: Callable[[int], None] = lambda _: None) -> None:
        """`responded` is called with the status of each response."""
        self._app, self._responded = app, responded

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request."""
        entry = RequestEntry.create(scope)

        async def send_and_log(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._responded(message["status"])
                if message["status"] >= REFUSED:
                    MutableHeaders(scope=message).setdefault("x-request-id", entry.id)
                    if not entry.has_job:
                        entry.write(message["status"])
            await send(message)

        await self._app(scope, receive, send_and_log)
