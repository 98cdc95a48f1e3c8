"""`Reply`: a server's response, and the error for a response that is not a success.

A server is not trusted to write to the caller's terminal. An error contains only one line of its
text, which has a limited length and never contains the key.
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
    """One complete response. `headers` have names in lower case."""

    server: str  # the base URL of the request
    status: int
    headers: Mapping[str, str]
    data: bytes
    key: str | None = field(default=None, repr=False)

    def body(self) -> dict[str, Any]:
        """Return the JSON object of a success. Raises `ServerError` for any other response."""
        body = _object(self.data)
        if body is None:
            raise self._not_json_error() if self.status == HTTPStatus.OK else self._failure(None)
        error = body.get("error")
        if self.status == HTTPStatus.OK and error is None:
            return body
        raise self._failure(error)

    def failure(self) -> ServerError:
        """Return the error for a reply that should have been a stream of events."""
        try:
            self.body()
        except ServerError as error:
            return error
        return self._not_voxgate_error()

    @property
    def wait_s(self) -> float | None:
        """The seconds that a busy server requests before the next attempt.

        None if the server is not busy, requests no wait or a wait of more than `LONGEST_WAIT_S`.
        Only seconds are parsed, because dates in this header are meant for crawlers.
        """
        given = self.headers.get("retry-after", "")
        if self.status not in BUSY_STATUSES or not (given.isascii() and given.isdigit()):
            return None
        return float(given) if float(given) <= LONGEST_WAIT_S else None

    def redact_key(self, text: str) -> str:
        """Replace the key in a text. A short key inside a longer word is not replaced."""
        if not self.key:
            return text
        letter = "[A-Za-z0-9]"
        return re.sub(rf"(?<!{letter}){re.escape(self.key)}(?!{letter})", "[the key]", text)

    def _failure(self, error: object) -> ServerError:
        """Return the error for the status and the body's `error`."""
        sentence = self._sentence(error)
        if HTTPStatus.MULTIPLE_CHOICES <= self.status < HTTPStatus.BAD_REQUEST:
            return self._redirect_error()
        if self.status == HTTPStatus.UNAUTHORIZED:
            return self._key_error(sentence or f"{self.server} requires a valid key.")
        if sentence and self.status == HTTPStatus.NOT_FOUND and _code(error) == "not_found":
            return UnusableServerError(f"{sentence} {CHECK_THE_URL}")  # a path, not a model
        return ServerError(sentence) if sentence else self._unexplained_error()

    def _key_error(self, sentence: str) -> UnusableServerError:
        command = "`voxgate keys create --name NAME` on the server creates one"
        hint = "" if "voxgate keys create" in sentence else f"; {command}"
        return UnusableServerError(f"{sentence} Give a key with --key or in VOXGATE_KEY{hint}.")

    def _unexplained_error(self) -> ServerError:
        if self.status in {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}:
            return self._not_voxgate_error()
        if self.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return ServerError(
                f"{self.server}, or a proxy before it, does not accept recordings as large as this "
                f"one (status {self.status}). Compress it, e.g. as FLAC or Opus, or raise the "
                f"limit of the server or proxy."
            )
        return ServerError(
            f"{self.server} failed with status {self.status} and gave no reason. Try again, or "
            f"check its log and that of any proxy before it."
        )

    def _not_json_error(self) -> ServerError:
        """Return the error for a success whose body ends too early or is not JSON."""
        return (
            truncated_reply_error(self.server)
            if self.data[:1] in {b"", b"{"}
            else self._not_voxgate_error()
        )

    def _not_voxgate_error(self) -> UnusableServerError:
        kind = self._header("content-type") or "no content type"
        return UnusableServerError(
            f"The server at {self.server} is not a Voxgate server (status {self.status}, {kind}). "
            f"{CHECK_THE_URL}"
        )

    def _redirect_error(self) -> ServerError:
        location = self._header("location") or "another server"
        return UnusableServerError(
            f"{self.server} redirects to {location} (status {self.status}). Voxgate does not "
            f"follow redirects, because it would send the key to the new address. Use that address "
            f"with --server if you trust it."
        )

    def _sentence(self, error: object) -> str | None:
        """Return the server's own sentence, or None if it gave none."""
        message = error.get("message") if isinstance(error, dict) else error
        sentence = self._printable(message) if isinstance(message, str) else ""
        if not sentence:
            return None
        return sentence if sentence[-1] in ".!?" else f"{sentence}."

    def _header(self, name: str) -> str:
        return self._printable(self.headers.get(name, ""))

    def _printable(self, text: str) -> str:
        return self.redact_key(one_line(text))[:MAX_SENTENCE]


def truncated_reply_error(server: str) -> ServerError:
    """Return the error for a response without an end."""
    return ServerError(
        f"The connection to {server} ended before its response was complete. Try again: within "
        f"10 s, the same recording joins the work that is already running on the server."
    )


def _code(error: object) -> object:
    """Return Voxgate's own code of the failure, if there is one."""
    metadata = error.get("metadata") if isinstance(error, dict) else None
    return metadata.get("code") if isinstance(metadata, dict) else None


def _object(data: bytes) -> dict[str, Any] | None:
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None
