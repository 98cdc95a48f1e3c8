"""`Reply`: what a server has answered, and the failure that it is, if it is one.

A server is not trusted with the terminal of its caller: of what it says, one sentence is shown, of
limited length, and never the key.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from voxgate.errors import ServerError, UnusableServerError
from voxgate.transcript.text import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_SENTENCE = 1000  # characters
LONGEST_WAIT_S = 60.0
BUSY_STATUSES = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
CHECK_THE_URL = "Check the server's URL, --server or VOXGATE_SERVER."


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer, complete. `headers` have names in lower case."""

    server: str  # the base URL that was asked
    status: int
    headers: Mapping[str, str]
    data: bytes
    key: str | None = field(default=None, repr=False)

    def body(self) -> dict[str, Any]:
        """The JSON object that a success consists of. Raises `ServerError`."""
        body = _object(self.data)
        if body is None:
            raise self._no_json() if self.status == HTTPStatus.OK else self._failure(None)
        error = body.get("error")
        if self.status == HTTPStatus.OK and error is None:
            return body
        raise self._failure(error)

    @property
    def wait_s(self) -> float | None:
        """How long a busy server asks to be left alone; None where waiting is not worth it.

        Only seconds are understood; a date is for crawlers.
        """
        given = self.headers.get("retry-after", "")
        if self.status not in BUSY_STATUSES or not (given.isascii() and given.isdigit()):
            return None
        return float(given) if float(given) <= LONGEST_WAIT_S else None

    def without_key(self, text: str) -> str:
        """The text as it may be shown. Within a word, what looks like a short key is none."""
        if not self.key:
            return text
        letter = "[A-Za-z0-9]"
        return re.sub(rf"(?<!{letter}){re.escape(self.key)}(?!{letter})", "[the key]", text)

    def _failure(self, error: object) -> ServerError:
        """What went wrong, by the status and by the body's `error`."""
        said = self._said(error)
        if HTTPStatus.MULTIPLE_CHOICES <= self.status < HTTPStatus.BAD_REQUEST:
            return self._moved()
        if self.status == HTTPStatus.UNAUTHORIZED:
            return self._unknown(said or f"{self.server} asks for a valid key.")
        if said and self.status == HTTPStatus.NOT_FOUND and _code(error) == "not_found":
            return UnusableServerError(f"{said} {CHECK_THE_URL}")  # a path, not a model
        return ServerError(said) if said else self._unexplained()

    def _unknown(self, said: str) -> UnusableServerError:
        command = "`voxgate keys create --name NAME` on the server makes one"
        makes = "" if "voxgate keys create" in said else f"; {command}"
        return UnusableServerError(f"{said} Give a key with --key or in VOXGATE_KEY{makes}.")

    def _unexplained(self) -> ServerError:
        if self.status in {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}:
            return self._stranger()
        if self.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return ServerError(
                f"{self.server}, or a proxy before it, takes no recording as large as this one "
                f"(status {self.status}). Compress it, e.g. as FLAC or Opus, or raise the limit "
                f"there."
            )
        return ServerError(
            f"{self.server} failed with status {self.status} and gave no reason. Ask it again; its "
            f"log, or that of a proxy before it, says more."
        )

    def _no_json(self) -> ServerError:
        """A success that ends too early, or is a page for people."""
        return (
            truncated_reply_error(self.server) if self.data[:1] in {b"", b"{"} else self._stranger()
        )

    def _stranger(self) -> UnusableServerError:
        kind = self._header("content-type") or "nothing"
        return UnusableServerError(
            f"What answers at {self.server} is no Voxgate server (status {self.status}, {kind}). "
            f"{CHECK_THE_URL}"
        )

    def _moved(self) -> ServerError:
        to = self._header("location") or "somewhere else"
        return UnusableServerError(
            f"{self.server} sends its callers to {to} (status {self.status}). Voxgate does not "
            f"follow, because the key would travel along: name that server with --server if you "
            f"trust it."
        )

    def _said(self, error: object) -> str | None:
        """The server's own sentence."""
        message = error.get("message") if isinstance(error, dict) else error
        said = self._shown(message) if isinstance(message, str) else ""
        if not said:
            return None
        return said if said[-1] in ".!?" else f"{said}."

    def _header(self, name: str) -> str:
        return self._shown(self.headers.get(name, ""))

    def _shown(self, text: str) -> str:
        return self.without_key(one_line(text))[:MAX_SENTENCE]


def truncated_reply_error(server: str) -> ServerError:
    """The one sentence for an answer without an end."""
    return ServerError(
        f"The connection to {server} broke off before its answer was complete. Ask it again: "
        f"within 10 s the same recording joins the work that is under way there."
    )


def _code(error: object) -> object:
    """Voxgate's own name of the failure."""
    metadata = error.get("metadata") if isinstance(error, dict) else None
    return metadata.get("code") if isinstance(metadata, dict) else None


def _object(data: bytes) -> dict[str, Any] | None:
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None
