"""`Address`: the base URL of a server's API, parsed from any part of it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

import httpx2

from voxgate.configuration.values import MAX_PORT
from voxgate.errors import UsageError

EXAMPLE = "http://localhost:8000 or https://voxgate.example.org"


@dataclass(frozen=True, slots=True)
class Address:
    """The base URL of every path, e.g. `http://localhost:8000/api/v1`."""

    base: httpx2.URL

    @classmethod
    def parse(cls, text: str) -> Address:
        """Parse a server's URL, with or without `/api/v1`, `/v1` or a slash at its end.

        A path that ends with `/v1` is kept, because other servers have their API there. Raises
        `UsageError`.
        """
        if "@" in text:  # the text may contain a password, so no message repeats it
            raise UsageError(
                "A server's URL must not contain a user name or a password. Give its key with "
                "--key or in VOXGATE_KEY."
            )
        try:
            url = httpx2.URL(text.strip())
        except httpx2.InvalidURL as error:
            raise _address_error(text) from error
        if (
            url.scheme not in {"http", "https"}
            or not url.host
            or not (url.port is None or 0 < url.port <= MAX_PORT)
            or url.query
            or url.fragment
        ):
            raise _address_error(text)
        return cls(url.copy_with(path=_api_path(url.path.rstrip("/"))))

    @property
    def is_loopback(self) -> bool:
        """Return whether the server is on this machine, which a proxy could not reach."""
        host = self.base.host
        if host == "localhost" or host.endswith(".localhost"):
            return True
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return address.is_loopback or address.is_unspecified

    def to(self, path: str) -> str:
        """Return the URL of one of the API's paths."""
        return f"{self.base}/{path}"

    def __str__(self) -> str:
        return str(self.base)


def _api_path(path: str) -> str:
    if path.endswith("/v1"):
        return path
    return f"{path}/v1" if path.endswith("/api") else f"{path}/api/v1"


def _address_error(text: str) -> UsageError:
    return UsageError(f"'{text}' is not the URL of a server. Write it as {EXAMPLE}.")
